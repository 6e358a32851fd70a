"""The surrogate taught by a better value function: by values that carry next to no noise, on rows that never were.

    L = mean (v(x, S) - g(x_S, S))^2 / var f,      x made from training rows (`train.rows`), |S| uniform on 1..n-1

v is the stack of completions and the surrogate, a handful of completions a value: with the control variate their noise
is a hundredth of Var(f | x_S), which is what a fit to f itself has to average out. It starts from that fit. Hinton et
al., 1503.02531, for the idea.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import nn

from ascribe.core.arrays import Float, Predict
from ascribe.train.emshap.residual import Averaged
from ascribe.train.families.surrogate import SurrogateFit, held_error
from ascribe.train.loop import Loop, Progress, train
from ascribe.train.values.pairs import Pairs

__all__ = ["DistilOptions", "distil"]


@dataclass(frozen=True)
class DistilOptions:
    """`decay` of the average of weights."""

    decay: float = 0.998
    loop: Loop = field(default_factory=lambda: Loop(epochs=12, batch=512, lr=3e-3, weight_decay=1e-3, patience=12))


def distil(
    fit: SurrogateFit,
    pairs: Pairs,
    v: Float[np.ndarray, "r k"],
    predict: Predict,
    X: Float[np.ndarray, "b n"],
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
    max_seconds: float | None = None,
    options: DistilOptions | None = None,
) -> SurrogateFit:
    """`fit`, trained further on values `v` of `pairs`; the rows of `X` that `fit` held out judge by MSE_v as they did
    before. The better of the two is returned.
    """
    options = options or DistilOptions()
    rng = np.random.default_rng(seed)
    k = pairs.S.shape[1]
    network = copy.deepcopy(fit.network).requires_grad_(True).to(device)
    both = Averaged(network, options.decay)
    mean, sd = float(network.mean), float(network.sd)
    known = (fit.scores.forward(pairs.X), (v.ravel() - mean) / sd)
    Z, y = (torch.as_tensor(a, dtype=torch.float32, device=device) for a in known)
    masks = torch.as_tensor(pairs.S.reshape(-1, pairs.S.shape[2]), device=device)
    Z_all = torch.as_tensor(fit.scores.forward(X), device=device)
    f = torch.as_tensor((np.asarray(predict(X), dtype=float) - mean) / sd, dtype=torch.float32, device=device)

    def loss(index: np.ndarray, t: float) -> torch.Tensor:
        both.follow()
        at = torch.as_tensor(index, device=device)
        return nn.functional.mse_loss(network.standard(Z[at // k], masks[at]), y[at])

    validate = held_error(both.average, Z_all, f, fit.held, seed)
    history = train(both, v.size, loss, validate, replace(options.loop, max_seconds=max_seconds), rng, progress)
    if history.best >= fit.history.best:
        return fit
    return replace(fit, network=both.average.eval().cpu(), history=history)
