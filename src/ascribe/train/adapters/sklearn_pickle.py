"""Run as a process of its own: open a pickle of scikit-learn, convert it, leave what was found in a folder.

    python -m ascribe.train.adapters.sklearn_pickle FILE FOLDER

FOLDER holds `rows.arrow` and gets `told.json` (error, features, labels, gaps: it answers rows with NaN, graphs),
`answers.npz` (answer: probabilities or decisions (rows, k) of a classifier, else predictions) and `trees.npz` or ONNX
files: single numbers, then double.
"""

from __future__ import annotations

import json
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import sklearn.base
import sklearn.utils
from sklearn.pipeline import Pipeline

from ascribe.core.errors import InputError
from ascribe.train.adapters.sklearn_trees import sklearn_trees
from ascribe.train.npz import npz

__all__ = ["main"]


def main(path: Path, folder: Path) -> dict[str, Any]:
    """What `told.json` will say."""
    model = _opened(path)
    if isinstance(model, str):
        return {"error": model, "kind": "input"}
    frame = pl.read_ipc(folder / "rows.arrow")
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        if absent := [name for name in names if name not in frame.columns]:
            return {"error": f"the background has no column {', '.join(absent[:8])}", "kind": "input"}
        frame = frame.select([str(name) for name in names])
    elif getattr(model, "n_features_in_", frame.width) != frame.width:
        text = (
            f"the model takes {model.n_features_in_} features and names none, the background has {frame.width} columns"
        )
        return {"error": f"{text}: name them with --features, and the target with --target", "kind": "input"}
    classes = [str(label) for label in getattr(model, "classes_", [])] if sklearn.base.is_classifier(model) else []
    kept = np.arange(frame.height)
    try:
        answer = _asked(model, frame, bool(classes))
    except Exception as exc:  # whatever a model may raise
        kept = np.flatnonzero(~frame.select(pl.any_horizontal(pl.all().is_null())).to_series().to_numpy())
        try:  # perhaps it takes no gaps
            answer = _asked(model, frame[kept], bool(classes))
        except Exception:
            why = " ".join(str(exc).split())[:200]
            return {"error": f"it cannot answer the background rows ({why})", "kind": "input"}
    np.savez(folder / "answers.npz", answer=np.asarray(answer, dtype=float), kept=kept)
    gaps = bool(sklearn.utils.get_tags(model).input_tags.allow_nan)
    told: dict[str, Any] = {"error": "", "features": frame.columns, "labels": classes, "gaps": gaps, "graphs": []}
    try:
        (folder / "trees.npz").write_bytes(npz(**sklearn_trees(model).to_arrays()))
    except InputError:  # no trees: it is converted
        graphs, why = _converted(model, frame, folder)
        if not graphs:
            return {"error": f"skl2onnx cannot convert it ({why})", "kind": "conversion"}
        told["graphs"] = graphs
    return told


def _asked(model: Any, frame: pl.DataFrame, classifies: bool) -> np.ndarray:
    X = frame if hasattr(model, "feature_names_in_") else frame.to_numpy()
    if not classifies:
        return np.asarray(model.predict(X))
    if hasattr(model, "predict_proba"):
        return np.asarray(model.predict_proba(X))
    held = np.asarray(model.decision_function(X))
    return np.stack([-held, held], axis=1) if held.ndim == 1 else held  # one decision is that for the second class


def _opened(path: Path) -> Any:
    """The model, or why there is none."""
    import joblib

    try:
        model = joblib.load(path)
    except Exception as exc:  # whatever a pickle may raise
        return f"it cannot be opened ({type(exc).__name__}: {' '.join(str(exc).split())[:160]})"
    if not isinstance(model, sklearn.base.BaseEstimator) or not hasattr(model, "predict"):
        return f"it holds {type(model).__name__}, which is no fitted model of scikit-learn"
    return model


def _converted(model: Any, frame: pl.DataFrame, folder: Path) -> tuple[list[str], str]:
    """Files of graphs, and why there are none."""
    try:
        from skl2onnx import to_onnx
        from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
    except ModuleNotFoundError as exc:
        return [], f"{exc.name} is missing: pip install 'ascribe[train]'"

    named = hasattr(model, "feature_names_in_") and isinstance(model, Pipeline)
    files, why = [], ""
    for (name, kind), (j, options) in product(
        (("single", FloatTensorType), ("double", DoubleTensorType)), enumerate(_options(model))
    ):
        types = [("x", kind([None, frame.width]))]
        if named:
            types = [
                (column, StringTensorType([None, 1]) if frame[column].dtype == pl.String else kind([None, 1]))
                for column in frame.columns
            ]
        try:
            graph = to_onnx(
                model, initial_types=types, options={id(model): options} if options else None,
                target_opset={"": 20, "ai.onnx.ml": 3},
            )  # fmt: skip
        except Exception as exc:  # skl2onnx's errors share no base class
            why = " ".join(str(exc).split())[:200]
            continue
        files.append(f"{name}{j}.onnx")
        (folder / files[-1]).write_bytes(graph.SerializeToString())
    return files, why


def _options(model: Any) -> list[dict[str, bool]]:
    """What skl2onnx may be told. Not every kind of classifier without probabilities knows all of it, and some give
    their decisions with the sign turned around unless they are told raw ones: which graph is right is seen later.
    """
    if not sklearn.base.is_classifier(model):
        return [{}]
    plain = {"zipmap": False}
    return [plain] if hasattr(model, "predict_proba") else [plain, plain | {"raw_scores": True}, {"raw_scores": True}]


if __name__ == "__main__":
    place = Path(sys.argv[2])
    (place / "told.json").write_text(json.dumps(main(Path(sys.argv[1]), place)))
