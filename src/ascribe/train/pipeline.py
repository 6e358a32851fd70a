"""Telemetry in, a bundle out: clean, split, fit both power families and EmSHAP, export, judge, write."""

from __future__ import annotations

import io
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.feather

from ascribe.bundle import archive, manifest
from ascribe.bundle.runtime import graph_predict
from ascribe.core.arrays import evenly
from ascribe.core.control import fit_control
from ascribe.core.errors import InputError
from ascribe.core.features import Feature
from ascribe.core.judge import block_mean, power_error
from ascribe.train.clean import Cleaned, clean
from ascribe.train.compile import Wanted, with_tiers
from ascribe.train.dataset import Dataset, split
from ascribe.train.families.amortized import AmortizedOptions
from ascribe.train.families.emshap import EmShapOptions
from ascribe.train.families.surrogate import SurrogateOptions
from ascribe.train.fitted import FittedPower
from ascribe.train.frame import read_frame
from ascribe.train.npz import npz
from ascribe.train.parts import Keep, Part, once
from ascribe.train.power_families import ADDITIVE_FAMILIES, POWER_FAMILIES
from ascribe.train.quarantine import put_aside
from ascribe.train.settings import computing
from ascribe.train.units import describe, read_units
from ascribe.train.values.answering import NOTHING, answering_part
from ascribe.train.values.conditional import conditional_part, open_part
from ascribe.train.values.distil import DistilOptions
from ascribe.train.values.pairs import PairsOptions
from ascribe.train.values.polish import PolishOptions
from ascribe.train.watch import Watcher

__all__ = ["Report", "TrainOptions", "prepare", "train"]

HOLDOUT_ROWS = 2000


@dataclass(frozen=True)
class TrainOptions:
    """`features`: None takes every numeric column but target, time and group. `family`: best or one by name.
    `surrogate`: fit one, and let it be chosen or stacked; `amortized`: learn the one-pass explainer from it.
    `excluded`: columns that are no features; `labels`: what the model is for, kept in the manifest; `source`: what the
    lineage says of where the file comes from.

    Raises InputError for an unknown family or a held-out share outside (0, 1).
    """

    data: Path
    target: str
    out: Path
    features: tuple[str, ...] | None = None
    time: str | None = None
    group: tuple[str, ...] = ()
    units: Path | None = None
    holdout: float = 0.3
    family: str = "best"
    seed: int = 0
    max_seconds: float | None = None
    surrogate: bool = True
    amortized: bool = True
    excluded: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = (*POWER_FAMILIES, *ADDITIVE_FAMILIES)
        if self.family != "best" and self.family not in known:
            raise InputError(f"unknown family '{self.family}': use best, {', '.join(known[:-1])} or {known[-1]}")
        if not 0 < self.holdout < 1:
            raise InputError(f"the held-out share must lie between 0 and 1, not {self.holdout}")


@dataclass(frozen=True)
class Report:
    """What came out: the bundle's version, the family that serves, and the numbers of the manifest."""

    version: str
    family: str
    metrics: dict[str, Any]


def train(options: TrainOptions, watch: Watcher | None = None, keep: Keep = once) -> Report:
    """Run the whole offline path and write one bundle into `options.out`, with `quarantine.parquet` beside it. `keep`
    may keep the three parts that take long, power, conditional and answering, and find them again.

    Raises InputError (SchemaError) for data or options that cannot be used; nothing is then written but the quarantine.
    """
    watch = watch or Watcher()
    cleaned, target = prepare(options, watch)
    names = [f.name for f in cleaned.features]
    data = split(cleaned.rows, names, target.name, options.time, options.group, options.holdout, seed=options.seed)
    seed, limit, X = options.seed, options.max_seconds, data.training.X
    features = _with_range(cleaned.features, X)
    power = keep("power", lambda: _power_part(data, options, watch))
    predict = graph_predict(power.files["predict.onnx"], power.facts["family"])
    late = data.late if options.time and len(data.late) else None
    law = keep("conditional", lambda: conditional_part(X, late, predict, seed, limit, watch))
    files, conditional, held = dict(law.files), open_part(law, X), np.array(law.facts["held"], dtype=int)
    base = float(np.mean(predict(X).astype(float)))
    control = fit_control(predict, conditional)
    if control is not None:
        files["control.npz"] = npz(**control.arrays())
        watch.note(f"a polynomial control leaves {100 * control.left:.0f} % of the variance of completions")
    told = NOTHING
    if options.surrogate:
        several = (predict, conditional, control, base, target.unit, options.amortized, seed, limit, watch)
        told = keep("answering", lambda: answering_part(X, held, *several))
    files |= told.files
    amortized = told.facts["amortized"] and msgspec.convert(told.facts["amortized"], manifest.Amortized)
    example = X[len(X) // 2].astype(np.float32)
    files |= {
        **power.files,
        "background.npz": npz(background=conditional.background),
        "holdout.arrow": _holdout(data.holdout, names, target.name),
    }
    roles = {name.split(".")[0]: name for name in files}
    metrics = {
        "families": power.facts["families"],
        "holdout": power.facts["families"][power.facts["family"]]["holdout"],
        "conditional": law.facts["chosen"],
    } | told.facts["metrics"]
    made = manifest.Manifest(
        format=manifest.FORMAT,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        family=power.facts["family"],
        features=[f.to_json() for f in features],
        target=manifest.Target(target.name, target.unit),
        roles=roles,
        files={name: archive.entry(raw) for name, raw in files.items()},
        base_value=base,
        metrics=metrics,
        lineage=_lineage(options, cleaned, data, power.facts["options"]),
        example={"x": example.astype(float).tolist(), "prediction": predict(example[None]).astype(float).tolist()},
        scaling={
            "predict": power.facts["scaling"],
            "conditional": "scores.npz: knots of each feature at scores -4 ... 4",
        },
        conditional=manifest.Conditional(
            "emshap",
            conditional.weighting,
            conditional.rank,
            law.facts["components"],
            law.facts["chosen"]["reason"],
            told.facts["value"],
            told.facts["share"],
        ),
        amortized=amortized,
        labels=dict(options.labels),
    )
    watch.note("compiling explanations")
    tiers = [Wanted("balanced"), *([Wanted("fast")] if amortized else [])]
    bundle = archive.Bundle(made, files.__getitem__, str(options.out))
    made, files = with_tiers(bundle, tiers, watch.note)
    archive.write(options.out, made, files)
    return Report(made.version(), made.family, metrics)


def _power_part(data: Dataset, options: TrainOptions, watch: Watcher) -> Part:
    """Facts: the `family` that serves, its `scaling` and `options`, and the numbers of all `families`."""
    with computing() as device:
        power, families = _fit_power(data, options, device, watch)
    facts = {"family": power.family, "scaling": power.scaling, "options": power.options, "families": families}
    terms = {} if power.terms is None else {"terms.npz": npz(**power.terms.arrays())}
    return Part({"predict.onnx": power.graph} | terms, facts)


def prepare(options: TrainOptions, watch: Watcher) -> tuple[Cleaned, Feature]:
    """Read and clean; the rejected rows go to `quarantine.parquet` in the output folder, each with its reason."""
    frame = read_frame(options.data)
    units = read_units(options.units) if options.units else {}
    target = describe(options.target, units)
    reserved = {options.target, options.time, *options.group, *options.excluded}
    names = options.features
    if names is None:
        names = tuple(c for c in frame.columns if frame[c].dtype.is_numeric() and c not in reserved)
    if unusable := [c for c in names if c in reserved]:
        raise InputError(f"{', '.join(unusable)} cannot be a feature and a target, time or group at once")
    if len(names) < 2 or len(set(names)) < len(names):
        raise InputError("at least two different features are needed: name them with --features a,b,c")
    cleaned = clean(frame, [describe(name, units) for name in names], target, options.time, options.group)
    watch.cleaned(cleaned, len(frame), put_aside(cleaned.quarantine, options.out))
    if len(cleaned.features) < 2:
        raise InputError(
            f"only the feature {cleaned.features[0].name} is left, the others do not vary: at least two are needed, "
            "name more with --features a,b,c"
        )
    return cleaned, target


def _fit_power(data: Dataset, options: TrainOptions, device: str, watch: Watcher) -> tuple[FittedPower, dict[str, Any]]:
    """Fit the families asked for and choose on the validation rows. A later family of the table serves only if its
    squared error is lower by more than two standard errors over blocks of time: a tie goes to the trees, which cannot
    run away on inputs that they have not seen (`docs/decisions/0005-choice-of-family.md`).
    """
    every = POWER_FAMILIES | ADDITIVE_FAMILIES
    wanted = POWER_FAMILIES if options.family == "best" else {options.family: every[options.family]}
    report: dict[str, Any] = {}
    fitted: dict[str, FittedPower] = {}
    for name, fit in wanted.items():
        fitted[name] = fit(data, options.seed, device, watch.progress(name))
        on_holdout = graph_predict(fitted[name].graph, name)(data.holdout.X).astype(float)
        report[name] = {
            "validation": asdict(power_error(data.validation.y, fitted[name].validation)),
            "holdout": asdict(power_error(data.holdout.y, on_holdout)),
            "options": fitted[name].options,
        }
    best, *others = fitted
    for name in others:
        gain, error = _block_gain(data.validation.y, fitted[best].validation, fitted[name].validation)
        than = "higher" if gain < 0 else "lower"
        verdict = f"{name} against {best}: squared error {than} by {abs(gain):.3g} +- {error:.2g} on validation rows"
        best = name if gain > 2 * error else best
        report[name]["choice"] = f"{verdict}; {best} serves"
        watch.note(report[name]["choice"])
    return fitted[best], report


def _block_gain(y: np.ndarray, old: np.ndarray, new: np.ndarray) -> tuple[float, float]:
    """Mean of (old - y)^2 - (new - y)^2 and its standard error over blocks of neighbouring rows."""
    found = block_mean((old - y) ** 2 - (new - y) ** 2)
    return found.mean, found.stderr


def _with_range(features: Sequence[Feature], X: np.ndarray) -> list[Feature]:
    low, high = X.min(axis=0), X.max(axis=0)
    return [replace(f, seen_low=float(a), seen_high=float(b)) for f, a, b in zip(features, low, high, strict=True)]


def _holdout(part: Any, names: Sequence[str], target: str) -> bytes:
    at = evenly(len(part), HOLDOUT_ROWS)
    columns = {name: part.X[at, j] for j, name in enumerate(names)} | {target: part.y[at], "row": part.row[at]}
    out = io.BytesIO()
    pyarrow.feather.write_feather(pa.table(columns), out, compression="uncompressed")
    return out.getvalue()


def _lineage(options: TrainOptions, cleaned: Cleaned, data: Dataset, power: dict[str, Any]) -> manifest.Lineage:
    return manifest.Lineage(
        data=options.data.name,
        data_sha256=manifest.digest(options.data.read_bytes()),
        code_version=version("ascribe"),
        seed=options.seed,
        options={
            "target": options.target,
            "time": options.time,
            "group": list(options.group),
            "holdout": options.holdout,
            "family": options.family,
            "power": power,
            "emshap": asdict(EmShapOptions()),
            "surrogate": asdict(SurrogateOptions()) if options.surrogate else None,
            "pairs": asdict(PairsOptions()) if options.surrogate else None,
            "distilled": asdict(DistilOptions()) if options.surrogate else None,
            "amortized": asdict(AmortizedOptions()) if options.surrogate and options.amortized else None,
            "polished": asdict(PolishOptions()) if options.surrogate and options.amortized else None,
            "constant_features": list(cleaned.constant),
            "quarantined": cleaned.reasons,
            "libraries": {name: version(name) for name in ("torch", "xgboost", "onnx", "onnxruntime", "numpy")},
            "python": platform.python_version(),
        },
        rows={
            "file": len(cleaned.rows) + len(cleaned.quarantine),
            "quarantine": len(cleaned.quarantine),
            "fit": len(data.fit),
            "validation": len(data.validation),
            "holdout": len(data.holdout),
        },
        source=dict(options.source),
    )
