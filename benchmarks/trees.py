"""TreeSHAP of both games beside xgboost, LightGBM, shap and woodelf: rows a second and differences, one thread each.

10,000 rows, 300 trees of depth 6 (LightGBM: 63 leaves) on california housing and adult, missing values included. Ours
from the booster: `first` reads its trees, makes the tables and answers, `again` has them. Interventional: 10,000
background rows for ours and woodelf, which count them; 100 for shap, which meets every pair. xgboost, LightGBM and shap
answer fewer rows, the same for all of them; their work is proportional to rows. In processor time, one after another.

woodelf has an environment of its own, since its releases follow other ones of numpy and pandas:

    python -m venv .cache/peers/woodelf
    .cache/peers/woodelf/bin/pip install woodelf_explainer==0.4.8 xgboost lightgbm
    python -m benchmarks.trees [--quick]
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import polars as pl
import shap
import xgboost

from ascribe.core.trees import interactions, interventional, path_dependent
from ascribe.train.adapters.lightgbm_trees import lightgbm_trees
from ascribe.train.adapters.xgboost_trees import xgboost_trees
from benchmarks.record import keep

HOME = Path(__file__).parent
DATA = HOME.parent / "examples" / "data"
WOODELF = HOME.parent / ".cache" / "peers" / "woodelf" / "bin" / "python"
SIZE = {"rows": 10_000, "trees": 300, "few": 500, "met": 200, "meeting": 100}
QUICK = {"rows": 1_000, "trees": 30, "few": 100, "met": 50, "meeting": 20}


def table(name: str, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """X as numbers, single precision, categories numbered; y."""
    target = {"adult": "income", "california_housing": "median_house_value"}[name]
    frame = pl.read_csv(DATA / f"{name}.csv.gz", null_values=["", "?"]).sample(rows, seed=0)
    y = frame[target] == ">50K" if name == "adult" else frame[target] / 1e5
    held = frame.drop(target)
    columns = [c.cast(pl.Categorical).to_physical() if c.dtype == pl.String else c for c in held.iter_columns()]
    X = np.stack([c.cast(pl.Float64).to_numpy() for c in columns], axis=1).astype(np.float32)
    return X, y.cast(pl.Float64).to_numpy()


def of_xgboost(X: np.ndarray, y: np.ndarray, classes: bool, trees: int) -> tuple[Any, Callable, Callable, Callable]:
    """Booster, what reads its trees, its own contributions (b, n) and interactions (b, n, n)."""
    objective = "binary:logistic" if classes else "reg:squarederror"
    param = {"max_depth": 6, "eta": 0.1, "nthread": 1, "seed": 0, "objective": objective}
    booster = xgboost.train(param, xgboost.DMatrix(X, y), trees)
    booster.feature_names = [f"x{j}" for j in range(X.shape[1])]

    def of(Z: np.ndarray) -> xgboost.DMatrix:
        return xgboost.DMatrix(Z, feature_names=booster.feature_names, nthread=1)

    return (
        booster, lambda: xgboost_trees(booster), lambda Z: booster.predict(of(Z), pred_contribs=True)[:, :-1],
        lambda Z: booster.predict(of(Z), pred_interactions=True)[:, :-1, :-1],
    )  # fmt: skip


def of_lightgbm(X: np.ndarray, y: np.ndarray, classes: bool, trees: int) -> tuple[Any, Callable, Callable, None]:
    """Likewise; LightGBM has no interactions."""
    param = {"num_leaves": 63, "learning_rate": 0.1, "num_threads": 1, "seed": 0, "verbose": -1}
    param["objective"] = "binary" if classes else "regression"
    names = [f"x{j}" for j in range(X.shape[1])]
    booster = lightgbm.train(param, lightgbm.Dataset(X, y, feature_name=names), trees)
    return booster, lambda: lightgbm_trees(booster), lambda Z: booster.predict(Z, pred_contrib=True)[:, :-1], None


LIBRARIES = {"xgboost": of_xgboost, "lightgbm": of_lightgbm}


def timed(way: Callable[[], Any]) -> tuple[Any, float]:
    begin = time.process_time()
    found = way()
    return found, time.process_time() - begin


def gap(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours[: len(theirs)] - theirs).max())


def woodelf(booster: Any, library: str, X: np.ndarray) -> dict[str, dict[str, Any]] | None:
    """Both games by woodelf in its own environment: seconds and values by game; None where it is not installed."""
    if not WOODELF.exists():
        return None
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        np.save(place / "x.npy", X)
        booster.save_model(place / "model.json")
        script = HOME / "trees_woodelf.py"
        subprocess.run([WOODELF, script, library, place], check=True, capture_output=True)
        seconds = json.loads((place / "seconds.json").read_text())
        return {game: {"s": s, "values": np.load(place / f"{game}.npy")} for game, s in seconds.items()}


def compare(library: str, name: str, size: dict[str, int]) -> dict[str, Any]:
    """Rows a second of everybody on one model, and the largest differences from ours."""
    X, y = table(name, size["rows"])
    booster, read, contributions, pairs = LIBRARIES[library](X, y, name == "adult", size["trees"])
    trees, reading = timed(read)
    few, met, meeting = X[: size["few"]], X[: size["met"]], X[-size["meeting"] :]
    result: dict[str, Any] = {"rows_per_s": {}, "gap": {}}
    speed, gaps = result["rows_per_s"], result["gap"]

    def told(who: str, rows: int, seconds: float) -> None:
        speed[who] = rows / seconds
        print(f"  {who:<34} {rows / seconds:12,.0f} rows/s", flush=True)

    made: dict[str, Any] = {}
    ours: dict[str, np.ndarray] = {}
    ways = {"path": lambda: path_dependent(trees), "interventional": lambda: interventional(trees, X)}
    for game, make in ways.items():
        made[game], preparing = timed(make)
        ours[game], answering = timed(lambda game=game: made[game](X))
        told(f"{game}: first", len(X), reading + preparing + answering)
        told(f"{game}: again", len(X), answering)
    _, seconds = timed(lambda: path_dependent(trees)(few))
    told(f"path: first, {len(few)} rows", len(few), reading + seconds)
    theirs, seconds = timed(lambda: contributions(few))
    told(f"path: {library}", len(few), seconds)
    gaps[f"path: {library}"] = gap(ours["path"], theirs)
    explainer = shap.TreeExplainer(booster, feature_perturbation="tree_path_dependent")
    theirs, seconds = timed(lambda: explainer.shap_values(few, check_additivity=False))
    told("path: shap", len(few), seconds)
    gaps["path: shap"] = gap(ours["path"], theirs)
    explainer = shap.TreeExplainer(booster, meeting, feature_perturbation="interventional")
    theirs, seconds = timed(lambda: explainer.shap_values(met, check_additivity=False))
    told(f"interventional: shap, {len(meeting)} rows", len(met), seconds)
    gaps["interventional: shap"] = gap(interventional(trees, meeting)(met), theirs)
    for game, found in (woodelf(booster, library, X) or {}).items():
        told(f"{game}: woodelf", len(X), found["s"])
        gaps[f"{game}: woodelf"] = gap(ours[game], found["values"])
        result[f"ratio_woodelf_{game}"] = speed[f"{game}: first"] / speed[f"{game}: woodelf"]
    both, seconds = timed(lambda: interactions(trees)(few))
    told("interactions: first", len(few), seconds)
    if pairs is not None:
        theirs, seconds = timed(lambda: pairs(met[:50]))
        told(f"interactions: {library}", 50, seconds)
        gaps[f"interactions: {library}"] = gap(both, theirs)
    print("  differences " + "  ".join(f"{who} {value:.1e}" for who, value in gaps.items()))
    return result


def growth(size: dict[str, int]) -> dict[str, float]:
    """Seconds of interventional values by rows x background rows: sums, not products."""
    X, y = table("california_housing", size["rows"])
    _, read, _, _ = of_xgboost(X, y, False, size["trees"])
    trees = read()
    held = {}
    for rows in (len(X) // 10, len(X)):
        for background in (len(X) // 10, len(X)):
            _, held[f"{rows} x {background}"] = timed(lambda r=rows, k=background: interventional(trees, X[:k])(X[:r]))
    print("  seconds by rows x background  " + "  ".join(f"{k}: {s:.2f}" for k, s in held.items()))
    return held


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    size = QUICK if quick else SIZE
    results: dict[str, Any] = {}
    for name in ("california_housing", "adult"):
        for library in LIBRARIES:
            print(f"{library}, {name}", flush=True)
            results[f"{library}_{name}"] = compare(library, name, size)
    results["growth_s"] = growth(size)
    versions = {library.__name__: library.__version__ for library in (xgboost, lightgbm, shap)}
    if not WOODELF.exists():
        print("woodelf is not there: see the first lines of this file")
    print(keep("trees", {"size": size, "versions": versions, **results}, quick))


if __name__ == "__main__":
    main()
