"""Answers for pictures and sentences as messages: a value for each number of a row, and a classifier's scores."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from typing import Any

import numpy as np

from ascribe.core.attribution import Attribution
from ascribe.core.layout import Layout
from ascribe.serve import messages as wire
from ascribe.serve.rows import Checked

__all__ = ["attributions", "best"]


def attributions(answer: Attribution, layout: Layout, checked: Checked) -> Iterator[wire.Attribution]:
    """Of the rows that were asked, in their order. No name is written for each of many pixels: `values` are in the
    order of the layout; words are told.
    """
    base = answer.bases.tolist()
    for k, i in enumerate(checked.good):
        values, errors = answer.values[k], answer.stderr[k]
        answered = bool(np.isfinite(values).all())
        spread = answered and bool(np.isfinite(errors).all()) and bool((errors > 0).any())
        yield wire.Attribution(
            id=checked.ids[i],
            status=str(answer.status[k]),
            reason=answer.reasons[k],
            prediction=_finite(answer.prediction[k]),
            base_value=_finite(base[k]) if answered else None,
            ess=_finite(answer.ess[k]),
            values=values.tolist() if answered else [],
            stderr_values=errors.tolist() if spread else [],
            words=_words(layout, answer.data[k]) if answered and layout.kind == "text" else [],
        )


def best(scores: np.ndarray, names: tuple[str, ...], k: int) -> list[list[wire.Score]]:
    """The `k` largest of scores (a, outputs), ties in the outputs' order; what is no number is left out."""
    found = []
    for row in scores:
        order = np.argsort(-row, kind="stable")[: min(k, len(names))].tolist()
        found.append([wire.Score(names[j], float(row[j])) for j in order if isfinite(row[j])])
    return found


def _words(layout: Layout, row: np.ndarray) -> list[str]:
    held = layout.words
    return [held[int(number)] if 0 <= number < len(held) else "" for number in row.tolist()]


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if isfinite(number) else None
