"""One training loop for every network of the house."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

__all__ = ["History", "Loop", "Progress", "train"]

Progress = Callable[[float, str], None]
"""Called with the share done (0..1) and a short text."""


@dataclass(frozen=True)
class Loop:
    """`patience`: epochs without a better validation loss before stopping. `max_seconds`: the schedule (learning rate
    and masking alike) is squeezed so that it ends in time; results then depend on the machine's speed.
    """

    epochs: int = 40
    batch: int = 256
    lr: float = 2e-3
    weight_decay: float = 1e-2
    patience: int = 10
    clip: float = 5.0
    max_seconds: float | None = None


@dataclass(frozen=True)
class History:
    """Validation loss per epoch; the returned weights are those of `best_epoch`. `steps` taken, `seconds` spent."""

    validation: list[float]
    best_epoch: int
    steps: int
    seconds: float

    @property
    def best(self) -> float:
        return self.validation[self.best_epoch]


def train(
    network: nn.Module,
    rows: int,
    loss: Callable[[np.ndarray, float], torch.Tensor],
    validate: Callable[[], float] | None,
    options: Loop,
    rng: np.random.Generator,
    progress: Progress | None = None,
) -> History:
    """AdamW with a one-cycle learning rate. `loss(indices, t)` of a batch at share `t` of training, differentiable;
    `validate()` after each epoch, lower is better (None: there is nothing to stop on, the last weights are kept).
    Batch order differs per epoch and repeats per generator.

    The best checkpoint is restored; a loss that is not finite skips its step.
    """
    parameters = list(network.parameters())
    optimiser = torch.optim.AdamW(parameters, lr=options.lr, weight_decay=options.weight_decay)
    begin, steps, best, waited, t = time.perf_counter(), 0, math.inf, 0, 0.0
    history: list[float] = []
    kept = copy.deepcopy(network.state_dict())
    per_epoch = math.ceil(rows / options.batch)
    for epoch in range(options.epochs):
        network.train()
        order = rng.permutation(rows)
        for k in range(per_epoch):
            t = _share(epoch + k / per_epoch, begin, options)
            for group in optimiser.param_groups:
                group["lr"] = options.lr * _warm_then_cosine(t)
            value = loss(order[k * options.batch : (k + 1) * options.batch], t)
            optimiser.zero_grad()
            value.backward()
            norm = nn.utils.clip_grad_norm_(parameters, options.clip)
            if torch.isfinite(norm):
                optimiser.step()
                steps += 1
        network.eval()
        text = f"epoch {epoch + 1}"
        if validate is not None:
            with torch.no_grad():
                history.append(validate())
            text += f", validation {history[-1]:.4f}"
            waited += 1
            if history[-1] < best:
                best, waited, kept = history[-1], 0, copy.deepcopy(network.state_dict())
        t = _share(epoch + 1, begin, options)
        if progress:
            progress(t, text)
        if waited > options.patience or t >= 1:
            break
    if validate is not None:
        network.load_state_dict(kept)
    if progress:
        progress(1.0, f"best validation {min(history):.4f}" if history else f"{epoch + 1} epochs")
    best_epoch = int(np.nanargmin([*history, math.inf])) if history else epoch  # an epoch of NaN is never the best
    return History(history, best_epoch, steps, time.perf_counter() - begin)


def _share(epochs_done: float, begin: float, options: Loop) -> float:
    spent = (time.perf_counter() - begin) / options.max_seconds if options.max_seconds else 0.0
    return min(1.0, max(epochs_done / options.epochs, spent))


def _warm_then_cosine(t: float) -> float:
    """Learning-rate factor: up over the first tenth, then down along a cosine to 1 %."""
    return max(0.05, t / 0.1) if t < 0.1 else 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (t - 0.1) / 0.9))
