"""A response as the answer that pictures are drawn from: a file of it says what `ascribe explain` would write."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ascribe.core.answer import Answer
from ascribe.core.attribution import Attribution, Info, based
from ascribe.core.features import Feature
from ascribe.serve.messages import AttributionResponse
from ascribe.serve.rows import Row, check

__all__ = ["answer_of"]


def answer_of(told: AttributionResponse, rows: Sequence[Row], features: Sequence[Feature]) -> Answer:
    """Of a table: the same numbers, and beside them the rows (b, n) as the model took them (NaN: it did not)."""
    held = told.attributions
    values, stderr = (
        np.array([[_number(row.get(name)) for name in told.features] for row in part], float).reshape(len(held), -1)
        for part in ([row.attribution_shares for row in held], [row.stderr for row in held])
    )
    bases = np.array([_number(row.base_value) for row in held], float)
    base, by_row = (told.base_value, None) if told.base_value is not None else based(bases)
    info = Info(
        told.method, told.game, told.value, told.estimator, told.budget, told.samples, told.seed, told.tier, told.unit,
        told.output, told.version, told.space, told.gaps,
    )  # fmt: skip
    X = check([Row(r.id, r.names, r.values, r.units, None, r.problem) for r in rows], features, told.unit).X
    a = Attribution(
        values, float(base), np.array([_number(row.prediction) for row in held], float), stderr,
        np.array([np.inf if row.ess is None else row.ess for row in held], float),
        np.array([row.status for row in held]), tuple(row.reason for row in held), tuple(told.features), X, info,
        tuple(f.name for f in features), base_values=by_row,
    )  # fmt: skip
    ids = tuple(row.id for row in held)
    return Answer(a, tuple(features), ids if any(ids) else ())


def _number(value: float | None) -> float:
    return np.nan if value is None else value
