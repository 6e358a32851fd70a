"""Boosted trees that are asked for each step of the horizon with the step as a feature.

    row of (window, step):  step, time of day, kind of day, same time of each day, their mean, latest levels; as
                            (value - mean) / swing of the window
    target:                 (y - same time yesterday) / swing;     loss: absolute error

LightGBM, stopped by the error on the last quarter of the training part. No graph says it in the form that forecasts are
served in, so it is compared and never served.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
import torch

from ascribe.core.forecast import Series, Window
from ascribe.train.forecasting.band import LEVELS, offsets
from ascribe.train.forecasting.fitted import FittedForecast
from ascribe.train.forecasting.past import CLOCK, Past
from ascribe.train.forecasting.windows import windows
from ascribe.train.loop import Progress

__all__ = ["BoostedOptions", "fit_boosted_lags"]


@dataclass(frozen=True)
class BoostedOptions:
    """`rows`: of (window, step) that trees are fitted on, drawn evenly; `patience`: rounds without a better error."""

    rounds: int = 600
    patience: int = 30
    leaves: int = 31
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
    parts = {name: _part(past, seen.X[mark], seen.y[mark], options.rows, drawn)
             for name, mark in (("fit", seen.fit), ("held", seen.held))}  # fmt: skip
    data = lightgbm.Dataset(*parts["fit"])
    calls: list[Callable[..., Any]] = [lightgbm.early_stopping(options.patience, verbose=False)]
    if progress:
        calls.append(lambda env: progress((env.iteration + 1) / options.rounds, f"round {env.iteration + 1}"))
    booster = lightgbm.train(
        param, data, options.rounds, valid_sets=[lightgbm.Dataset(*parts["held"], reference=data)], callbacks=calls
    )

    def point(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        Z, last, swing = _asked(past, X)
        told = np.asarray(booster.predict(Z, num_iteration=booster.best_iteration)).reshape(len(X), -1)
        return last + swing * told, swing

    f, swing = point(seen.X[seen.held])
    band = offsets((seen.y[seen.held] - f) / swing)

    def ask(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        f, swing = point(X)
        return np.maximum(f, seen.least), np.maximum(f[:, :, None] + swing[:, :, None] * band, seen.least)

    told = {"rounds": booster.best_iteration, "windows": len(seen.at), "rows": len(parts["fit"][1])}
    return FittedForecast("boosted_lags", ask, LEVELS, None, told)


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
