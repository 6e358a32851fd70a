"""Somebody's model in, a bundle out: read, described by background rows, compared with its library, written."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ascribe.bundle import archive, manifest
from ascribe.bundle.networks import Graph
from ascribe.bundle.runtime import load
from ascribe.core.errors import BundleError, InputError, NotFound
from ascribe.core.features import Feature, check_rows
from ascribe.core.model import PREDICTED, Model
from ascribe.core.trees import Trees, margin, predict
from ascribe.core.words import listed, quoted
from ascribe.train.adapters import read_model
from ascribe.train.adapters.adopted import Adopted, Asked
from ascribe.train.adapters.background import ranged
from ascribe.train.adopted.insides import insides
from ascribe.train.adopted.rows import held_rows, kept_rows, labelled_rows, scored
from ascribe.train.graphs.parity import same
from ascribe.train.npz import npz
from ascribe.train.units import describe, read_units
from ascribe.train.watch import Watcher

__all__ = ["AdoptOptions", "Report", "adopt"]

SHORT = 4096  # numbers of a row that the manifest still holds as its example
FRAMEWORK = {"torch": "torch", "xgboost": "xgboost", "lightgbm": "lightgbm", "sklearn": "scikit-learn", "onnx": "onnx"}


@dataclass(frozen=True)
class AdoptOptions:
    """`file`: the model. `asked`: what else the caller says of it, with its background. `units`: a file of them."""

    file: Path
    asked: Asked
    out: Path
    units: Path | None = None
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What came out."""

    version: str
    model: Model
    parity: float
    metrics: dict[str, Any]
    warnings: tuple[str, ...]


def adopt(options: AdoptOptions, watch: Watcher | None = None) -> Report:
    """Write one bundle into `options.out`.

    Raises InputError (SchemaError) for a file, options or a background that cannot be used, CapabilityError for an
    operator that cannot be read, BundleError where the bundle does not say what the library says.
    """
    watch, asked = watch or Watcher(), options.asked
    step = watch.progress("adopting") or (lambda done, text: None)
    step(0.0, "reading the model")
    found = read_model(options.file, asked)
    for text in found.warnings:
        watch.note(f"warning: {text}")
    units = read_units(options.units) if options.units else {}
    step(0.2, "reading the background")
    features, X, good = _rows(found, options, units)
    at = kept_rows(found.layout, X)
    step(0.3, "asking the library")
    told = found.ask(X[at])
    step(0.5, "comparing")
    parity = _compared(found, X[at], told)
    name = _explained(found, asked)
    files = _files(found, X[at])
    step(0.6, "gradients, maps and attention")
    if found.graph is not None and found.trees is None:
        more, notes = insides(found.graph, found.spaces, found.layout, X[at])
        files |= more
        for text in notes:
            watch.note(text)
    holdout, why = labelled_rows(asked, X, good, found.outputs) if found.layout.kind == "table" else (None, "")
    if why:
        watch.note(why)
    if holdout is not None:
        files["holdout.arrow"] = held_rows(features, holdout, asked.target)
    target = manifest.Target(name, "" if found.outputs else describe(name, units).unit)
    main = next(iter(told.values()))
    base = 0.0 if found.outputs else float(np.mean(main))
    whole = next((i for i in range(len(at)) if np.isfinite(X[at[i]]).all()), None)
    stored = 0 if X.shape[1] > SHORT or whole is None else whole  # of a long row, and of gaps, the background's first
    x = [] if X.shape[1] > SHORT or whole is None else X[at[stored]].astype(float).tolist()
    answer = np.ravel(_own(found, X[at[stored : stored + 1]])[found.spaces[0] if found.outputs else "prediction"])
    made = manifest.Manifest(
        format=manifest.FORMAT,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        family="adopted",
        features=[f.to_json() for f in features],
        target=target,
        roles={file.split(".")[0]: file for file in files},
        files={file: archive.entry(raw) for file, raw in files.items()},
        base_value=base,
        metrics={},
        lineage=_lineage(options, len(X), 0 if holdout is None else len(holdout[1])),
        example={"x": x, "prediction": answer.astype(float).tolist()},
        scaling={},
        labels=dict(options.labels),
        outputs=list(found.outputs),
        spaces=list(found.spaces),
        layout=_layout(found),
        preparation=dict(found.origin.get("preparation", {})),
        origin=_origin(found, options, parity),
    )
    archive.write(options.out, made, files)
    step(0.9, "opening the bundle")
    bundle = archive.open_directory(options.out)
    model = load(bundle)
    metrics: dict[str, Any] = {}
    if holdout is not None:
        metrics = {"holdout": scored(model, *holdout)}
        made = msgspec.structs.replace(made, metrics=metrics)
        archive.write_manifest(options.out, made)
    step(1.0, "done")
    return Report(made.version(), replace(model, version=made.version()), parity, metrics, found.warnings)


def _rows(
    found: Adopted, options: AdoptOptions, units: Mapping[str, Any]
) -> tuple[tuple[Feature, ...], np.ndarray, np.ndarray]:
    """Features, rows (rows, n) of the background that can be used, and which of all those are. Raises InputError where
    there are none.
    """
    background, layout = options.asked.background, found.layout
    if layout.kind != "table":
        X = background.prepared(layout, found.origin.get("preparation", {}))
        status, reasons = layout.check((), X)
        good = status != "invalid"
        if len(X) and not good.any():
            raise InputError(f"no row of {background.path} can be used: {reasons[0]}")
        return (), X[good], good
    told = {f.name: f for f in found.features}
    own = {name: f.categories for name, f in told.items() if f.categories}
    missing = all(f.missing for f in found.features)
    features = background.features([f.name for f in found.features], units, own, missing)
    X = background.rows(features)
    status, reasons = check_rows(features, X)
    good = status != "invalid"
    if not good.any():
        raise InputError(f"no row of {background.path} can be used: {reasons[0] if reasons else 'it has none'}")
    return ranged(features, X[good]), X[good], good


def _own(found: Adopted, X: np.ndarray) -> dict[str, np.ndarray]:
    """What the bundle will say."""
    if found.graph is not None:
        names = list(found.spaces) or ["prediction"]
        return dict(zip(names, Graph(found.graph, "the converted model")(names, x=X), strict=True))
    assert found.trees is not None
    if not found.outputs:
        return {"prediction": predict(found.trees, X)[:, 0]}
    held = {"margin": margin(found.trees, X), "probability": predict(found.trees, X)}
    return {space: held[space] for space in found.spaces}


def _compared(found: Adopted, X: np.ndarray, told: Mapping[str, np.ndarray]) -> float:
    """Largest difference between bundle and library, of the largest value; trees too. Raises BundleError."""
    parity = max(same(_own(found, X), told, found.kind), float(found.origin.get("parity", 0.0)))
    if found.trees is not None and found.graph is not None:
        parity = max(parity, same(_of_trees(found.trees, X, told), told, found.kind))
    return parity


def _of_trees(trees: Trees, X: np.ndarray, told: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    held = {"margin": margin(trees, X), "probability": predict(trees, X), "prediction": predict(trees, X)[:, 0]}
    return {name: held[name] for name in told}


def _explained(found: Adopted, asked: Asked) -> str:
    """The output explained unless another is asked for. Raises NotFound naming what there is."""
    if not found.outputs:
        return asked.target or "prediction"
    name = asked.output
    if name is None:
        return PREDICTED
    if name not in found.outputs and name.isdigit() and int(name) < len(found.outputs):
        return found.outputs[int(name)]
    if name not in found.outputs:
        raise NotFound(f"no output {quoted(name)}: this model has {listed(found.outputs)}")
    return name


def _files(found: Adopted, X: np.ndarray) -> dict[str, bytes]:
    """Graph, trees, words and background."""
    kinds: dict[str, type] = {"image": np.uint8, "text": np.int32}
    small: np.ndarray = X.astype(kinds.get(found.layout.kind, float))
    files = {"background.npz": npz(background=small if np.array_equal(small, X) else X)}  # pixels may have a fraction
    if found.graph is not None:
        files["predict.onnx"] = found.graph
    if found.trees is not None:
        files["trees.npz"] = npz(**found.trees.to_arrays())
    if found.layout.words:
        files["words.txt"] = "\n".join(found.layout.words).encode()
    if "predict.onnx" not in files and "trees.npz" not in files:
        raise BundleError("the model's file gives nothing that predicts: this should not happen")
    return files


def _layout(found: Adopted) -> manifest.Layout | None:
    if found.layout.kind == "table":
        return None
    return manifest.Layout(found.layout.kind, list(found.layout.shape), found.layout.padding)


def _origin(found: Adopted, options: AdoptOptions, parity: float) -> dict[str, Any]:
    raw = options.file.read_bytes()
    library = FRAMEWORK[found.kind]
    return {
        "format": found.kind,
        "file": options.file.name,
        "sha256": manifest.digest(raw),
        "library": f"{library} {version(library)}",
        "parity": parity,
        "warnings": list(found.warnings),
        "target": options.asked.target,
        **{k: v for k, v in found.origin.items() if k not in ("preparation", "parity")},
    }


def _lineage(options: AdoptOptions, rows: int, held: int) -> manifest.Lineage:
    path = options.asked.background.path
    return manifest.Lineage(
        data=path.name,
        data_sha256=manifest.digest(path.read_bytes()) if path.is_file() else "",
        code_version=version("ascribe"),
        seed=0,
        options={
            "output": options.asked.output,
            "libraries": {name: version(name) for name in ("onnx", "onnxruntime", "numpy")},
            "python": platform.python_version(),
        },
        rows={"background": rows, "holdout": held},
    )
