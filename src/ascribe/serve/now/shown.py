"""Tracks as answers: numbers of one node, in the shapes that `messages` has."""

from __future__ import annotations

import time
from math import isfinite

import numpy as np

from ascribe.core.attribution import STATUS
from ascribe.serve.now.messages import FeatureNow, NodeNow
from ascribe.serve.now.rings import Columns
from ascribe.serve.now.series import Series
from ascribe.serve.now.track import shares_of
from ascribe.serve.telemetry import STALE_S

__all__ = ["by_group", "features_of", "listed_numbers", "node_now", "number", "rows_of_features", "status_of"]

WORDS = tuple(STATUS)
SPARK = 60
GAP = 0.01  # of the prediction that a method may leave over unsaid


def node_now(series: Series, name: str, drifted: bool, spark: bool = True) -> NodeNow:
    """The newest moment of a node; `series.lock` is held."""
    (rows, reason), track = series.newest(name), series.tracks.get(name)
    groups, errors = by_group(series, rows)
    t_us, status = int(rows["t_us"][0]), status_of(rows)[0]
    stale = time.time() - t_us / 1e6 > STALE_S
    measured, prediction = number(rows["measured"][0]), number(rows["prediction"][0])
    odd = {status: status != "ok", "gap": _gap(rows), "drift": drifted, "stale": stale}
    return NodeNow(
        name, t_us, measured, prediction, number(rows["base"][0]) if prediction is not None else None,
        None if measured is None or prediction is None else measured - prediction,
        {g: column[0] for g, column in groups.items()}, {g: column[0] for g, column in errors.items()},
        status, reason, [word for word, is_so in odd.items() if is_so], stale,
        listed_numbers(track.fine.last(SPARK, "prediction")) if spark and track else [],
    )  # fmt: skip


def by_group(series: Series, rows: Columns) -> tuple[dict[str, list[float | None]], dict[str, list[float | None]]]:
    """Shares and their errors as columns by group: base + sum over groups = prediction."""
    found, errors = shares_of(rows) @ series.member, rows["group_stderr"]
    names = list(series.groups)
    return (
        {g: listed_numbers(found[:, k]) for k, g in enumerate(names)},
        {g: listed_numbers(errors[:, k]) for k, g in enumerate(names)},
    )


def rows_of_features(series: Series, rows: Columns) -> list[FeatureNow]:
    """The first row's features, the largest shares first."""
    shares = shares_of(rows)[0]
    home = {j: group for group, columns in series.groups.items() for j in columns}
    order = np.argsort(-np.abs(shares), kind="stable").tolist()
    return [
        FeatureNow(
            series.features[j].name, home[j], series.features[j].unit, number(rows["X"][0, j]), number(shares[j]),
            number(rows["stderr"][0, j]),
        )
        for j in order
    ]  # fmt: skip


def status_of(rows: Columns) -> list[str]:
    """Words of `core.attribution.STATUS`."""
    return [WORDS[k] for k in rows["status"].tolist()]


def number(value: float) -> float | None:
    """None where there is none."""
    return float(value) if np.isfinite(value) else None


def listed_numbers(column: np.ndarray) -> list[float | None]:
    """A column as a list, None where there is no number."""
    numbers: list[float] = column.astype(float).tolist()
    return [number if isfinite(number) else None for number in numbers]


def _gap(rows: Columns) -> bool:
    """Whether what was spread over the shares is more than a rounding."""
    f = rows["prediction"][0]
    left = f - rows["base"][0] - rows["values"][0].astype(float).sum()
    return bool(np.isfinite(left) and abs(left) > GAP * max(1.0, abs(f)))


def features_of(series: Series) -> dict[str, list[str]]:
    """Names of the features of each group."""
    return {group: [series.features[j].name for j in columns] for group, columns in series.groups.items()}
