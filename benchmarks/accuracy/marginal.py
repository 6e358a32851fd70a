"""Coalition estimators at equal numbers of evaluations, where the truth is known; and their error bars.

Games: `benchmarks.accuracy.games`. Error: mean of |phi' - phi| / |phi| (Euclidean) over rows, models and plans. Time:
CPU milliseconds per row; of ours, the reading of the values only; of peers, the model's calls too, as they cannot be
taken apart.

    python -m benchmarks.accuracy.marginal [--quick]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from ascribe.core.adjusted import read
from ascribe.core.estimators import make_plan
from benchmarks.accuracy.games import Game, marginal_games, sparse_game, table_of

__all__ = ["cells"]

Numbers = dict[str, float]
OURS = ("auto", "odd", "unanimity", "trees", "leverage", "kernel", "permutation")
PEERS = ("shap_kernel", "shap_kernel_default", "shap_permutation", "shap_sampling")
BUDGETS = {12: (128, 512, 2048), 20: (256, 1024, 4096)}
CALIBRATED = ("auto", "odd", "unanimity", "leverage", "kernel")
CALIBRATION_BUDGETS = (64, 128, 256, 512, 1024, 2048)
MODELS = 2
SPARSE_BUDGET = 4000


def ours(game: Game, p: int, estimator: str, budget: int, seed: int) -> tuple[np.ndarray, float]:
    """phi and CPU seconds of the reading."""
    plan = make_plan(estimator, p, budget, seed)
    v = game.value(plan.S)
    begin = time.process_time()
    phi = read(plan, v).phi(v)
    return phi, time.process_time() - begin


def peer(game: Game, p: int, name: str, budget: int, seed: int) -> tuple[np.ndarray, float]:
    """The same of shap's explainers, with the model behind them."""
    import shap

    x, predict, background = game.x, game.predict, game.background
    begin = time.process_time()
    if name.startswith("shap_kernel"):
        np.random.seed(seed)  # shap draws from the global state
        more = {"l1_reg": False} if name == "shap_kernel" else {}
        phi = shap.KernelExplainer(predict, background).shap_values(x, nsamples=budget, silent=True, **more)
    elif name == "shap_permutation":
        masker = shap.maskers.Independent(background, max_samples=len(background))
        explain = shap.explainers.Permutation(predict, masker, seed=seed)
        phi = explain(x[None], max_evals=max(budget, 2 * p + 1), silent=True).values[0]
    else:
        np.random.seed(seed)
        # it counts rows of the model: one background row for each evaluation
        phi = shap.SamplingExplainer(predict, background).shap_values(x, nsamples=budget * len(background), silent=True)
    return np.asarray(phi, dtype=float).reshape(-1), time.process_time() - begin


def accuracy(kind: str, d: int, estimator: str, budget: int, repeats: int = 1) -> Numbers:
    """Relative error and time over both models' rows."""
    run = peer if estimator in PEERS else ours
    errors, seconds = [], []
    for model in range(MODELS):
        for game in marginal_games(kind, d, model):
            for seed in range(repeats):
                phi, spent = run(game, d, estimator, budget, seed)
                errors.append(np.linalg.norm(phi - game.phi) / np.linalg.norm(game.phi))
                seconds.append(spent)
    return {"error": float(np.mean(errors)), "cpu_ms": float(np.median(seconds) * 1e3)}


def sparse(n: int, estimator: str, seeds: int) -> Numbers:
    """Relative error over games."""
    errors, seconds = [], []
    for seed in range(seeds):
        game = sparse_game(n, seed)
        phi, spent = ours(game, n, estimator, SPARSE_BUDGET, seed)
        errors.append(np.linalg.norm(phi - game.phi) / np.linalg.norm(game.phi))
        seconds.append(spent)
    return {"error": float(np.mean(errors)), "cpu_ms": float(np.median(seconds) * 1e3)}


def calibration(kind: str, estimator: str, budget: int, seeds: int, rows: int = 4) -> Numbers:
    """Coverage of phi' +- 1.96 se, RMS error / RMS se (pooled), and both for the worst rows; 12 players."""
    p = 12
    error, admitted = np.empty((2, rows, seeds, p))
    for row, game in enumerate(marginal_games(kind, p, 0)[:rows]):
        value = table_of(game, p)
        for seed in range(seeds):
            plan = make_plan(estimator, p, budget, seed)
            v = value[plan.S @ (1 << np.arange(p))]
            found = read(plan, v)
            error[row, seed] = found.phi(v) - game.phi
            admitted[row, seed] = np.sqrt((found.deviations**2).sum(axis=0))
    covered = (np.abs(error) <= 1.96 * admitted).mean(axis=2)  # (rows, seeds)
    ratio = np.sqrt((error**2).mean(axis=(1, 2)) / (admitted**2).mean(axis=(1, 2)))
    return {
        "coverage": float(covered.mean()),
        "coverage_se": float(covered.mean(axis=0).std(ddof=1) / np.sqrt(seeds)),
        "coverage_least": float(covered.mean(axis=1).min()),
        "coverage_most": float(covered.mean(axis=1).max()),
        "ratio": float(np.sqrt((error**2).mean() / (admitted**2).mean())),
        "ratio_least": float(ratio.min()),
        "ratio_most": float(ratio.max()),
    }


def cells(quick: bool = False) -> list[tuple[str, Callable[[], Numbers]]]:
    """Each cell's name and how to fill it."""
    out: list[tuple[str, Callable[[], Numbers]]] = []
    for d, budgets in BUDGETS.items():
        if quick and d > 12:
            continue
        for kind in ("mlp", "gbm"):
            for budget in budgets[:2] if quick else budgets:
                out += [
                    (f"marginal_{kind}{d}_{budget}_{name}", partial(accuracy, kind, d, name, budget))
                    for name in OURS + PEERS
                ]
    for n, seeds in ((30, 3),) if quick else ((30, 30), (100, 5)):
        out += [(f"sparse_{n}_{name}", partial(sparse, n, name, seeds)) for name in OURS]
    for kind in ("mlp",) if quick else ("mlp", "gbm"):
        for budget in (128,) if quick else CALIBRATION_BUDGETS:
            out += [
                (
                    f"calibration_{kind}12_{budget}_{name}",
                    partial(calibration, kind, name, budget, 20 if quick else 200),
                )
                for name in CALIBRATED
            ]
    return out


def main() -> None:
    for name, fill in cells("--quick" in sys.argv):
        print(f"{name:42s}", "  ".join(f"{key} {value:.5g}" for key, value in fill().items()), flush=True)


if __name__ == "__main__":
    main()
