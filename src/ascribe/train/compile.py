"""From a bundle to explanations as graphs: `explain.onnx` (tier balanced) and its like, one `session.run` each.

    x (rows, n) float32, natural units -> prediction (rows,), attribution (rows, n), base_value (rows,),
                                          stderr (rows, n), ess (rows,)

The graph holds the plan, the noise, the scores, the proposal, the energy and f. It is checked against the plain
computation on held-out rows before it is written, and joins the bundle: a new manifest, and so a new version.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np
import onnx

from ascribe.bundle import archive
from ascribe.bundle.archive import Bundle
from ascribe.bundle.holdout import answerable
from ascribe.bundle.manifest import Manifest, Reading, Tier
from ascribe.bundle.npz import arrays
from ascribe.bundle.runtime import compiled, load
from ascribe.core.adjusted import learnt
from ascribe.core.arrays import evenly
from ascribe.core.energy import EmShap
from ascribe.core.errors import BundleError, CapabilityError, InputError
from ascribe.core.explainers.conditional_shap import conditional_game
from ascribe.core.factor_mixture import FactorMixture
from ascribe.core.features import players_of
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.shapley import LEARNT, plan_of
from ascribe.train.compiled.check import parity
from ascribe.train.compiled.choice import Wanted, chosen_law, chosen_size, chosen_value
from ascribe.train.compiled.law import AnyProposal, FixedMixture, Law
from ascribe.train.compiled.program import Program, one_pass, written
from ascribe.train.compiled.sharing import inlined, shared
from ascribe.train.compiled.values import Drawn
from ascribe.train.values.reading import fit_reading

__all__ = ["Wanted", "compile_bundle", "standalone", "told", "with_tiers"]

COMPILED = ("fast", "balanced", "accurate")
CHECKED, JUDGED = 8, 64  # held-out rows: of the parity check, and of the typical standard error
PARITY = 1e-5

Say = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class _Source:
    """A bundle opened for compiling: its model with the scales of its games, and held-out rows that can be answered."""

    bundle: Bundle
    model: Model
    mixture: FactorMixture | None
    rows: np.ndarray


def compile_bundle(directory: Path, wanted: Sequence[Wanted], say: Say = lambda text: None) -> Manifest:
    """Compile tiers into the bundle at a directory: a graph each, and a new manifest. `fast` needs the one-pass
    explainer, the others a plan over the values that the bundle has.

    Raises InputError for a tier or value that cannot be compiled, CapabilityError for what the bundle lacks,
    BundleError where a graph does not agree with the plain computation; the bundle is then as it was.
    """
    manifest, files = with_tiers(archive.open_directory(directory), wanted, say)
    archive.write(directory, manifest, files)
    return manifest


def with_tiers(bundle: Bundle, wanted: Sequence[Wanted], say: Say) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest with tiers compiled, and all files of the bundle, the graphs among them."""
    for one in wanted:
        if one.tier not in COMPILED:
            raise InputError(f"'{one.tier}' cannot be compiled: use one of {', '.join(COMPILED)}")
    source = _opened(bundle, wanted)
    manifest = source.bundle.manifest
    files = {name: bundle.read(role) for role, name in bundle.manifest.roles.items()}
    for one in wanted:
        tier, proto = _one_pass(source) if one.tier == "fast" else _planned(source, one)
        name = f"{tier.role}.onnx"
        graphs = {file: raw for file, raw in files.items() if file.endswith(".onnx") and file not in _own(manifest)}
        files[name] = shared(proto, graphs)
        roles, hashes = manifest.roles | {tier.role: name}, manifest.files | {name: archive.entry(files[name])}
        manifest = msgspec.structs.replace(
            manifest, roles=roles, files=hashes, tiers=manifest.tiers | {one.tier: tier}, machine=""
        )
        error = _stderr(Bundle(manifest, files.__getitem__, bundle.origin), one.tier, source.rows)
        tier = msgspec.structs.replace(tier, stderr=error)
        manifest = msgspec.structs.replace(manifest, tiers=manifest.tiers | {one.tier: tier})
        say(f"{name}: {told(tier, manifest.target.unit)}; {len(files[name]) / 1024:.0f} KiB beside shared weights")
    return manifest, files


def standalone(bundle: Bundle, tier: str = "balanced") -> bytes:
    """A tier's graph with all its weights inside, to run where the bundle is not. Raises CapabilityError."""
    held = bundle.manifest.tiers.get(tier)
    if held is None or not held.role:
        raise CapabilityError(f"tier '{tier}' is not compiled: run `ascribe compile DIR --tier {tier}`")
    role_of = {name: role for role, name in bundle.manifest.roles.items()}
    return inlined(bundle.read(held.role), lambda name: bundle.read(role_of[name]))


def told(tier: Tier, unit: str) -> str:
    """A tier in words."""
    what = f"values from {tier.value}"
    if tier.budget:
        what += f", {tier.budget} coalitions read by '{tier.estimator}'"
    if tier.samples:
        what += f" x {tier.samples} completions ({tier.law})"
    if tier.parity is not None:
        what += f", parity {tier.parity:.1g}"
    return what if tier.stderr is None else f"{what}, standard error {tier.stderr:.3g} {unit}".rstrip()


def _own(manifest: Manifest) -> set[str]:
    """Files of compiled graphs: one never points at another."""
    return {manifest.roles[tier.role] for tier in manifest.tiers.values() if tier.role}


def _opened(bundle: Bundle, wanted: Sequence[Wanted]) -> _Source:
    model = load(bundle)
    for one in wanted:
        _refuse_lacking(model, one.tier)
    rows = answerable(bundle)
    rows = rows[evenly(len(rows), JUDGED)] if len(rows) else np.array([bundle.manifest.example["x"]])
    mixture = None
    if bundle.has("mixture"):
        mixture = FactorMixture.of(arrays(bundle, "mixture", ()))
    if model.reading is None and model.conditional is not None:
        found = _reading(model, wanted)
        if found is not None:
            reading = msgspec.convert(msgspec.to_builtins(found), Reading)
            kept = msgspec.structs.replace(bundle.manifest, reading=reading)
            bundle, model = replace(bundle, manifest=kept), replace(model, reading=found)
    return _Source(bundle, model, mixture, rows)


def _refuse_lacking(model: Model, tier: str) -> None:
    """Before held-out rows are asked for, which an imported model or a forecast need not have either."""
    lacks = ""
    if tier == "fast" and model.amortized is None:
        lacks = "the one-pass explainer"
    elif tier != "fast" and (not isinstance(model.conditional, EmShap) or model.base_value is None):
        lacks = "an energy model"
    if lacks:
        raise CapabilityError(f"tier '{tier}' needs {lacks}, which this bundle lacks: `ascribe train` fits one")


def _reading(model: Model, wanted: Sequence[Wanted]) -> learnt.Reading | None:
    """Scales of the model's games, by training rows, judged at the fewest coalitions that are asked for; None where
    those are all that there are.
    """
    value = "completions" if model.surrogate is None else "surrogate"
    game = conditional_game(model, Options(samples=8, value=value))
    X = model.background
    assert X is not None and model.predict is not None
    budgets = [chosen_size(b"", X.shape[1], one.value or value, one)[0] for one in wanted if one.tier != "fast"]
    return fit_reading(game, np.asarray(model.predict(X), dtype=float), X, min(budgets)) if budgets else None


def _one_pass(source: _Source) -> tuple[Tier, onnx.ModelProto]:
    held, bundle = source.model.amortized, source.bundle
    assert held is not None
    proto = one_pass(
        bundle.read("predict"), bundle.read("amortized"), held.base_value, held.rmse, _notes(source, "fast")
    )
    return Tier("explain_fast", held.value, estimator="amortized"), proto


def _planned(source: _Source, wanted: Wanted) -> tuple[Tier, onnx.ModelProto]:
    """A plan's tier and graph, checked. Raises BundleError."""
    bundle, model = source.bundle, source.model
    assert isinstance(model.conditional, EmShap) and model.base_value is not None
    value = chosen_value(bundle, model, wanted)
    predict = bundle.read("predict")
    budget, samples = chosen_size(predict, len(model.features), value, wanted)
    # few features: all coalitions, or for a smaller budget KernelSHAP's matrix; readings by row are no graph
    fixed = "exact" if budget >= 2 ** len(model.names) else "kernel"
    options = Options(fixed if model.reading is None else LEARNT, budget, samples, wanted.seed, value=value)
    plan = plan_of(model, players_of(model.names), options, budget)
    options = replace(options, estimator=plan.estimator)
    drawn, law_name, law = None, "", model.conditional
    if value != "surrogate":
        law_name, law = chosen_law(bundle, model, source.mixture, source.rows)
        noise = law.noise(samples, wanted.seed)
        how: Law
        if law_name == "mixture":
            assert source.mixture is not None
            how = FixedMixture(source.mixture, noise)
        else:
            how = AnyProposal(bundle.read("proposal"), len(model.features), law.rank, noise)
        energy = bundle.read("energy") if law.weighting == "energy" else None
        drawn = Drawn(predict, how, samples, model.control, energy)
    graph = None if value == "completions" else bundle.read("surrogate")
    program = Program(predict, law.scores, plan, model.base_value, drawn, graph, model.share)
    notes = _notes(source, wanted.tier)
    checked = parity(
        written(program, notes, inside=True).SerializeToString(), replace(model, conditional=law),
        source.rows[:CHECKED], options,
    )  # fmt: skip
    if not checked.worst <= PARITY:
        raise BundleError(f"the compiled graph differs from the plain computation by {checked.worst:.2g}: not kept")
    role = "explain" if wanted.tier == "balanced" else f"explain_{wanted.tier}"
    tier = Tier(role, value, law_name, plan.estimator, len(plan.S), samples if drawn else 0, wanted.seed, checked.worst)
    return tier, written(program, notes)


def _notes(source: _Source, tier: str) -> dict[str, str]:
    """Metadata of a graph, for whoever finds it alone."""
    manifest = source.bundle.manifest
    return {
        "tier": tier, "features": ",".join(source.model.names), "output": manifest.target.name,
        "unit": manifest.target.unit, "family": manifest.family, "data_sha256": manifest.lineage.data_sha256,
    }  # fmt: skip


def _stderr(bundle: Bundle, tier: str, rows: np.ndarray) -> float:
    """Root mean square of what the graph states."""
    found = compiled(bundle, tier).run(rows.astype(np.float32))["stderr"].astype(float)
    return float(np.sqrt((found**2).mean()))
