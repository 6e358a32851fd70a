"""Screening: which vectors may enter the lake, and why the others may not. Pure; what is refused is kept as it came."""

from __future__ import annotations

from math import inf

import numpy as np

from ascribe.bundle.state import part_of
from ascribe.core.features import Feature
from ascribe.train.definitions import POWER, WATTS, FeatureSet
from ascribe.train.vectors import Vectors

__all__ = ["screen"]

EARLIEST_US = 946_684_800_000_000  # 2000-01-01: a clock that was never set says 1970
AHEAD_US = 86_400_000_000  # a day: time zones that were mixed up
MOST_QUOTED = 240  # bytes of a node as folder and blob of a directory, which takes 255 with what stands around it


def screen(vectors: Vectors, known: FeatureSet | None, now_us: int) -> tuple[np.ndarray, list[str]]:
    """`good (rows,)`, and a reason for each row, empty where it is good; the first one found, in this order: no id or
    no node; a node whose name is too long for a folder; a time that cannot be; power out of bounds; a defined feature
    missing; not a number; out of its bounds.

    A feature that no definition names may be anything finite, or absent.
    """
    reasons = [""] * len(vectors)
    watts = next((f for f in known.features if f.name == POWER), WATTS) if known else WATTS
    for word, said in (("id", vectors.id), ("node", vectors.node)):
        if not all(said):
            _say(reasons, np.array([not name for name in said]), lambda _, word=word: f"{word} is empty")
    if long := {node for node in set(vectors.node) if _too_long(node)}:
        too_long = np.array([node in long for node in vectors.node])
        _say(reasons, too_long, lambda i: f"node has too long a name ({len(vectors.node[i])} letters): shorten it")
    early, late = vectors.timestamp < EARLIEST_US, vectors.timestamp > now_us + AHEAD_US
    _say(
        reasons,
        early,
        lambda i: f"timestamp lies before 2000, or is not in --time-unit ({vectors.timestamp[i] / 1e6:.0f} s)",
    )
    _say(reasons, late, lambda i: f"timestamp lies more than a day ahead ({vectors.timestamp[i] / 1e6:.0f} s)")
    power = vectors.power_w
    bad = np.isinf(power) | (power < watts.low) | (power > watts.high)
    _say(reasons, bad, lambda i: _outside(watts, float(power[i])))
    _features(vectors, {f.name: f for f in known.features} if known else {}, reasons)
    return np.array([not reason for reason in reasons], bool), reasons


def _features(vectors: Vectors, known: dict[str, Feature], reasons: list[str]) -> None:
    X, n = vectors.X, len(vectors.names)
    if lacking := [name for name in known if name not in vectors.names and name != POWER]:
        _say(reasons, np.ones(len(X), bool), lambda _: f"missing value in {lacking[0]}")
        return
    defined = [known.get(name) for name in vectors.names]
    low = np.array([-inf if f is None else f.low for f in defined])
    high = np.array([inf if f is None else f.high for f in defined])
    required = np.array([f is not None for f in defined], bool).reshape(n)
    with np.errstate(invalid="ignore"):
        missing = np.isnan(X)
        bad = (missing & required) | np.isinf(X) | (low > X) | (high < X)

    def why(i: int) -> str:
        j = int(np.flatnonzero(bad[i])[0])
        f = defined[j] or Feature(vectors.names[j])
        if missing[i, j]:
            return f"missing value in {f.name}"
        return f"not a number in {f.name} ({X[i, j]})" if np.isinf(X[i, j]) else _outside(f, X[i, j])

    _say(reasons, bad.any(axis=1), why)


def _too_long(node: str) -> bool:
    """Where the state and the lake keep its name, at most three bytes for each byte of it: asked of all, so the short
    ones are let through first.
    """
    return 3 * len(node.encode()) > MOST_QUOTED and len(part_of(node)) > MOST_QUOTED


def _outside(f: Feature, value: float) -> str:
    word = "impossible percentage" if f.unit == "percent" else "out of range"
    return f"{word} in {f.name} ({value:g}{f.after}, possible {f.low:g}..{f.high:g})"


def _say(reasons: list[str], bad: np.ndarray, why: object) -> None:
    for i in np.flatnonzero(bad):
        reasons[i] = reasons[i] or why(i)  # type: ignore[operator]
