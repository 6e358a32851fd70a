"""Power model as a small network.

    f(x) = m_y + s_y MLP( asinh((x' - c) / w) standardised, x' standardised ),    x' = clip(x, low, high)

Clipping to the bulk of the training range keeps a counter that runs away from pulling the prediction with it. asinh
is linear near the median and logarithmic in the tails, where counters live; the plain values keep what is linear.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import torch
from torch import nn

from ascribe.train.dataset import Dataset
from ascribe.train.fitted import FittedPower
from ascribe.train.graphs.export import to_onnx
from ascribe.train.loop import Loop, Progress, train

__all__ = ["PowerMlpOptions", "fit_power_mlp"]


@dataclass(frozen=True)
class PowerMlpOptions:
    """`noise`: sd of the input noise in training, in standard deviations. `clip`: share of rows beyond each bound."""

    hidden: tuple[int, ...] = (64, 32)
    noise: float = 0.2
    clip: float = 0.005
    loop: Loop = field(default_factory=lambda: Loop(epochs=40, batch=128, lr=2e-3, weight_decay=1e-2, patience=12))


REACH = 5.0  # standard deviations: beyond, an input says no more


class Squash(nn.Module):
    """(rows, n) natural -> (rows, 2 n): asinh and plain, standardised by statistics of the training part."""

    low: torch.Tensor
    high: torch.Tensor
    centre: torch.Tensor
    width: torch.Tensor
    mean: torch.Tensor
    sd: torch.Tensor

    def __init__(self, X: np.ndarray, clip: float) -> None:
        super().__init__()
        low, high = np.quantile(X, [clip, 1 - clip], axis=0)
        flat = low == high  # almost constant: its few other values are all there is to learn from
        low, high = np.where(flat, X.min(axis=0), low), np.where(flat, X.max(axis=0), high)
        X = X.clip(low, high)
        centre = np.median(X, axis=0)
        spread = np.abs(X - centre)
        # a counter that is 0 in most rows has median spread 0: its mean spread sets the scale then
        width = np.where(np.median(spread, axis=0) > 0, np.median(spread, axis=0), spread.mean(axis=0))
        width = np.where(width > 0, width, 1.0)
        both = np.concatenate([np.arcsinh((X - centre) / width), (X - centre) / width], axis=1)
        mean, sd = both.mean(axis=0), both.std(axis=0)
        held = {
            "low": low, "high": high, "centre": centre, "width": width, "mean": mean, "sd": np.where(sd > 0, sd, 1.0),
        }  # fmt: skip
        for name, value in held.items():
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (torch.minimum(torch.maximum(x, self.low), self.high) - self.centre) / self.width
        both = (torch.cat([torch.asinh(x), x], dim=-1) - self.mean) / self.sd
        return both.clamp(-REACH, REACH)


class PowerMlp(nn.Module):
    """`x (rows, n)` in natural units -> `prediction (rows,)` in the target's unit."""

    mean_y: torch.Tensor
    sd_y: torch.Tensor

    def __init__(self, X: np.ndarray, y: np.ndarray, options: PowerMlpOptions) -> None:
        super().__init__()
        self.squash = Squash(X, options.clip)
        widths = [2 * X.shape[1], *options.hidden]
        layers = [m for a, b in pairwise(widths) for m in (nn.Linear(a, b), nn.SiLU())]
        self.body = nn.Sequential(*layers, nn.Linear(widths[-1], 1))
        self.register_buffer("mean_y", torch.tensor(float(y.mean()), dtype=torch.float32))
        self.register_buffer("sd_y", torch.tensor(float(y.std()) or 1.0, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.mean_y + self.sd_y * self.body(self.squash(x)).squeeze(-1)
        return y


def fit_power_mlp(
    data: Dataset,
    seed: int,
    device: str = "cpu",
    progress: Progress | None = None,
    options: PowerMlpOptions | None = None,
) -> FittedPower:
    """Fit on `fit` with early stopping on `validation`, then again on both for the epochs that were best."""
    options = options or PowerMlpOptions()
    both = data.training
    scouted = _fit(data.fit.X, data.fit.y, data.validation.X, data.validation.y, options, seed, device, progress)
    with torch.no_grad():
        validation = scouted[0](_tensor(data.validation.X, device)).cpu().numpy().astype(float)
    network = _fit(
        both.X, both.y, data.validation.X, data.validation.y, options, seed, device, progress, scouted[1] + 1
    )[0]
    network = network.cpu()
    return FittedPower(
        family="power_mlp",
        graph=to_onnx(network, {"x": _tensor(data.validation.X[:64])}, ["prediction"]),
        validation=validation,
        scaling={name: buffer.tolist() for name, buffer in network.squash.named_buffers()},
        options={"epochs_used": scouted[1] + 1},
    )


def _tensor(a: np.ndarray, device: str = "cpu") -> torch.Tensor:
    return torch.as_tensor(a, dtype=torch.float32, device=device)


def _fit(
    X: np.ndarray, y: np.ndarray, X_val: np.ndarray, y_val: np.ndarray, options: PowerMlpOptions, seed: int,
    device: str, progress: Progress | None, epochs: int | None = None,
) -> tuple[PowerMlp, int]:  # fmt: skip
    """The network and its best epoch. With `epochs` given there is nothing to stop on: the schedule runs to there."""
    torch.manual_seed(seed)
    network = PowerMlp(X, y, options).to(device)
    with torch.no_grad():
        inputs, inputs_val = network.squash(_tensor(X, device)), network.squash(_tensor(X_val, device))
    scaled = (_tensor(y, device) - network.mean_y) / network.sd_y
    scaled_val = (_tensor(y_val, device) - network.mean_y) / network.sd_y

    def loss(index: np.ndarray, t: float) -> torch.Tensor:
        at = torch.as_tensor(index, device=device)
        x = inputs[at]
        x = x + options.noise * torch.randn_like(x)
        return nn.functional.smooth_l1_loss(network.body(x).squeeze(-1), scaled[at])

    def validate() -> float:
        return float(nn.functional.mse_loss(network.body(inputs_val).squeeze(-1), scaled_val))

    # a refit holds the validation rows itself: there is nothing left to stop on
    watched = validate if epochs is None else None
    loop = options.loop
    if epochs is not None:
        loop = replace(loop, epochs=epochs)
    history = train(network.body, len(y), loss, watched, loop, np.random.default_rng(seed), progress)
    return network, history.best_epoch
