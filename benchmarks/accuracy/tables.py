"""Cells of real tables: MSE_v of each way to v(S), row by row, so that methods can be compared in pairs.

    MSE_v(row) = mean over 32 random proper S of (f(x) - v(S))^2

The same 200 held-out rows and the same coalitions (of each row its own) for all methods, 64 completions. It equals
E Var(f | x_S) + error of v + Var/64, so only differences between methods mean something (Olsen et al. 2022, eq. 12).
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np

from benchmarks.accuracy.data import TABLES, Table, table
from benchmarks.accuracy.functions import boosted
from benchmarks.accuracy.learned import completed, played
from benchmarks.accuracy.methods import CONDITIONALS, VALUES
from benchmarks.accuracy.regressions import REGRESSIONS

__all__ = ["cells", "one"]

ROWS, COALITIONS, SAMPLES = 200, 32, 64
METHODS = ("independent", "gaussian", "copula", "empirical", "combined", "emshap", *REGRESSIONS)
QUICK = ("abalone",)


def cells(quick: bool = False) -> list[tuple[str, str, Any]]:
    """(group, name, callable)."""
    return [
        ("tables", f"{name}_{method}", partial(one, name, method, 30 if quick else ROWS))
        for name in (QUICK if quick else TABLES)
        for method in METHODS
    ]


def one(name: str, method: str, count: int = ROWS) -> dict[str, Any]:
    """`methods`: per name, `mse_v` (rows,), seconds to fit and per row. The cell of `emshap` has its value functions
    too, over one fit.
    """
    t = table(name)
    f = explained(t)
    rng = np.random.default_rng(7)
    X = t.X_held[rng.permutation(len(t.X_held))[:ROWS]][:count]
    n = X.shape[1]
    size = rng.integers(1, n, size=(len(X), COALITIONS, 1))
    S = rng.random((len(X), COALITIONS, n)).argsort(axis=2).argsort(axis=2) < size
    fx, rest = f(X), f(t.X_held)
    V: dict[str, np.ndarray] = {}
    times: dict[str, tuple[float, float]] = {}  # seconds to fit, seconds to answer
    extra: dict[str, Any] = {}
    begin = time.process_time()
    if method in REGRESSIONS:
        g = REGRESSIONS[method](t.X, f(t.X))
        middle = time.process_time()
        V[method] = np.array([g.values(x[None], s)[0] for x, s in zip(X, S, strict=True)])
        times[method] = (middle - begin, time.process_time() - middle)
    else:
        law = CONDITIONALS[method](t.X)
        law_s = time.process_time() - begin
        games, extra = played(f, law, SAMPLES) if method == "emshap" else ({method: completed(f, law, SAMPLES)}, {})
        all_s = time.process_time() - begin  # with the surrogate
        for label, game in games.items():
            middle = time.process_time()
            V[label] = np.array([game.values(x, s).v for x, s in zip(X, S, strict=True)])
            times[label] = (all_s if label in VALUES else law_s, time.process_time() - middle)
    held: dict[str, Any] = {}
    for label, v in V.items():
        held[label] = {
            "mse_v": [float(f"{e:.6g}") for e in ((fx[:, None] - v) ** 2).mean(axis=1)],
            "fit_s": times[label][0],
            "row_s": times[label][1] / len(X),
        }
    unexplained = float(((t.y_held - rest) ** 2).mean() / t.y_held.var())
    return {
        "table": name, "n": n, "rows": len(t.X), "r2": 1 - unexplained, "variance": float(rest.var()), "methods": held,
    } | extra  # fmt: skip


def explained(t: Table) -> Any:
    """Boosted trees fitted on the training rows; a probability where the target is 0 or 1."""
    return boosted(t.X, t.y, 200, 0.1, 6, logistic=set(np.unique(t.y)) == {0.0, 1.0})
