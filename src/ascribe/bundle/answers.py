"""An answer as a Parquet file, and back: a picture of the file alone is right.

    prediction  base_value  <player> ...  stderr_<player> ...  value_<column> ...  ess  status  reason       a table
    prediction  base_value  values  stderr  data  segments  words ...              ess  status  reason       image, text
    attention_<layer>  maps_<layer>                                                where the method looked at them

The rows of images and texts are lists of numbers in the order of the layout. What holds for all rows (method, game,
unit, output, layout, features) is JSON under the key `ascribe` of the file's schema. A name that is taken gets `_`
behind it; the JSON says which column is which.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ascribe.bundle.scored_answers import FORMAT, KEY, scored_of
from ascribe.bundle.tables import read_table, write_parquet
from ascribe.core.answer import Answer
from ascribe.core.attention import Matrices
from ascribe.core.attribution import Attribution, Info
from ascribe.core.errors import InputError
from ascribe.core.features import Feature
from ascribe.core.inside import Parts
from ascribe.core.layout import Layout

__all__ = ["read_answer", "table_of", "write_answer"]

OWN = (
    "prediction", "base_value", "ess", "status", "reason", "fit", "label", "values", "stderr", "data", "segments",
    "words",
)  # fmt: skip


def write_answer(answer: Answer, path: Path) -> Path:
    """Raises InputError if the place cannot be written."""
    write_parquet(table_of(answer), path)
    return path


def table_of(answer: Answer) -> pa.Table:
    """The answer as an Arrow table, with its metadata."""
    a, layout = answer.attribution, answer.layout
    held = _Columns()
    held.own("prediction", a.prediction)
    held.own("base_value", a.bases)
    told: dict[str, Any] = {"format": FORMAT, "players": list(a.features)}
    if layout.kind == "table":
        told["values"] = [held.add(name, a.values[:, j]) for j, name in enumerate(a.features)]
        told["stderr"] = [held.add(f"stderr_{name}", a.stderr[:, j]) for j, name in enumerate(a.features)]
        names = answer.columns or tuple(f"x{j}" for j in range(a.data.shape[1]))
        told["data"] = [held.add(f"value_{name}", a.data[:, j]) for j, name in enumerate(names)]
        told["columns"] = list(answer.columns)
    else:
        told["players"] = []
        for name, array in (("values", a.values), ("stderr", a.stderr), ("data", a.data), ("segments", a.segments)):
            if array is not None:
                told[name] = held.own(name, _lists(array))
        if layout.kind == "text":
            held.own("words", [[_word(layout, k) for k in row] for row in a.data.tolist()])
    held.own("ess", a.ess)
    held.own("status", [str(word) for word in a.status])
    held.own("reason", list(a.reasons))
    if a.fit is not None:
        told["fit"] = held.own("fit", a.fit)
    if answer.labels:
        told["label"] = held.own("label", list(answer.labels))
    told |= _inside(answer, held)
    told |= {
        "info": asdict(replace(a.info, timings={})),  # the same question gives the same bytes
        "by_row": a.base_values is not None,
        "base_value": _finite(a.base_value),
        "layout": asdict(layout) if layout.kind != "table" else None,
        "features": [f.to_json() for f in answer.features],
    }
    return pa.table(held.columns).replace_schema_metadata({KEY: json.dumps(told, allow_nan=False, default=dict)})


def read_answer(path: Path) -> Answer:
    """Raises InputError for a file that is no answer, or whose columns are not those that it names."""
    table = read_table(path)
    raw = (table.schema.metadata or {}).get(KEY)
    if raw is None:
        raise InputError(f"{path} holds no answer: write one with `ascribe explain BUNDLE ROWS -o {path.stem}.parquet`")
    try:
        told = json.loads(raw)
        if told["format"] != FORMAT:
            raise InputError(f"{path} is an answer of format {told['format']}: this version reads {FORMAT}")
        return scored_of(table, told) if told.get("scored") else _answer(table, told)
    except (KeyError, TypeError, ValueError, IndexError, pa.ArrowException) as exc:
        if isinstance(exc, InputError):
            raise
        raise InputError(f"{path} is an answer that was changed ({type(exc).__name__}: {exc}): explain again") from exc


def _answer(table: pa.Table, told: Mapping[str, Any]) -> Answer:
    b = table.num_rows
    layout = None
    if told["layout"]:
        held = told["layout"]
        layout = Layout(**held | {"shape": tuple(held["shape"]), "words": tuple(held["words"])})

    def column(name: str) -> np.ndarray:
        return np.asarray(table[name].to_numpy())

    def matrix(names: str | list[str]) -> np.ndarray:
        if isinstance(names, str):
            return _unlisted(table[names], b)
        return np.column_stack([column(name) for name in names]) if names else np.empty((b, 0))

    values, data = matrix(told["values"]), matrix(told["data"])
    info = Info(**told["info"])
    players = tuple(told["players"]) if layout is None else layout.names(())
    bases = column("base_value")
    base = told["base_value"]
    a = Attribution(
        values, np.nan if base is None else float(base), column("prediction"), matrix(told["stderr"]), column("ess"),
        np.array(table["status"].to_pylist(), dtype=str), tuple(table["reason"].to_pylist()), players, data, info,
        tuple(told["columns"]) if layout is None else (), layout=layout,
        segments=matrix("segments").astype(int) if "segments" in told else None,
        base_values=bases if told["by_row"] else None, fit=column("fit") if "fit" in told else None,
    )  # fmt: skip
    if values.shape != (b, len(players)) or (layout is not None and data.shape[1] != layout.n):
        raise InputError(f"an answer of {len(players)} players has values {values.shape}: explain again")
    labels = tuple(table[told["label"]].to_pylist()) if "label" in told else ()
    features = tuple(Feature.from_json(f) for f in told["features"])
    matrices = _matrices(table, told["attention"]) if "attention" in told else None
    maps = {m["layer"]: _unlisted(table[m["column"]], b).reshape(b, *m["shape"]) for m in told.get("maps", ())}
    return Answer(a, features, labels, matrices, maps)


def _matrices(table: pa.Table, told: Mapping[str, Any]) -> Matrices:
    b, shapes = table.num_rows, told["shapes"]

    def weights(name: str, shape: list[int]) -> np.ndarray:
        return _unlisted(table[name], b).reshape(b, *shape)

    held = tuple(weights(name, shape) for name, shape in zip(told["columns"], shapes, strict=True))
    rollout = weights(told["rollout"], shapes[0][1:]) if told["rollout"] else None
    parts = {
        name: Parts(tuple(p["query"]), tuple(p["key"]), np.array(p["key_steps"], int).reshape(-1, 2))
        for name, p in told.get("parts", {}).items()
    }
    return Matrices(tuple(told["layers"]), tuple(told["names"]), held, rollout, told["extra"], parts)


class _Columns:
    """Columns in order; a player's name that is taken gets `_` behind it."""

    def __init__(self) -> None:
        self.columns: dict[str, Any] = {}

    def own(self, name: str, values: Any) -> str:
        self.columns[name] = values
        return name

    def add(self, name: str, values: Any) -> str:
        while name in self.columns or name in OWN:
            name += "_"
        return self.own(name, values)


def _inside(answer: Answer, held: _Columns) -> dict[str, Any]:
    """Attention weights and maps of layers as list columns, with what puts them together again."""
    told: dict[str, Any] = {}
    if (m := answer.matrices) is not None:
        told["attention"] = {
            "layers": list(m.layers),
            "names": list(m.names),
            "extra": m.extra,
            "shapes": [list(w.shape[1:]) for w in m.weights],
            "columns": [held.add(f"attention_{n}", _lists(w)) for n, w in zip(m.layers, m.weights, strict=True)],
            "parts": {
                name: {"query": list(p.query), "key": list(p.key), "key_steps": p.steps.tolist()}
                for name, p in m.parts.items()
            },
            "rollout": held.add("attention_rollout", _lists(m.rollout)) if m.rollout is not None else "",
        }
    if answer.maps:
        told["maps"] = [
            {"layer": layer, "shape": list(maps.shape[1:]), "column": held.add(f"maps_{layer}", _lists(maps))}
            for layer, maps in answer.maps.items()
        ]
    return told


def _lists(array: np.ndarray) -> pa.Array:
    """Rows as lists of one length, in the array's own precision."""
    b = len(array)
    flat = np.ascontiguousarray(array).reshape(b, -1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat.reshape(-1)), flat.shape[1])


def _unlisted(column: pa.ChunkedArray, b: int) -> np.ndarray:
    whole = column.combine_chunks()
    return np.asarray(whole.flatten().to_numpy(zero_copy_only=False)).reshape(b, -1) if b else np.empty((0, 0))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _word(layout: Layout, number: float) -> str:
    return layout.words[int(number)] if number in range(len(layout.words)) else ""
