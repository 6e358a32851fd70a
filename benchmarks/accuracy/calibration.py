"""Cells of calibration: do intervals hold what they say, about the same fit's own answer with everything spent on it?

    coverage = share of phi_fit inside `interval(.95)`,      ratio = RMS error / RMS se

phi_fit: all coalitions and 16,384 completions of the same fitted conditional (its misfit is another matter: cells of
`known` count it). Eight features with all coalitions; twelve with sampled ones, so that both errors are in play.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import ascribe
from benchmarks.accuracy.functions import gam
from benchmarks.accuracy.learned import completed, values_of
from benchmarks.accuracy.methods import CONDITIONALS
from benchmarks.accuracy.truth import coalitions, shapley_matrix
from benchmarks.accuracy.worlds import gaussian

__all__ = ["cells", "one"]

SEEDS, REFERENCE = 200, 16_384


@dataclass(frozen=True)
class Spent:
    """`n` features, `rows` explicands, `budget` coalitions (None: all), `samples` completions; or a wanted error."""

    n: int
    rows: int
    budget: int | None = None
    samples: int = 64
    target_stderr: float | None = None

    @property
    def name(self) -> str:
        if self.target_stderr is not None:
            return f"n{self.n}_target{self.target_stderr:g}"
        return f"n{self.n}_{'all' if self.budget is None else self.budget}x{self.samples}"


SPENT = (
    *(Spent(8, 8, None, samples) for samples in (16, 64, 256)),
    *(Spent(12, 4, budget, 64) for budget in (64, 256, 1024, 2048)),
    Spent(12, 4, 512, 16),
    Spent(8, 8, target_stderr=0.02),
)


def cells(quick: bool = False) -> list[tuple[str, str, Any]]:
    """(group, name, callable): one fit and all that is spent on it."""
    return [
        ("calibration", f"n{n}_{method}", partial(one, n, method, 20 if quick else SEEDS))
        for n in ((8,) if quick else (8, 12))
        for method in ("emshap",)
    ]


def one(n: int, method: str, seeds: int = SEEDS, reference: int = REFERENCE) -> dict[str, Any]:
    """By what was spent: coverage and ratio, whole and row by row."""
    world = gaussian(n, 0.5)
    train, f = world.sample(2000, 1), gam(n)
    spent = [s for s in SPENT if s.n == n]
    X = world.sample(max(s.rows for s in spent), 2)
    law = CONDITIONALS[method](train)
    base = float(f(train).mean())
    V = values_of(completed(f, law, reference, seed=10**6), X, coalitions(n)[1:-1])
    phi = np.column_stack([np.full(len(X), base), V, f(X)]) @ shapley_matrix(n).T
    answer: dict[str, Any] = {"n": n, "method": method, "seeds": seeds, "spent": {}}
    for s in spent:
        asked: dict[str, Any] = {"budget": s.budget, "samples": s.samples}
        asked["estimator"] = "exact" if s.budget is None else "auto"
        if s.target_stderr is not None:
            asked = {"target_stderr": s.target_stderr}
        asked["value"] = "completions"
        found = [ascribe.explain(f, X, conditional=law, background=train, seed=k, **asked) for k in range(seeds)]
        error = np.array([a.values for a in found]) - phi
        stderr = np.array([a.stderr for a in found])
        half = np.array([a.interval(0.95)[1] - a.values for a in found])
        answer["spent"][s.name] = _calibrated(error, stderr, half) | {"used": found[0].info.estimator}
    return answer


def _calibrated(error: np.ndarray, stderr: np.ndarray, half: np.ndarray) -> dict[str, Any]:
    """`error`, `stderr`, half the width of the interval: (seeds, rows, n)."""
    inside = np.abs(error) <= half
    ratio = np.sqrt((error**2).mean(axis=(0, 2)) / (stderr**2).mean(axis=(0, 2)))
    return {
        "coverage": float(inside.mean()),
        "coverage_normal": float((np.abs(error) <= 1.96 * stderr).mean()),
        "coverage_rows": inside.mean(axis=(0, 2)).round(4).tolist(),
        "rms_error": float(np.sqrt((error**2).mean())),
        "rms_stderr": float(np.sqrt((stderr**2).mean())),
        "ratio": float(np.sqrt((error**2).mean() / (stderr**2).mean())),
        "ratio_rows": ratio.round(4).tolist(),
    }
