"""The surrogate taught by a better value function: by values that carry next to no noise, on rows that never were.

    L = mean (v(x, S) - g(x_S, S))^2 / var f,      x made from training rows (`train.rows`), |S| uniform on 1..n-1

v is the stack of completions and the surrogate, a handful of completions a value: with the control variate their noise
is a hundredth of Var(f | x_S), which is what a fit to f itself has to average out. It starts from that fit. Hinton et
al., 1503.02531, for the idea.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import nn

from ascribe.core.arrays import Predict
from ascribe.core.judge import random_coalitions
from ascribe.train.emshap.residual import Averaged
from ascribe.train.families.surrogate import SurrogateFit, held_error
from ascribe.train.loop import Loop, Progress, train
from ascribe.train.rows import made_rows

__all__ = ["DistilOptions", "PairLabel", "distil"]

PairLabel = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Rows (p, n) in natural units and a coalition of each, (p, n) -> v (p,) in the output's unit."""

AT_ONCE = 4096  # pairs labelled between two words of progress


@dataclass(frozen=True)
class DistilOptions:
    """(row, mask) pairs: `each` for a training row, `most` in all. `decay` of the average of weights."""

    each: int = 32
    most: int = 320_000
    decay: float = 0.998
    loop: Loop = field(default_factory=lambda: Loop(epochs=12, batch=512, lr=3e-3, weight_decay=1e-3, patience=12))


def distil(
    fit: SurrogateFit,
    label: PairLabel,
    predict: Predict,
    X: np.ndarray,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
    max_seconds: float | None = None,
    options: DistilOptions | None = None,
) -> SurrogateFit:
    """`fit`, trained further on values of `label`; rows come from `X (rows, n)` but those that `fit` held out, which
    judge by MSE_v as they judged `fit`. The better of the two is returned.
    """
    options = options or DistilOptions()
    rng = np.random.default_rng(seed)
    kept = np.setdiff1d(np.arange(len(X)), fit.held)
    count = min(options.most, options.each * len(kept))
    rows = made_rows(X[kept], count, fit.scores, rng)
    S = random_coalitions(X.shape[1], count, rng)
    v = _labelled(label, rows, S, progress, max_seconds)
    count, rows, S = len(v), rows[: len(v)], S[: len(v)]
    network = copy.deepcopy(fit.network).requires_grad_(True).to(device)
    both = Averaged(network, options.decay)
    mean, sd = float(network.mean), float(network.sd)
    Z, y = (torch.as_tensor(a, dtype=torch.float32, device=device) for a in (fit.scores.forward(rows), (v - mean) / sd))
    masks = torch.as_tensor(S, device=device)
    Z_all = torch.as_tensor(fit.scores.forward(X), device=device)
    f = torch.as_tensor((np.asarray(predict(X), dtype=float) - mean) / sd, dtype=torch.float32, device=device)

    def loss(index: np.ndarray, t: float) -> torch.Tensor:
        both.follow()
        at = torch.as_tensor(index, device=device)
        return nn.functional.mse_loss(network.standard(Z[at], masks[at]), y[at])

    validate = held_error(both.average, Z_all, f, fit.held, seed)
    late = None if progress is None else lambda done, text: progress(0.5 + 0.5 * done, text)
    loop = replace(options.loop, max_seconds=None if max_seconds is None else max_seconds / 2)
    history = train(both, count, loss, validate, loop, rng, late)
    if history.best >= fit.history.best:
        return fit
    return replace(fit, network=both.average.eval().cpu(), history=history)


def _labelled(
    label: PairLabel, rows: np.ndarray, S: np.ndarray, progress: Progress | None, max_seconds: float | None
) -> np.ndarray:
    """Values of the pairs; of the first ones, where half of the time is up."""
    found: list[np.ndarray] = []
    begin = time.perf_counter()
    for at in range(0, len(rows), AT_ONCE):
        found.append(label(rows[at : at + AT_ONCE], S[at : at + AT_ONCE]))
        if progress:
            progress(0.5 * at / len(rows), "valuing coalitions")
        if max_seconds is not None and time.perf_counter() - begin > max_seconds / 2:
            break
    return np.concatenate(found)
