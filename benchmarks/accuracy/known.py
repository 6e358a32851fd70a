"""Cells where the truth is known: one method in one world, all functions of that world.

    mae = mean |phi^ - phi|,   v_rmse over inner coalitions,   rank: Spearman's per row,   coverage of phi^ +- 1.96 se

Methods are fitted on `DRAWS` draws of training rows, since on one of them a method may be better than another by luck.
Coverage counts the misfit of the method as error too. The base value is the mean of f over the training rows, the same
number on both sides (the explainers of shap have their own, the mean over 100 of them).
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
from scipy.stats import rankdata

import ascribe
from benchmarks.accuracy.learned import completed, values_of
from benchmarks.accuracy.methods import CONDITIONALS, MARGINAL, VALUES
from benchmarks.accuracy.regressions import REGRESSIONS
from benchmarks.accuracy.settings import SETTINGS, Setting, made, setting
from benchmarks.accuracy.truth import coalitions, kept_values, shapley_matrix

__all__ = ["cells", "judged", "one"]

CHUNK = 10  # rows that share their noise: errors of the draws would not average out over rows otherwise
VALUE_ROWS = 20  # rows whose v is compared
DRAWS = 3  # of training rows, where f does not depend on them
FIXED = ("exact", "independent")  # more rows, or others, change next to nothing
METHODS = ("exact", *(name for name in CONDITIONALS if name != "combined_copula"), *REGRESSIONS, *MARGINAL)
PUBLISHED = ("exact", *CONDITIONALS, "forest", "boosting")
QUICK = ("gaussian8_rho50", "mixed7", "E3_c3")


def cells(quick: bool = False) -> list[tuple[str, str, Any]]:
    """(group, name, callable)."""
    found = []
    for s in SETTINGS:
        if quick and s.name not in QUICK:
            continue
        for rows in s.rows[:1] if quick else s.rows:
            for method in METHODS if s.group == "truth" else PUBLISHED:
                for draw in range(1 if quick or s.per_rows or rows < s.rows[-1] or method in FIXED else DRAWS):
                    label = f"{s.name}_{rows}_{method}" + f"_draw{draw}" * bool(draw)
                    count = 30 if quick else 40 if s.group == "truth" else 100
                    found.append((s.group, label, partial(one, s.name, rows, method, count, draw)))
    return found


def one(name: str, rows: int, method: str, count: int, draw: int = 0) -> dict[str, Any]:
    """The numbers of a cell; that of `emshap` has the other value functions over the same fit."""
    s = setting(name)
    world, train, X = s.world(), s.training(rows, draw), s.explicands(count)
    W, S = shapley_matrix(world.n), coalitions(world.n)
    begin = time.process_time()
    conditional = (
        world.law(train) if method == "exact" else CONDITIONALS[method](train) if method in CONDITIONALS else None
    )
    fit_s = time.process_time() - begin
    answer: dict[str, Any] = {
        "world": name, "rows": rows, "method": method, "n": world.n, "samples": s.samples, "explicands": count,
        "draw": draw, "functions": {},
    }  # fmt: skip
    for label, f in made(s, train).items():
        base, fx = float(f(train).mean()), f(X)
        V = kept_values(f"{name}_{label}" + f"_{rows}" * s.per_rows, world, f, X, s.draws)
        full = np.column_stack([np.full(count, base), V, fx])
        phi = full @ W.T
        held: dict[str, dict[str, Any]] = {}
        if conditional is not None:
            held[method] = _by_completions(f, X, train, conditional, s, phi, V) | {"fit_s": fit_s}
            if method == "emshap" and s.group == "truth":  # the recipes compare conditionals
                held |= _more_values(f, X, train, conditional, s, phi, fit_s)
        elif method in REGRESSIONS:
            begin = time.process_time()
            g = REGRESSIONS[method](train, f(train))
            middle = time.process_time()
            found = g.values(X, S[1:-1])
            timings = {"fit_s": middle - begin, "row_s": (time.process_time() - middle) / count}
            full[:, 1:-1] = found
            held[method] = judged(full @ W.T, phi) | timings | {"v_rmse": _rms(found - V)}
        else:
            background = train[np.random.default_rng(3).choice(len(train), 100, replace=False)]
            begin = time.process_time()
            values = MARGINAL[method](f, background, X)
            held[method] = judged(values, phi) | {"fit_s": 0.0, "row_s": (time.process_time() - begin) / count}
        answer["functions"][label] = held
    return answer


def judged(values: np.ndarray, phi: np.ndarray, stderr: np.ndarray | None = None) -> dict[str, Any]:
    """Errors of Shapley values (b, n) against the truth."""
    error = values - phi
    ranks = [rankdata(part, axis=1) - (phi.shape[1] + 1) / 2 for part in (values, phi)]
    spread = np.sqrt((ranks[0] ** 2).sum(axis=1) * (ranks[1] ** 2).sum(axis=1))
    held = {
        "mae": float(np.abs(error).mean()),
        "mae_rows": np.abs(error).mean(axis=1).round(6).tolist(),
        "mean_abs_phi": float(np.abs(phi).mean()),
        "rms_error": _rms(error),
        "rank": float(np.mean((ranks[0] * ranks[1]).sum(axis=1) / np.where(spread > 0, spread, 1))),
    }
    if stderr is not None and stderr.any():  # a surrogate states none
        held["rms_stderr"] = _rms(stderr)
        held["coverage"] = float((np.abs(error) <= 1.96 * stderr + 1e-12).mean())
    return held


def _by_completions(
    f: Any, X: np.ndarray, train: np.ndarray, conditional: Any, s: Setting, phi: np.ndarray, V: np.ndarray
) -> dict[str, Any]:
    begin = time.process_time()
    asked = {"conditional": conditional, "background": train, "estimator": "exact", "samples": s.samples}
    asked["value"] = "completions"
    values, stderr = _explained(f, X, asked)
    seconds = time.process_time() - begin
    found = values_of(completed(f, conditional, s.samples), X[:VALUE_ROWS], coalitions(X.shape[1])[1:-1])
    return judged(values, phi, stderr) | {"row_s": seconds / len(X), "v_rmse": _rms(found - V[:VALUE_ROWS])}


def _more_values(
    f: Any, X: np.ndarray, train: np.ndarray, conditional: Any, s: Setting, phi: np.ndarray, fit_s: float
) -> dict[str, dict[str, Any]]:
    """The other value functions over the same fit; their first call fits the surrogate to f."""
    held: dict[str, dict[str, Any]] = {}
    asked = {"conditional": conditional, "background": train, "estimator": "exact", "samples": s.samples}
    for value in VALUES:
        begin = time.process_time()
        chosen = ascribe.explain(f, X[:1], value=value, **asked).info.value
        middle = time.process_time()
        if chosen in held:  # `auto` is one of the others
            held[value] = held[chosen]
            continue
        values, stderr = _explained(f, X, asked | {"value": value})
        fit_s += middle - begin if value == VALUES[0] else 0.0
        row_s = (time.process_time() - middle) / len(X)
        held[value] = judged(values, phi, stderr) | {"fit_s": fit_s, "row_s": row_s, "value": chosen}
    return held


def _explained(f: Any, X: np.ndarray, asked: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Values and stated errors (b, n), `CHUNK` rows at a time."""
    parts = [ascribe.explain(f, X[k : k + CHUNK], seed=k, **asked) for k in range(0, len(X), CHUNK)]
    return np.vstack([a.values for a in parts]), np.vstack([a.stderr for a in parts])


def _rms(x: np.ndarray) -> float:
    return float(np.sqrt((np.asarray(x) ** 2).mean()))
