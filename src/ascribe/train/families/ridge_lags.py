"""Each step of the horizon as a line in what was there at its time of day, in the size of the window, with a penalty.

    f_t(x) = level (1 + w_t . z_t(x))
    z_t    = (same time of each day, latest levels, kind of day, kind x (yesterday, last week, last hour), 1)

all of them as (value / level - 1), `level` the mean of the window: every window, and every series, is on one scale.
`w_t` (p,) is that of least absolute error with a ridge, by iterated weights (P. Holland and R. Welsch, "Robust
regression using iteratively reweighted least-squares", 1977), since it is judged by absolute error and holidays and
outages must not draw it:

    w = (Z' V Z + alpha m I)^-1 Z' V y,      V = diag 1 / max(|residual| / median |residual|, 1)

`alpha`, and whether a window's unit is its level or its swing, are chosen on blocks of time held out in turn; the band
is what was missed there; the weights that serve are then fitted on the whole training part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from ascribe.core.forecast import Series, Window
from ascribe.train.forecasting.band import LEVELS, Banded, asking, offsets
from ascribe.train.forecasting.fitted import FittedForecast
from ascribe.train.forecasting.past import Past
from ascribe.train.forecasting.windows import windows
from ascribe.train.loop import Progress

__all__ = ["RidgeOptions", "fit_ridge_lags"]

WEEK = 7
STEPS = 48  # of the horizon, that options are chosen on
HOUR = 1  # the second of the latest levels, where there are as many


@dataclass(frozen=True)
class RidgeOptions:
    """`alphas` and `units` are tried in turn; `rounds` of iterated weights, 0 for plain least squares."""

    alphas: tuple[float, ...] = (1e-4, 1e-3, 1e-2)
    units: tuple[str, ...] = ("level", "swing")
    rounds: int = 4
    windows: int = 2500


class _Lines(nn.Module):
    """x (b, n) -> f (b, h); `weights (h, p)`."""

    def __init__(self, past: Past, unit: str, weights: np.ndarray | None = None) -> None:
        super().__init__()
        self.past, self.unit = past, unit
        held = np.zeros((past.window.horizon, 1)) if weights is None else weights
        self.register_buffer("weights", torch.tensor(held, dtype=torch.float32))

    def sized(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Values in the window's own unit (b, c), what stands for 0 and for 1 (b, 1)."""
        v = self.past.values(x)
        middle = v.mean(dim=1, keepdim=True)
        unit = self.past.level(v) + 1e-9 if self.unit == "level" else self.past.swing(v)
        return (v - middle) / unit, middle, unit

    def seen(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Z (b, h, p), what stands for 0 and for 1 (b, 1)."""
        v, middle, unit = self.sized(x)
        same, recent, kinds = self.past.same_time(v), self.past.recent(v), self.past.kinds(x)
        parts = [same.transpose(1, 2), recent.unsqueeze(1).expand(-1, same.shape[2], -1), kinds]
        parts.append(kinds * same[:, -1].unsqueeze(2))
        if same.shape[1] >= WEEK:
            parts.append(kinds * same[:, -WEEK].unsqueeze(2))
        if len(self.past.spans) > HOUR:
            parts.append(kinds * recent[:, HOUR : HOUR + 1].unsqueeze(1))
        return torch.cat([*parts, torch.ones_like(kinds[:, :, :1])], dim=2), middle, unit

    def forward(self, x: Tensor) -> Tensor:
        Z, middle, unit = self.seen(x)
        return middle + unit * (Z * cast(Tensor, self.weights).to(x)).sum(dim=2)


def fit_ridge_lags(
    series: Series, window: Window, until: int, *, seed: int = 0, progress: Progress | None = None,
    options: RidgeOptions | None = None,
) -> FittedForecast:  # fmt: skip
    """Nothing is drawn. Raises InputError for a context of less than a day, or a training part that is too short."""
    options = options or RidgeOptions()
    past = Past(window)
    seen = windows(series, window, until, options.windows)
    x, y = torch.tensor(seen.X, dtype=torch.float32), seen.y
    some = slice(None, None, max(1, window.horizon // STEPS))
    tried: dict[tuple[str, float], float] = {}
    for k, unit in enumerate(options.units):
        Z, wanted, size = _terms(_Lines(past, unit), x, y)
        for alpha in options.alphas:
            missed = _missed(Z[:, some], wanted[:, some], seen.folds, alpha, options.rounds) * size
            tried[unit, alpha] = float(np.nanmean(np.abs(missed)))
        if progress:
            least = min(value for (name, _), value in tried.items() if name == unit)
            progress((k + 1) / (len(options.units) + 1), f"in units of {unit}: {least:.4g}")
    unit, alpha = min(tried, key=lambda key: tried[key])
    Z, wanted, size = _terms(_Lines(past, unit), x, y)
    band = offsets(_missed(Z, wanted, seen.folds, alpha, options.rounds) * size)
    lines = _Lines(past, unit, _weights(Z, wanted, alpha, options.rounds))
    module = Banded(lines, past, band, seen.least).eval()
    if progress:
        progress(1.0, f"penalty {alpha:g}")
    told = {"alpha": alpha, "unit": unit, "tried": {f"{u} {a:g}": v for (u, a), v in tried.items()},
            "windows": len(seen.at), "rounds": options.rounds}  # fmt: skip
    return FittedForecast("ridge_lags", asking(module), LEVELS, module, told)


def _terms(lines: _Lines, x: Tensor, y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Z (o, h, p), targets in the window's unit (o, h), that unit in swings (o, 1): what errors are compared and
    banded in, so that of series of very different sizes the small ones count too.
    """
    with torch.no_grad():
        Z, middle, unit = lines.seen(x)
        swing = lines.past.swing(lines.past.values(x)).double().numpy()
    of, one = middle.double().numpy(), unit.double().numpy()
    return Z.numpy(), (y - of) / one, one / swing


def _missed(
    Z: np.ndarray, wanted: np.ndarray, folds: tuple[tuple[np.ndarray, np.ndarray], ...], alpha: float, rounds: int
) -> np.ndarray:
    """(o, h): y - f of each window by the fit of the blocks that do not hold it; NaN for one that lies in two."""
    found = np.full(wanted.shape, np.nan)
    for fit, held in folds:
        weights = _weights(Z[fit], wanted[fit], alpha, rounds)
        found[held] = wanted[held] - np.einsum("ohp,hp->oh", Z[held], weights)
    return found


def _weights(Z: np.ndarray, wanted: np.ndarray, alpha: float, rounds: int) -> np.ndarray:
    """(h, p), step by step; targets that are NaN have no weight, and the constant no penalty."""
    _, h, p = Z.shape
    found = np.zeros((h, p))
    for t in range(h):
        there = np.isfinite(wanted[:, t])
        z, y = Z[there, t].astype(float), wanted[there, t]
        if not len(y):
            continue
        penalty = np.diag(np.append(np.full(p - 1, alpha), 1e-9)) * len(y)
        v = np.ones(len(y))
        for _ in range(rounds + 1):
            weighed = z * v[:, None]
            found[t] = np.linalg.solve(weighed.T @ z + penalty, weighed.T @ y)
            missed = np.abs(y - z @ found[t])
            v = 1 / np.maximum(missed / max(float(np.median(missed)), 1e-12), 1.0)
    return found
