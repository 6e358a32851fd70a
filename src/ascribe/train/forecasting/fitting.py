"""Training of one network: pinball loss of the window's scores, early stop, the best epoch kept, resumable.

    loss = mean_k,b  v_b ( |y - median| + sum_q 2 rho_q(y - quantile_q) ),    rho_q(r) = max(q r, (q - 1) r)

y in scores; v_b is the scale of the window over the mean scale of its series: errors count as in natural units,
which is what a forecast is judged by. Steps that nobody measured do not count.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ascribe.train.forecasting.checkpoint import read_checkpoint, write_checkpoint
from ascribe.train.forecasting.front import Front
from ascribe.train.forecasting.network import Scores, Seq2Seq
from ascribe.train.forecasting.options import NetworkOptions
from ascribe.train.forecasting.samples import Samples
from ascribe.train.forecasting.seasonal import Seasonal
from ascribe.train.loop import Progress

__all__ = ["Curve", "fit_network", "pinball"]

WARM = 0.1  # of training, in which the learning rate rises
JUDGED = 512  # windows at once, without gradients
LEAST, MOST = 0.3, 3.0  # of the weight of a window


@dataclass(frozen=True)
class Curve:
    """Losses by epoch: `learn` in training mode, `judge` of the weights that would be kept; `best` from 0.
    `seconds` of all epochs, those before a stop among them.
    """

    learn: list[float]
    judge: list[float]
    best: int
    seconds: float


def fit_network(
    seasonal: Seasonal, learn: Samples, judge: Samples | None, options: NetworkOptions, seed: int,
    progress: Progress | None = None, checkpoint: Path | None = None, device: str = "cpu", last: int | None = None,
) -> tuple[Seq2Seq, Curve]:  # fmt: skip
    """The same seed, options and data give the same weights on one machine, stopped and resumed or not. Without
    `judge` nothing stops it before epoch `last` of its schedule, and the weights of that epoch serve.

    Raises InputError for a checkpoint of another run.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Seq2Seq(seasonal.front, options).to(device)
    front, base = seasonal.front.to(device), seasonal.to(device)
    kept = copy.deepcopy(network)
    parameters = list(network.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=options.lr, weight_decay=options.weight_decay)
    data = [_sum(learn), _sum(judge or learn)]
    fitted = {"options": asdict(options), "seed": seed, "last": last, "data": data}
    sizes = _sizes(learn, front)
    epoch, best, spent, curve_learn, curve_judge = 0, -1, 0.0, [], []
    best_state = copy.deepcopy(network.state_dict())
    if checkpoint is not None and checkpoint.exists():
        held, parts = read_checkpoint(checkpoint, fitted, optimiser)
        epoch, best, curve_learn, curve_judge = held["epoch"], held["best"], held["learn"], held["judge"]
        spent = held.get("seconds", 0.0)
        rng.bit_generator.state = held["random"]
        network.load_state_dict(parts["weights"])
        kept.load_state_dict(parts["average"])
        best_state = parts["best"]
    begin, per_epoch = time.perf_counter() - spent, math.ceil(min(len(learn), options.windows) / options.batch)
    end = min(options.epochs, last or options.epochs)
    in_time = math.inf if options.max_seconds is None else options.max_seconds
    while epoch < end and (judge is None or epoch - 1 - best < options.patience):
        if epoch and spent > in_time:  # as the checkpoint has it: what time has ended does not begin again
            break
        network.train()
        order, total = rng.permutation(len(learn))[: options.windows], 0.0
        for k in range(per_epoch):
            t = (epoch + k / per_epoch) / options.epochs
            for group in optimiser.param_groups:
                group["lr"] = options.lr * _rate(t, options.schedule)
            index = np.sort(order[k * options.batch : (k + 1) * options.batch])
            x, y = learn.batch(index, device)
            x = _jittered(x, learn, options.jitter, rng)
            with torch.no_grad():
                seen = front(x)
                start, target = base.score(seen), front.scored(y, seen)
            told = network(seen, start, _told(target, t, options, rng))
            value = pinball(told, target, _weight(seen.scale, learn, index, sizes), options.levels)
            optimiser.zero_grad()
            value.backward()
            if torch.isfinite(nn.utils.clip_grad_norm_(parameters, options.clip)):
                optimiser.step()
                _follow(kept, network, min(options.average, 1 - 1 / (1 + epoch * per_epoch + k)))
                total += float(value.detach()) * len(index)
        curve_learn.append(total / len(order))
        if judge is not None:
            curve_judge.append(_judged(kept, base, judge, options, sizes, device))
        if judge is None or best < 0 or curve_judge[-1] < curve_judge[best]:
            best, best_state = epoch, copy.deepcopy(kept.state_dict())
        epoch, spent = epoch + 1, time.perf_counter() - begin
        if checkpoint is not None:
            held = {"epoch": epoch, "best": best, "seconds": spent, "learn": curve_learn, "judge": curve_judge,
                    "random": rng.bit_generator.state, "fitted": fitted}  # fmt: skip
            parts = {"weights": network.state_dict(), "average": kept.state_dict(), "best": best_state}
            write_checkpoint(checkpoint, held, parts, optimiser)
        if progress:
            said = f"held-out loss {curve_judge[-1]:.4f}" if judge is not None else f"loss {curve_learn[-1]:.4f}"
            progress(epoch / end, f"epoch {epoch}, {said}")
    kept.load_state_dict(best_state)
    seasonal.cpu()
    if progress:
        progress(1.0, f"epoch {best + 1} serves")
    return kept.eval().cpu(), Curve(curve_learn, curve_judge, best, spent)


def pinball(told: Scores, target: Tensor, weight: Tensor, levels: Sequence[float]) -> Tensor:
    """`target (b, h)` with NaN, `weight (b, 1)`."""
    known = torch.isfinite(target)
    y = torch.where(known, target, told.median.detach())
    loss = (y - told.median).abs()
    for k, level in enumerate(levels):
        if level != 0.5:
            r = y - told.quantiles[..., k]
            loss = loss + 2 * torch.maximum(level * r, (level - 1) * r)
    return (loss * weight * known).sum() / known.sum().clamp_min(1)


def _sizes(samples: Samples, front: Front) -> np.ndarray:
    """(s,): mean scale of the windows of each series; 1 where there is none."""
    some, device = samples.thinned(), str(front.floor.device)
    with torch.no_grad():
        scale = torch.cat([front(x).scale[:, 0] for x, _ in some.batches(JUDGED, device)]).double().cpu().numpy()
    count = np.bincount(some.at[:, 1], minlength=samples.ahead.shape[1])
    return np.where(count > 0, np.bincount(some.at[:, 1], scale, len(count)) / np.maximum(count, 1), 1.0)


def _weight(scale: Tensor, samples: Samples, index: np.ndarray, sizes: np.ndarray) -> Tensor:
    each = torch.as_tensor(sizes[samples.at[index, 1]], dtype=scale.dtype, device=scale.device)
    return (scale / each.unsqueeze(1)).clamp(LEAST, MOST)


def _judged(
    network: Seq2Seq, base: Seasonal, judge: Samples, options: NetworkOptions, sizes: np.ndarray, device: str
) -> float:
    network.eval()
    total = 0.0
    with torch.no_grad():
        for start in range(0, len(judge), JUDGED):
            index = np.arange(start, min(start + JUDGED, len(judge)))
            x, y = judge.batch(index, device)
            seen = base.front(x)
            told = network(seen, base.score(seen))
            weight = _weight(seen.scale, judge, index, sizes)
            total += float(pinball(told, base.front.scored(y, seen), weight, options.levels)) * len(index)
    return total / len(judge)


def _told(target: Tensor, t: float, options: NetworkOptions, rng: np.random.Generator) -> Tensor | None:
    """Truth for whole windows with probability 1 - t / forced, NaN for the others and where nobody knows."""
    if options.decoding == "direct":
        return None
    share = max(0.0, 1 - t / options.forced) if options.forced > 0 else 0.0
    fed = torch.as_tensor(rng.random(len(target)) < share, device=target.device)
    return torch.where(fed.unsqueeze(1), target, torch.full_like(target, math.nan))


def _jittered(x: Tensor, samples: Samples, jitter: float, rng: np.random.Generator) -> Tensor:
    """Rows whose days, counted back from their end, are each a little larger or smaller."""
    if not jitter:
        return x
    window = samples.window
    days = -(-window.context // window.day)
    factor = torch.as_tensor(np.exp(jitter * rng.standard_normal((len(x), days))), dtype=x.dtype, device=x.device)
    z = x.reshape(-1, *window.shape).clone()
    z[..., 0] *= factor.repeat_interleave(window.day, dim=1)[:, -window.context :]
    return z.flatten(1)


def _follow(kept: nn.Module, network: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for mean, now in zip(kept.parameters(), network.parameters(), strict=True):
            mean.lerp_(now, 1 - decay)


def _rate(t: float, schedule: str) -> float:
    """Factor of the learning rate: up, then down along a cosine to 1 %; or 1."""
    if schedule == "constant":
        return 1.0
    return max(0.05, t / WARM) if t < WARM else 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (t - WARM) / (1 - WARM)))


def _sum(samples: Samples) -> list[Any]:
    """Enough to tell other data by."""
    first = samples.inputs[samples.at[:, 0] - 1, samples.at[:, 1], 0]
    return [len(samples), float(np.float64(first).sum()), float(np.nansum(np.float64(samples.ahead)))]
