"""Surrogate of v(S): a network fitted to f itself on masked rows.

    L = mean (f(x) - g(x_S, S))^2 / var f,      |S| uniform on 0..n-1, S uniform among its size, fresh in every batch

whose minimiser is g = E[f(X) | X_S] (Frye et al., ICLR 2021): MSE_v, the measure by which value functions are judged,
is its very loss. Masks cost nothing, so an epoch counts (row, mask) pairs: a small table is seen under many, and a
large one takes no longer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import nn

from ascribe.core.arrays import Predict
from ascribe.core.scaling import Scores, fit_scores
from ascribe.train.emshap.masking import observed_masks
from ascribe.train.emshap.residual import Averaged, Ramps, Residual
from ascribe.train.loop import History, Loop, Progress, train

__all__ = ["SurrogateFit", "SurrogateNetwork", "SurrogateOptions", "fit_surrogate", "held_error"]

PAIRS = 16_384  # (row, mask) pairs an epoch
JUDGED = 4_096  # pairs that an epoch is judged by


@dataclass(frozen=True)
class SurrogateOptions:
    """`ramps` per feature; `decay` of the average of weights; `validation`: share of rows held out if none
    are named.
    """

    width: int = 128
    blocks: int = 3
    ramps: int = 8
    decay: float = 0.998
    validation: float = 0.15
    loop: Loop = field(default_factory=lambda: Loop(epochs=200, batch=512, lr=3e-3, weight_decay=1e-2, patience=60))


class SurrogateNetwork(nn.Module):
    """`score (r, n)`, `observed (r, n)` bool -> `value (r,)` in the unit of f.

    Reads score_j or 0, observed_j, and the ramps of score_j or 0. Hidden scores never enter: `where`, not a product.
    """

    mean: torch.Tensor
    sd: torch.Tensor

    def __init__(self, n: int, mean: float, sd: float, options: SurrogateOptions) -> None:
        super().__init__()
        self.ramps = Ramps(options.ramps)
        self.body = Residual((2 + options.ramps) * n, 1, options.width, options.blocks)
        self.register_buffer("mean", torch.tensor(mean, dtype=torch.float32))
        self.register_buffer("sd", torch.tensor(sd or 1.0, dtype=torch.float32))

    def standard(self, score: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
        """(g - mean)/sd."""
        seen = observed.to(score.dtype)
        known = torch.where(observed, score, torch.zeros_like(score))
        bent = (self.ramps(known) * seen.unsqueeze(-1)).flatten(1)
        value: torch.Tensor = self.body(torch.cat([known, seen, bent], dim=-1))
        return value.squeeze(-1)

    def forward(self, score: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
        return self.mean + self.sd * self.standard(score, observed)


@dataclass(frozen=True, eq=False)
class SurrogateFit:
    """`history`: held-out MSE_v per epoch, over `variance`, that of f. `held`: rows that no gradient has seen."""

    scores: Scores
    network: SurrogateNetwork
    history: History
    held: np.ndarray
    variance: float


def fit_surrogate(
    predict: Predict,
    X: np.ndarray,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
    max_seconds: float | None = None,
    scores: Scores | None = None,
    held: np.ndarray | None = None,
    options: SurrogateOptions | None = None,
) -> SurrogateFit:
    """Fit to `predict` on rows `X (rows, n)` in natural units. `held`: positions of rows that validate (None: a share
    drawn by `seed`); the weights of the epoch that was best on them, under masks that stay, are kept.
    """
    options = options or SurrogateOptions()
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    scores = scores or fit_scores(X)
    if held is None:
        held = rng.permutation(len(X))[: max(2, round(options.validation * len(X)))]
    kept = np.setdiff1d(np.arange(len(X)), held)
    f = np.asarray(predict(X), dtype=float)
    n, mean, sd = X.shape[1], float(f[kept].mean()), float(f[kept].std())
    network = SurrogateNetwork(n, mean, sd, options).to(device)
    both = Averaged(network, options.decay)
    average = both.average
    Z = torch.as_tensor(scores.forward(X), device=device)
    y = torch.as_tensor((f - mean) / (sd or 1.0), dtype=torch.float32, device=device)
    validate = held_error(average, Z, y, held, seed)

    def loss(index: np.ndarray, t: float) -> torch.Tensor:
        both.follow()
        at = torch.as_tensor(rng.choice(kept, len(index)), device=device)
        masks = torch.as_tensor(observed_masks(len(index), n, 1.0, rng, "uniform"), device=device)
        return nn.functional.mse_loss(network.standard(Z[at], masks), y[at])

    loop = replace(options.loop, max_seconds=max_seconds)
    history = train(both, PAIRS, loss, validate, loop, rng, progress)
    return SurrogateFit(scores, average.eval().cpu(), history, held, sd**2)


def held_error(
    network: SurrogateNetwork, Z: torch.Tensor, y: torch.Tensor, held: np.ndarray, seed: int
) -> Callable[[], float]:
    """MSE_v over var f on rows `held` of scores `Z (rows, n)` and standardised `y (rows,)`: by one seed the same (row,
    mask) pairs each time, so that epochs are compared, and fits, not masks.
    """
    n = Z.shape[1]
    rows = torch.as_tensor(np.resize(held, max(JUDGED, len(held))), device=Z.device)
    masks = observed_masks(len(rows), n, 1.0, np.random.default_rng(seed + 1), "uniform")
    S = torch.as_tensor(masks, device=Z.device)

    def validate() -> float:
        total = 0.0
        for at, observed in zip(rows.split(1024), S.split(1024), strict=True):
            total += float(((network.standard(Z[at], observed) - y[at]) ** 2).sum())
        return total / len(rows)

    return validate
