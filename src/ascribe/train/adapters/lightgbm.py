"""LightGBM: boosters as text. Serving needs no lightgbm: a graph, or the trees themselves."""

from __future__ import annotations

import re
from pathlib import Path

import lightgbm
import numpy as np

from ascribe.core.errors import InputError
from ascribe.train.adapters.adopted import Adopted, Asked
from ascribe.train.adapters.lightgbm_trees import lightgbm_trees
from ascribe.train.adapters.of_trees import of_trees

__all__ = ["read"]

NAMELESS = re.compile(r"Column_\d+")  # how LightGBM calls the columns of an array


def read(path: Path, asked: Asked) -> Adopted:
    """Names of features, and categories of frames that it was trained on, are the file's. Raises InputError."""
    try:
        text = path.read_text()
        whole = "\nend of trees" in text and ("\nparameters:" not in text or "\nend of parameters" in text)
        if not text.startswith("tree") or not whole:  # lightgbm itself falls over a torn one
            raise InputError(f"{path} is no LightGBM model, or is not whole: save it with Booster.save_model")
        booster = lightgbm.Booster(model_str=text)
    except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as exc:
        raise InputError(f"{path} is no LightGBM model, or is not whole: save it with Booster.save_model") from exc
    names = booster.feature_name()

    def ask(X: np.ndarray) -> dict[str, np.ndarray]:
        return {"margin": np.asarray(booster.predict(X, raw_score=True)), "prediction": np.asarray(booster.predict(X))}

    sets = [
        name for name, told in zip(names, _infos(text), strict=False) if told != "none" and not told.startswith("[")
    ]
    if booster.pandas_categorical and len(booster.pandas_categorical) == len(sets):
        categories = {
            name: [str(w) for w in words] for name, words in zip(sets, booster.pandas_categorical, strict=True)
        }
    else:
        categories = {}
    known = None if all(NAMELESS.fullmatch(name) for name in names) else names
    return of_trees("lightgbm", lightgbm_trees(text), ask, known, categories, asked)


def _infos(text: str) -> list[str]:
    """What the file says of each feature: `[low:high]`, categories `0:1:2`, or none."""
    found = re.search(r"^feature_infos=(.*)$", text, re.MULTILINE)
    return found[1].split() if found else []
