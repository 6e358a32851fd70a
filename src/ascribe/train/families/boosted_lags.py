"""Boosted trees that are asked for each step of the horizon with the step as a feature.

    row of (window, step):  step, time of day, kind of day, same time of each day, their mean, latest levels; as
                            (value - mean) / swing of the window
    target:                 (y - same time yesterday) / swing;     loss: absolute error

LightGBM; the number of trees is chosen on blocks of time held out in turn. No graph says it in the form that forecasts
are served in, so it is compared and never served.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import torch

from ascribe.core.forecast import Series, Window
from ascribe.train.forecasting.band import LEVELS, offsets
from ascribe.train.forecasting.fitted import FittedForecast
from ascribe.train.forecasting.past import CLOCK, Past
from ascribe.train.forecasting.windows import Windows, windows
from ascribe.train.loop import Progress

__all__ = ["BoostedOptions", "fit_boosted_lags"]


@dataclass(frozen=True)
class BoostedOptions:
    """`rows`: of (window, step) that trees are fitted on, drawn; `rounds`: at most. Small trees: a season is short."""

    rounds: int = 200
    leaves: int = 8
    rate: float = 0.05
    windows: int = 2500
    rows: int = 120_000


def fit_boosted_lags(
    series: Series, window: Window, until: int, *, seed: int = 0, progress: Progress | None = None,
    options: BoostedOptions | None = None,
) -> FittedForecast:  # fmt: skip
    """Deterministic for a seed. Raises InputError for a context of less than a day, or too short a training part."""
    options = options or BoostedOptions()
    past = Past(window)
    seen = windows(series, window, until, options.windows)
    param = {
        "objective": "l1", "learning_rate": options.rate, "num_leaves": options.leaves, "min_data_in_leaf": 50,
        "feature_fraction": 0.8, "bagging_fraction": 0.8, "bagging_freq": 1, "seed": seed, "verbose": -1,
        "num_threads": torch.get_num_threads(), "deterministic": True, "force_row_wise": True,
    }  # fmt: skip
    drawn = np.random.default_rng(seed)
    curves, boosters = [], []
    for k, (fit, held) in enumerate(seen.folds):
        data = lightgbm.Dataset(*_part(past, seen.X[fit], seen.y[fit], options.rows, drawn))
        other = lightgbm.Dataset(*_part(past, seen.X[held], seen.y[held], options.rows, drawn), reference=data)
        curve: dict[str, Any] = {}
        calls = [lightgbm.record_evaluation(curve)]
        boosters.append(lightgbm.train(param, data, options.rounds, valid_sets=[other], callbacks=calls))
        curves.append(curve["valid_0"]["l1"])
        if progress:
            progress((k + 1) / (len(seen.folds) + 1), f"block {k + 1}")
    rounds = 1 + int(np.argmin(np.mean(curves, axis=0)))
    band = offsets(_missed(past, seen, boosters, rounds))
    booster = lightgbm.train(param, lightgbm.Dataset(*_part(past, seen.X, seen.y, options.rows, drawn)), rounds)
    if progress:
        progress(1.0, f"{rounds} rounds")

    def ask(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        f, swing = _point(past, booster, X, rounds)
        return np.maximum(f, seen.least), np.maximum(f[:, :, None] + swing[:, :, None] * band, seen.least)

    told = {"rounds": rounds, "windows": len(seen.at), "error_by_round": np.mean(curves, axis=0)[9::10].tolist()}
    return FittedForecast("boosted_lags", ask, LEVELS, None, told)


def _point(past: Past, booster: lightgbm.Booster, X: np.ndarray, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Forecast (b, h) and swing (b, 1)."""
    Z, last, swing = _asked(past, X)
    told = np.asarray(booster.predict(Z, num_iteration=rounds)).reshape(len(X), -1)
    return last + swing * told, swing


def _missed(past: Past, seen: Windows, boosters: list[lightgbm.Booster], rounds: int) -> np.ndarray:
    """(o, h): (y - f) / swing by the trees of the blocks that do not hold a window; NaN for one that lies in two."""
    found = np.full(seen.y.shape, np.nan)
    for (_, held), booster in zip(seen.folds, boosters, strict=True):
        f, swing = _point(past, booster, seen.X[held], rounds)
        found[held] = (seen.y[held] - f) / swing
    return found


def _part(
    past: Past, X: np.ndarray, y: np.ndarray, most: int, drawn: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    Z, last, swing = _asked(past, X)
    wanted = ((y - last) / swing).reshape(-1)
    good = np.flatnonzero(np.isfinite(wanted))
    if len(good) > most:
        good = np.sort(drawn.choice(good, most, replace=False))
    return Z[good], wanted[good]


def _asked(past: Past, X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Z (b h, p), same time yesterday (b, h), swing (b, 1)."""
    with torch.no_grad():
        x = torch.tensor(np.asarray(X, np.float32))
        v = past.values(x)
        swing, middle = past.swing(v), v.mean(dim=1, keepdim=True)
        sized = (v - middle) / swing
        same, recent = past.same_time(sized).transpose(1, 2), past.recent(sized)
        b, h, _ = same.shape
        step = torch.arange(h, dtype=x.dtype).expand(b, h).unsqueeze(2)
        clock = x.new_zeros((b, h, 2))
        if past.clocked:
            last = x.reshape(b, past.window.context, -1)[:, -1]
            turn = torch.atan2(*(last[:, past.window.inputs.index(name)] for name in CLOCK[:2])).unsqueeze(1)
            turn = turn + 2 * np.pi * (step[:, :, 0] + 1) / past.day
            clock = torch.stack([turn.sin(), turn.cos()], dim=2)
        parts = [step, clock, past.kinds(x), same, same.mean(dim=2, keepdim=True), same[:, :, -1:] - same.mean(2, True)]
        Z = torch.cat([*parts, recent.unsqueeze(1).expand(-1, h, -1)], dim=2)
        yesterday = past.same_time(v)[:, -1]
    return Z.reshape(b * h, -1).numpy(), yesterday.double().numpy(), swing.double().numpy()
