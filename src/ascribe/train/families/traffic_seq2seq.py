"""Sequence to sequence with attention: what a seasonal regression leaves over, by a recurrent network.

Design: `train.forecasting.network`. One model of many series, each window on its own scale. The fit, all of it before
`until`:

1. blocks of time are set apart (`samples.split`); on the others the regression is fitted and the network trained, and
   the blocks say when to stop, and how far quantiles are to be moved;
2. both are fitted again on all of it, for as many epochs, and that serves. With `refit` off the first network serves.

Heavy tails (traffic of single machines) are judged on asinh(value / unit): where the regression is better on the blocks
with it, in the scale of each series, the network has it too.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ascribe.core.arrays import evenly
from ascribe.core.forecast import Series, Window, origins
from ascribe.core.forecast.measures import season_scale
from ascribe.core.forecast.scaling import Scaling, fit_scaling
from ascribe.train.forecasting.conformal import moved
from ascribe.train.forecasting.fitted import Ask, FittedForecast
from ascribe.train.forecasting.fitting import Curve, fit_network
from ascribe.train.forecasting.front import Front
from ascribe.train.forecasting.network import Forecaster, Seq2Seq
from ascribe.train.forecasting.options import NetworkOptions
from ascribe.train.forecasting.samples import Samples, split
from ascribe.train.forecasting.seasonal import Seasonal, fit_seasonal
from ascribe.train.loop import Progress

__all__ = ["fit_traffic_seq2seq"]

FAMILY = "traffic_seq2seq"
JUDGED = 1000  # windows of the blocks, at most
AT_ONCE = 256
STARTS = {"from 0": (False, 1e-2), "from the median": (True, 1e-2), "near the median": (True, 1.0)}  # and the penalty
FLOOR, LOW, LEAST = 1e-2, 0.05, 1e-6


def fit_traffic_seq2seq(
    series: Series, window: Window, until: int, *, seed: int = 0, progress: Progress | None = None,
    options: NetworkOptions | None = None, checkpoint: Path | None = None, device: str = "cpu",
) -> FittedForecast:  # fmt: skip
    """`checkpoint`: after each epoch training leaves a file CHECKPOINT.FIT.SEED and goes on from it when asked again.

    Raises InputError where the series is too short, and for a checkpoint of another run.
    """
    options = options or NetworkOptions()
    part = series.cut(0, min(until, series.steps))
    parts = split(part, window, part.steps, options.every)
    learn = Samples.of(part, window, parts.learn)
    some = evenly(len(parts.judge), JUDGED)
    judge, block = learn.on(parts.judge[some]), parts.block[some]
    fixed = options.scaling != "window"
    scaling = fit_scaling(part, window, part.steps, options.scaling if fixed else "standard")
    seasonal, penalty, tried = _regression(learn, judge, _scale(part, window), scaling, fixed)
    values = part.values[part.observed]
    least = 0.0 if values.min(initial=0.0) >= 0 else -np.inf
    rounds = 2 if options.refit else 1

    def trained(base: Seasonal, held: Samples, last: int, part: int) -> tuple[list[Seq2Seq], list[Curve]]:
        found = []
        for k in range(options.seeds):
            share = _share(progress, (part * options.seeds + k) / (rounds * options.seeds), rounds * options.seeds)
            file = checkpoint and checkpoint.with_name(f"{checkpoint.name}.{part}.{k}")
            judges = judge if part == 0 else None
            found.append(fit_network(base, held, judges, options, seed + k, share, file, device, last))
        return [network for network, _ in found], [curve for _, curve in found]

    networks, curves = trained(seasonal, learn, options.epochs, 0)
    still = torch.zeros(window.horizon, len(options.levels))
    offsets = _offsets(Forecaster(seasonal, networks, still, least).eval(), judge, block, options.levels)
    if options.refit:
        whole = learn.on(origins(part, window, 0, part.steps, options.every))
        seasonal = _fitted(whole, seasonal.front, seasonal.typical, penalty)
        networks, _ = trained(seasonal, whole, max(curve.best for curve in curves) + 1, 1)
    module = Forecaster(seasonal, networks, offsets, least).eval()
    told = {
        "options": asdict(options), "regression": tried, "windows": len(learn), "judged": len(judge),
        "losses": [{"learn": c.learn, "judge": c.judge, "best": c.best + 1, "seconds": c.seconds} for c in curves],
        "parameters": sum(weights.numel() for weights in module.parameters()),
    }  # fmt: skip
    return FittedForecast(FAMILY, _asking(module), options.levels, module, told)


def _regression(
    learn: Samples, judge: Samples, scale: np.ndarray, scaling: Scaling, fixed: bool
) -> tuple[Seasonal, float, dict[str, float]]:
    """Fitted on `learn`; values as they are or through asinh, from 0 or from the median of the lags, whichever misses
    less on `judge`, in the scale of each series.
    """
    found: dict[str, tuple[float, Seasonal, float]] = {}
    some = np.abs(learn.ahead[np.isfinite(learn.ahead) & (learn.ahead != 0)])
    units = {"linear": 0.0}
    if len(some) and not fixed:
        units |= {"asinh": float(np.quantile(some, LOW)), "wide asinh": float(np.median(some))}
    for name, unit in units.items():
        front = Front(learn.window, _floor(learn, unit), unit, scaling, fixed)
        for start, (typical, penalty) in STARTS.items():
            model = _fitted(learn, front, typical, penalty)
            with torch.no_grad():
                missed = np.concatenate([(model(p) - q).abs().numpy() for p, q in judge.batches(AT_ONCE)])
            error = float(np.nanmean(missed / scale[judge.at[:, 1], None]))
            found[f"{name}, {start}"] = error, model, penalty
    best = min(found, key=lambda name: found[name][0])
    return found[best][1], found[best][2], {name: error for name, (error, *_) in found.items()}


def _fitted(samples: Samples, front: Front, typical: bool, penalty: float) -> Seasonal:
    return fit_seasonal(front, list(samples.thinned().batches(AT_ONCE)), typical, penalty)


def _floor(samples: Samples, unit: float) -> float:
    """A hundredth of the scale that all but a twentieth of the windows reach, of those that move at all."""
    front = Front(samples.window, 0.0, unit)
    with torch.no_grad():
        scale = torch.cat([front(x).scale for x, _ in samples.thinned().batches(AT_ONCE)]).numpy()
    moving = scale[scale > LEAST * scale.max(initial=0.0)]
    return FLOOR * float(np.quantile(moving, LOW)) if len(moving) else 1.0


def _scale(series: Series, window: Window) -> np.ndarray:
    """(s,): what a repetition of the last day misses, 1 for a series that never changes."""
    season = min(window.day, series.steps // 2)
    scale = season_scale(np.where(series.observed, series.values, np.nan), season)
    return np.where(scale > 0, scale, 1.0)


def _offsets(module: Forecaster, judge: Samples, block: np.ndarray, levels: tuple[float, ...]) -> Tensor:
    """(h, q), in scores."""
    missed = []
    with torch.no_grad():
        for x, y in judge.batches(AT_ONCE):
            seen = module.front(x)
            quantiles = module.scores(seen).quantiles
            missed.append((module.front.scored(y, seen).unsqueeze(-1) - quantiles).numpy())
    return torch.as_tensor(moved(np.concatenate(missed), levels, block), dtype=torch.float32)


def _share(progress: Progress | None, start: float, parts: int) -> Progress | None:
    return None if progress is None else lambda done, text: progress(start + done / parts, text)


def _asking(module: Forecaster) -> Ask:
    def ask(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        with torch.no_grad():
            told = [module(part) for part in torch.as_tensor(np.asarray(X, np.float32)).split(AT_ONCE)]
        return tuple(torch.cat(one).double().numpy() for one in zip(*told, strict=True))  # type: ignore[return-value]

    return ask
