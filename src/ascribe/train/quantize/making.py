"""A bundle in, a quantised bundle out, with a report of what it costs.

`predict` is rounded. What was fitted to it and is small is kept as it is: proposal, energy, control, surrogate, the
one-pass explainer. Tiers are compiled again around the rounded f. Slopes, maps and attention are traced again with the
rounded weights, straight through the rounding of what flows; or left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ascribe.bundle import archive
from ascribe.bundle.archive import Bundle
from ascribe.bundle.gate.compare import Said
from ascribe.bundle.gate.variant import MAX_ERROR, told
from ascribe.bundle.holdout import holdout
from ascribe.bundle.manifest import Manifest, Tier, digest
from ascribe.bundle.networks import Graph
from ascribe.bundle.runtime import example, load
from ascribe.bundle.variants import QUANTISED, Compared, compared
from ascribe.core.errors import AscribeError, CapabilityError, InputError
from ascribe.core.model import Model
from ascribe.train.adopted.insides import insides
from ascribe.train.adopted.rows import scored
from ascribe.train.compile import Wanted, compile_bundle
from ascribe.train.graphs.export import finish
from ascribe.train.quantize.layers import layers
from ascribe.train.quantize.precisions import PRECISIONS, Asked, Made
from ascribe.train.quantize.preparing import prepared
from ascribe.train.quantize.rows import calibration
from ascribe.train.quantize.static import RANGES
from ascribe.train.watch import Watcher

__all__ = ["QuantizeOptions", "Report", "quantize"]

INSIDE = ("gradient", "embed", "layers", "attention")
KEPT = ("proposal", "energy", "surrogate", "amortized")
BITS = (7, 8)


@dataclass(frozen=True)
class QuantizeOptions:
    """`calibrate`: rows of the kind that will be asked, else the bundle's background. `ranges`: minmax, entropy or
    percentile. `bits` of weights. `bound`: what mixed precision may err by, over the spread of the answers. `slopes`:
    trace gradients, maps and attention again.

    Raises InputError for an unknown precision or choice, or where the new bundle would lie on the old.
    """

    bundle: Path
    precision: str
    out: Path
    calibrate: Path | None = None
    ranges: str = "minmax"
    bits: int = 7
    bound: float = MAX_ERROR / 2
    slopes: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise InputError(f"no precision '{self.precision}': use {', '.join(PRECISIONS)}")
        if self.ranges not in RANGES:
            raise InputError(f"no ranges by '{self.ranges}': use {', '.join(RANGES)}")
        if self.bits not in BITS:
            raise InputError(f"weights have 7 or 8 bits, not {self.bits}")
        if not self.bound > 0:
            raise InputError(f"the bound is a positive share of the answers' spread, not {self.bound:g}")
        if self.out.resolve() == self.bundle.resolve():
            raise InputError(f"{self.out} is the bundle itself: a variant is another bundle, give another folder")


@dataclass(frozen=True)
class Report:
    """What came out; `against` and `good`: what the gate says of it beside its original."""

    version: str
    compared: Compared
    against: list[str]
    good: list[str]


def quantize(options: QuantizeOptions, watch: Watcher | None = None) -> Report:
    """Write the variant into `options.out`, near its original or not: the gate decides what is served.

    Raises InputError for rows that cannot be used, CapabilityError for a model with nothing to round, BundleError for a
    bundle that cannot be opened.
    """
    watch = watch or Watcher()
    origin = archive.open_directory(options.bundle)
    _fits(origin)
    model = load(origin)
    float_graph = prepared(origin.read("predict"))
    X, rows = calibration(origin, model, options.calibrate)
    step = watch.progress("quantising") or (lambda done, text: None)
    step(0.0, f"{len(layers(float_graph))} layers")
    made = PRECISIONS[options.precision](
        Asked(float_graph, X, options.ranges, options.bits, options.bound, options.seed, step)
    )
    step(1.0, options.precision)
    _write(origin, model, options, made, rows, X, watch)
    tiers = [_wanted(name, tier) for name, tier in origin.manifest.tiers.items() if tier.role]
    lost = _compiled(options.out, tiers, watch)
    variant = archive.open_directory(options.out)
    seen = compared(variant, origin, step=watch.progress("comparing") or (lambda done, text: None))
    said = Said()
    told(seen, said)
    manifest = _reported(variant, seen, said, lost)
    archive.write_manifest(options.out, manifest)
    return Report(manifest.version(), seen, said.bad, said.good)


def _fits(origin: Bundle) -> None:
    held = origin.manifest
    if QUANTISED in held.origin:
        raise InputError(f"{origin.origin} is quantised already: give the bundle that it was made from")
    if origin.parts():
        raise InputError(f"{origin.origin} predicts several targets: quantise the bundle of each, then compose them")
    if not origin.has("predict"):
        raise CapabilityError(f"{origin.origin} is an ensemble of trees: there is nothing to quantise")


def _write(
    origin: Bundle,
    model: Model,
    options: QuantizeOptions,
    made: Made,
    rows: dict[str, Any],
    X: np.ndarray,
    watch: Watcher,
) -> None:
    """The bundle without tiers and report."""
    held = origin.manifest
    gone = {tier.role for tier in held.tiers.values() if tier.role} | set(INSIDE)
    roles = {role: name for role, name in held.roles.items() if role not in gone}
    files = {name: origin.read(role) for role, name in roles.items()}
    files[roles["predict"]] = finish(made.graph)
    traced: list[str] = []
    if options.slopes and any(origin.has(role) for role in INSIDE):
        found, notes = insides(made.straight.SerializeToString(), model.spaces, model.layout, X)
        found = {name: raw for name, raw in found.items() if origin.has(name.removesuffix(".onnx"))}
        traced = [name.removesuffix(".onnx") for name in found]
        files |= found
        roles |= {name.removesuffix(".onnx"): name for name in found}
        for text in notes:
            watch.note(text)
    lost = [role for role in INSIDE if origin.has(role) and role not in roles]
    if lost:
        watch.note(f"left out: {', '.join(lost)} (of the original, not of the variant)")
    about = {
        "precision": options.precision,
        "version": held.version(),
        "manifest_sha256": digest(held.encode()),
        "predict_sha256": origin.digest("predict"),
        "rounded": ["predict"],
        "straight_through": traced,
        "kept_float32": [role for role in KEPT if origin.has(role)],
        "left_out": lost,
        "calibration": rows if options.precision not in ("fp16", "int8-dynamic") else {},
        **made.told,
    }
    manifest = msgspec.structs.replace(
        held, created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), roles=roles,
        files={name: archive.entry(raw) for name, raw in files.items()}, tiers={}, machine="",
        origin={**held.origin, QUANTISED: about},
    )  # fmt: skip
    archive.write(options.out, _answered(model, example(origin), manifest, files[roles["predict"]]), files)


def _answered(model: Model, row: np.ndarray, manifest: Manifest, graph: bytes) -> Manifest:
    """With the variant's own answers: of the example; their mean, moved as much as the background's is; and, of an
    adopted model, how far they now are from its library's.
    """
    output = manifest.spaces[0] if manifest.outputs else "prediction"
    graph_of = Graph(graph, "the variant", [output])
    base, origin = manifest.base_value, dict(manifest.origin)
    if model.background is not None:
        good = model.background[model.check(model.background)[0] != "invalid"]
        ask = model.scores or model.predict
        assert ask is not None
        told, found = np.asarray(ask(good), dtype=float), graph_of([output], x=good)[0]
        away = found.reshape(told.shape) - told
        if not manifest.outputs:
            base += float(away.mean())
        if "parity" in origin:
            origin["parity"] += float(np.abs(away).max() / max(np.abs(told).max(), np.finfo(float).tiny))
    answer = np.ravel(graph_of([output], x=row)[0]).astype(float).tolist()
    return msgspec.structs.replace(
        manifest, example={**manifest.example, "prediction": answer}, base_value=base, origin=origin
    )


def _wanted(name: str, tier: Tier) -> Wanted:
    """As the original's was made."""
    if name == "fast":
        return Wanted(name)
    return Wanted(name, tier.value or None, tier.budget or None, tier.samples or None, tier.seed)


def _compiled(place: Path, tiers: Sequence[Wanted], watch: Watcher) -> list[str]:
    """Tiers around the rounded f; names of those that cannot be."""
    lost = []
    for one in tiers:
        try:
            compile_bundle(place, [one], watch.note)
        except AscribeError as exc:
            watch.note(f"tier '{one.tier}' is left out: {exc}")
            lost.append(one.tier)
    return lost


def _reported(variant: Bundle, seen: Compared, said: Said, lost: Sequence[str]) -> Manifest:
    held = variant.manifest
    report = {**seen.numbers(), "refused": said.bad, "tiers_left_out": list(lost)}
    metrics = {**held.metrics, "quantisation": report}
    if variant.has("holdout"):
        metrics["holdout"] = scored(load(variant), *holdout(variant))
    return msgspec.structs.replace(held, metrics=metrics)
