"""A window of a node's past, in as many points as are wanted."""

from __future__ import annotations

import numpy as np

from ascribe.core.attribution import STATUS
from ascribe.serve.now.rings import Columns
from ascribe.serve.now.track import OK, Track

__all__ = ["at", "window"]

MINUTE_S = 60.0
SEVERITY = np.array([list(STATUS).index(w) for w in ("ok", "above_target", "low_ess", "out_of_domain", "not_finite", "invalid")])  # noqa: E501  # fmt: skip


def window(track: Track, from_us: int, to_us: int, points: int) -> Columns:
    """Minutes, then moments, with `mean_s`: what each is the mean of, in seconds (0: it is a moment). More than
    `points` are put together, as many neighbours each. The lock of the series is held.
    """
    minutes, moments = track.minutes(from_us, to_us), track.fine.window(max(from_us, track.split_us()), to_us)
    minutes["mean_s"], moments["mean_s"] = np.full(len(minutes["t_us"]), MINUTE_S), np.zeros(len(moments["t_us"]))
    rows = {name: np.concatenate([minutes[name], moments[name]]) for name in moments}
    k = len(rows["t_us"])
    return rows if k <= points else _fewer(rows, -(-k // points))


def at(track: Track, when_us: int) -> Columns:
    """The moment nearest to a time, or the minute's mean where no moments of then are kept."""
    row = track.fine.nearest(when_us)
    old = track.minutes(0, 1 << 62)
    row["mean_s"] = np.zeros(1)
    if len(old["t_us"]):
        j = int(np.argmin(np.abs(old["t_us"] - when_us)))
        if abs(int(old["t_us"][j]) - when_us) < abs(int(row["t_us"][0]) - when_us):
            return {n: old[n][j : j + 1] for n in row if n in old} | {"mean_s": np.full(1, MINUTE_S)}
    return row


def _fewer(rows: Columns, each: int) -> Columns:
    """Means of `each` neighbours; those without an answer, or without a meter, are left out of theirs. The status is
    the gravest; a mean of moments says what time they span.
    """
    t = rows["t_us"]
    first = np.arange(0, len(t), each)
    last = np.minimum(first + each, len(t)) - 1
    answered = np.isfinite(rows["prediction"])
    whole = answered & np.isfinite(rows["measured"])
    found: Columns = {}
    for name, column in rows.items():
        if name in ("t_us", "status", "version", "mean_s"):
            continue
        good = whole if name == "measured" else answered
        shape = (-1, *[1] * (column.ndim - 1))
        filled = np.where(good.reshape(shape), column.astype(float), 0.0)
        count = np.add.reduceat(good.astype(float), first).reshape(shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            found[name] = np.where(count > 0, np.add.reduceat(filled, first, axis=0) / count, np.nan)
    found["t_us"] = t[first] + (t[last] - t[first]) // 2
    rank = np.argsort(SEVERITY)
    found["status"] = SEVERITY[np.maximum.reduceat(rank[rows["status"]], first)] if len(t) else np.zeros(0, int) + OK
    found["version"] = rows["version"][last]
    found["mean_s"] = (t[last] - t[first]) / 1e6 + rows["mean_s"][last]
    return found
