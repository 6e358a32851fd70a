"""Is a tier slower than production's? Both in one process on the machine that judges, call by call in turn, so that
whatever else the machine does falls on both.

A tier is slower where its calls take `SLOWER` times as long as production's and longer than the tier may take at all
(`MAY_TAKE_MS` a row): a refit may choose another value function, and a tree costs more than a network, which a caller
of that tier need not notice. Both must hold for the median and for the fastest call: another process on the machine
lengthens some calls, a slower graph lengthens all.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np

from ascribe.bundle.gate.compare import Said
from ascribe.core import tiers
from ascribe.core.model import Model
from ascribe.core.options import Options

__all__ = ["SLOWER", "Pace", "paces", "told"]

SLOWER = 3.0
MAY_TAKE_MS = {"fast": 1.0, "balanced": 20.0, "accurate": 200.0, "exact": 400.0}  # a row, on the judging machine
TURNS, ENOUGH_S, FEWEST = 9, 3.0, 3
ROWS = 16  # of a call, and fewer where it would take longer than
LONG_MS, TOO_LONG_MS = 200.0, 1000.0  # where one row takes so long, one call must do


@dataclass(frozen=True)
class Pace:
    """Milliseconds of a call of `rows` rows: medians and fastest."""

    rows: int
    candidate_ms: float
    production_ms: float
    candidate_least_ms: float
    production_least_ms: float

    def slower(self, allowed_ms: float = 0.0) -> bool:
        """Beyond the factor, and beyond what so many rows may take."""
        pairs = ((self.candidate_ms, self.production_ms), (self.candidate_least_ms, self.production_least_ms))
        return all(mine > max(SLOWER * theirs, allowed_ms) for mine, theirs in pairs)


def paces(candidate: Model, production: Model, X: np.ndarray) -> dict[str, Pace]:
    """By tier, of those that both offer. X: rows (rows, n) that can be answered."""
    both = [tier for tier in tiers.offered(production) if tier in tiers.offered(candidate)]
    batch = np.resize(X, (ROWS, X.shape[1]))
    return {tier: _pace(tier, candidate, production, batch) for tier in both}


def told(found: dict[str, Pace], said: Said) -> None:
    """Reasons for and against."""
    for tier, pace in found.items():
        slower = pace.slower(MAY_TAKE_MS[tier] * pace.rows)
        word = f"slower by more than {SLOWER:g} times" if slower else "fast enough"
        times = f"{pace.candidate_ms:.3g} ms for {pace.rows} rows, {pace.production_ms:.3g} now"
        said.say(not slower, f"tier {tier} is {word}: {times}")


def _pace(tier: str, candidate: Model, production: Model, batch: np.ndarray) -> Pace:
    begin = time.perf_counter()
    opened = [_call(model, tier, batch[:1]) for model in (candidate, production)]  # what is opened at first use
    if max(opened) > TOO_LONG_MS:
        return Pace(1, *opened, *opened)
    one = max(_call(model, tier, batch[:1]) for model in (candidate, production))
    batch = batch[: max(1, min(ROWS, int(LONG_MS / one)))]
    mine: list[float] = []
    theirs: list[float] = []
    while len(mine) < TURNS and (len(mine) < FEWEST or time.perf_counter() - begin < ENOUGH_S):
        mine.append(_call(candidate, tier, batch))
        theirs.append(_call(production, tier, batch))
    return Pace(len(batch), statistics.median(mine), statistics.median(theirs), min(mine), min(theirs))


def _call(model: Model, tier: str, batch: np.ndarray) -> float:
    begin = time.perf_counter()
    tiers.explain(model, batch, "conditional_shap", Options(), tier)
    return (time.perf_counter() - begin) * 1e3
