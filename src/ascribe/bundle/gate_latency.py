"""Is a tier slower than production's? Both in one process on the machine that judges, call by call in turn, so that
whatever else the machine does falls on both.

A tier is slower where the median of its calls is above `SLOWER` times production's **and** its fastest call is too:
another process on the machine lengthens some calls, a slower graph lengthens all.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np

from ascribe.bundle.gate_compare import Said
from ascribe.core import tiers
from ascribe.core.model import Model
from ascribe.core.shapley import Options

__all__ = ["SLOWER", "Pace", "paces", "told"]

SLOWER = 1.5
TURNS, ENOUGH_S, FEWEST = 9, 3.0, 3
BATCH = 16


@dataclass(frozen=True)
class Pace:
    """Milliseconds of a call of `BATCH` rows: medians and fastest."""

    candidate_ms: float
    production_ms: float
    candidate_least_ms: float
    production_least_ms: float

    @property
    def slower(self) -> bool:
        return (
            self.candidate_ms > SLOWER * self.production_ms
            and self.candidate_least_ms > SLOWER * self.production_least_ms
        )


def paces(candidate: Model, production: Model, X: np.ndarray) -> dict[str, Pace]:
    """By tier, of those that both offer. X: rows (rows, n) that can be answered."""
    both = [tier for tier in tiers.offered(production) if tier in tiers.offered(candidate)]
    batch = np.resize(X, (BATCH, X.shape[1]))
    return {tier: _pace(tier, candidate, production, batch) for tier in both}


def told(found: dict[str, Pace], said: Said) -> None:
    """Reasons for and against."""
    for tier, pace in found.items():
        text = f"{pace.candidate_ms:.3g} ms for {BATCH} rows against {pace.production_ms:.3g}"
        if pace.slower:
            said.say(False, f"tier {tier} is slower by more than {SLOWER:g} times: {text}")
        else:
            said.say(True, f"tier {tier} is no slower: {text}")


def _pace(tier: str, candidate: Model, production: Model, batch: np.ndarray) -> Pace:
    spent: dict[str, list[float]] = {"candidate": [], "production": []}
    begin = time.perf_counter()
    for model in (candidate, production):
        _call(model, tier, batch[:1])  # opens what is opened at first use
    while len(spent["candidate"]) < TURNS:
        if len(spent["candidate"]) >= FEWEST and time.perf_counter() - begin > ENOUGH_S:
            break
        spent["candidate"].append(_call(candidate, tier, batch))
        spent["production"].append(_call(production, tier, batch))
    mine, theirs = spent["candidate"], spent["production"]
    return Pace(statistics.median(mine), statistics.median(theirs), min(mine), min(theirs))


def _call(model: Model, tier: str, batch: np.ndarray) -> float:
    begin = time.perf_counter()
    tiers.explain(model, batch, "conditional_shap", Options(), tier)
    return (time.perf_counter() - begin) * 1e3
