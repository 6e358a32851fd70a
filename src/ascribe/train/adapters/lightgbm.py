"""LightGBM: boosters as text. Serving needs no lightgbm: a graph, or the trees themselves."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import lightgbm
import numpy as np

from ascribe.core.errors import InputError
from ascribe.core.words import listed
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

    categories, warnings = _categories(names, text, booster.pandas_categorical or [], asked)
    known = None if all(NAMELESS.fullmatch(name) for name in names) else names
    return of_trees("lightgbm", lightgbm_trees(text), ask, known, categories, asked, warnings)


def _categories(
    names: Sequence[str], text: str, words: Sequence[Sequence[object]], asked: Asked
) -> tuple[dict[str, list[str]], tuple[str, ...]]:
    """Texts by feature, and warnings. The file keeps a list for each column of categories of the frame that it was
    trained on, in order, and not whose; columns of whole numbers that were named as categorical have none.

    Raises InputError where a list could be several columns' and a column of texts needs it.
    """
    if not words:
        return {}, ()
    sets = [names[j] for j in _sets(text) if j < len(names)]
    texts = [name for name in sets if asked.background.holds_texts(name)]
    held = sets if len(sets) == len(words) else texts
    if len(held) == len(words):
        return {name: [str(w) for w in own] for name, own in zip(held, words, strict=True)}, ()
    told = f"the file has categories of {len(words)} columns, and does not say of which of {listed(sets)}"
    if texts:
        raise InputError(f"{told}: give the background all of those as texts, or their codes as numbers")
    return {}, (f"{told}: numbers are taken as their codes",)


def _sets(text: str) -> list[int]:
    """Numbers of the features that are sets of categories, also of those that no tree could use."""
    if told := re.search(r"^\[categorical_feature: ([\d,]+)\]$", text, re.MULTILINE):
        return sorted({int(j) for j in told[1].split(",") if j})
    return [j for j, told in enumerate(_infos(text)) if told != "none" and not told.startswith("[")]


def _infos(text: str) -> list[str]:
    """What the file says of each feature: `[low:high]`, categories `0:1:2`, or none."""
    found = re.search(r"^feature_infos=(.*)$", text, re.MULTILINE)
    return found[1].split() if found else []
