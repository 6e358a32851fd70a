"""scikit-learn: pickles of fitted models and pipelines, only where the caller allows it.

A pickle may run anything when it is opened, so that is done once, at import, in a process of its own
(`sklearn_pickle`); what comes back is ONNX, npz and JSON, and no bundle holds a pickle.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.feather

from ascribe.bundle.networks import Graph
from ascribe.core.arrays import evenly
from ascribe.core.errors import BundleError, CapabilityError, InputError
from ascribe.core.trees import Trees, margin, predict
from ascribe.train.adapters.adopted import Adopted, Asked
from ascribe.train.adapters.of_trees import of_trees
from ascribe.train.adapters.onnx import of_model
from ascribe.train.graphs.parity import same

__all__ = ["read"]

ROWS = 256  # whose answers the library gives
AT_MOST_S = 600


def read(path: Path, asked: Asked) -> Adopted:
    """Raises InputError for a pickle that is not allowed or cannot be opened, CapabilityError for a model that skl2onnx
    cannot convert.
    """
    if not asked.allow_pickle:
        raise InputError(
            f"{path} is a pickle, which may run anything when it is opened: if you trust where it comes from, say "
            "--allow-pickle, and it is opened once, in a process of its own"
        )
    table = _chosen(asked)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        pyarrow.feather.write_feather(table, str(folder / "rows.arrow"), compression="uncompressed")
        command = [sys.executable, "-m", "ascribe.train.adapters.sklearn_pickle", str(path.resolve()), place]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=AT_MOST_S, check=False)
        except subprocess.TimeoutExpired as exc:
            raise InputError(f"{path} could not be opened and converted within {AT_MOST_S} s") from exc
        if not (folder / "told.json").is_file():
            last = (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
            raise InputError(f"{path} cannot be opened ({last[:200]})")
        told = json.loads((folder / "told.json").read_text())
        if told["error"]:
            kinds = {"conversion": CapabilityError}
            raise kinds.get(told["kind"], InputError)(f"{path}: {told['error']}")
        answers = _arrays((folder / "answers.npz").read_bytes())
        table = table.take(answers["kept"])
        if (folder / "trees.npz").is_file():
            trees = Trees.of(_arrays((folder / "trees.npz").read_bytes()))
            return _of_trees(trees, answers, told, asked, table)
        graphs = [onnx.load(str(folder / name)) for name in told["graphs"]]
    return _converted(graphs, answers, told, asked, table, str(path))


def _chosen(asked: Asked) -> pa.Table:
    """Columns of the background that the model may take, rows evenly spread."""
    names = asked.features or tuple(name for name in asked.background.columns() if name != asked.target)
    table = asked.background.table
    assert table is not None
    if absent := [name for name in names if name not in table.column_names]:
        raise InputError(f"{asked.background.path} has no column {', '.join(absent)}")
    return table.select(list(names)).take(evenly(table.num_rows, ROWS))


def _arrays(raw: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(raw), allow_pickle=False) as held:
        return {name: held[name] for name in held.files}


def _of_trees(
    trees: Trees, answers: dict[str, np.ndarray], told: dict[str, Any], asked: Asked, table: pa.Table
) -> Adopted:
    """The library's answers are those for the rows that it was asked; of others its trees speak."""
    names = told["features"]
    rows = np.column_stack([table[name].to_numpy() for name in names]).astype(float)

    def library(X: np.ndarray) -> dict[str, np.ndarray]:
        m, p = margin(trees, X), predict(trees, X)
        return {"margin": m[:, 0] if m.shape[1] == 1 else m, "prediction": p[:, 0] if p.shape[1] == 1 else p}

    found = of_trees("sklearn", trees, library, names, {}, asked, labels=tuple(told["labels"]))
    found = replace(found, features=tuple(replace(f, missing=told["gaps"]) for f in found.features))
    good = np.isfinite(answers["answer"].reshape(len(rows), -1)).all(axis=1)
    mine = found.ask(rows[good])
    name = "probability" if found.outputs else "prediction"
    wanted = answers["answer"][good]
    gap = same({name: mine[name]}, {name: wanted.reshape(mine[name].shape)}, "scikit-learn")
    return replace(found, origin={**found.origin, "parity": gap})


def _converted(
    graphs: list[onnx.ModelProto],
    answers: dict[str, np.ndarray],
    told: dict[str, Any],
    asked: Asked,
    table: pa.Table,
    what: str,
) -> Adopted:
    """The first graph, of single or of double numbers, that says what the library says."""
    refused: BundleError | None = None
    for model in graphs:
        own = replace(asked, labels=asked.labels or tuple(told["labels"]), features=tuple(told["features"]))
        found = of_model(model, own, what, "sklearn")
        features = own.background.features(told["features"], {}, {}, False)
        X = replace(own.background, table=table).rows(features)
        name = "probability" if "probability" in found.spaces else found.spaces[0] if found.spaces else "prediction"
        assert found.graph is not None
        whole = np.isfinite(X).all(axis=1)  # rows with gaps are refused before the graph sees them
        mine = Graph(found.graph, "the converted model")([name], x=X[whole])[0]
        wanted = answers["answer"][whole]
        wanted = wanted.reshape(mine.shape) if wanted.size == mine.size else wanted
        try:
            gap = same({name: mine}, {name: wanted}, "scikit-learn")
        except BundleError as exc:
            refused = exc
            continue
        return replace(found, origin={**found.origin, "parity": gap})
    assert refused is not None
    raise refused
