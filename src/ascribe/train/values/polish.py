"""The one-pass explainer, taught once more: first the surrogate's game taught it, now the value function that serves.

    L = mean over rows and coalitions of (v(x, S) - h(S; x))^2 / var f

Games of the surrogate are cheap and come by the hundred thousand; those of the stack are dear (`values.pairs`) and few,
but it is the stack that the explainer is judged by.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ascribe.core.arrays import Float
from ascribe.core.scaling import Scores
from ascribe.train.emshap.residual import Averaged
from ascribe.train.families.amortized import AmortizedFit, Games
from ascribe.train.loop import Loop, Progress, train
from ascribe.train.values.pairs import Pairs

__all__ = ["PolishOptions", "polish"]


@dataclass(frozen=True)
class PolishOptions:
    """`decay` of the average of weights."""

    decay: float = 0.998
    loop: Loop = field(default_factory=lambda: Loop(epochs=16, batch=256, lr=2e-3, weight_decay=1e-2, patience=16))


def polish(
    fit: AmortizedFit, pairs: Pairs, v: Float[np.ndarray, "r k"], held: Pairs, v_held: Float[np.ndarray, "h k"],
    base_value: float, scores: Scores, seed: int = 0, device: str = "cpu", progress: Progress | None = None,
    max_seconds: float | None = None, options: PolishOptions | None = None,
) -> AmortizedFit:  # fmt: skip
    """`fit`, trained further on values `v` of `pairs`. Those of `held` judge, and the better of the two is returned."""
    options = options or PolishOptions()
    network = copy.deepcopy(fit.network).requires_grad_(True).to(device)
    both = Averaged(network, options.decay)
    known, judging = (
        Games.of(made.X, made.S, values, base_value, float(network.sd), scores, device)
        for made, values in ((pairs, v), (held, v_held))
    )

    def loss(index: np.ndarray, t: float) -> torch.Tensor:
        both.follow()
        return known.error(network, index)

    def validate() -> float:
        return float(judging.error(both.average))

    with torch.no_grad():
        before = validate()
    loop = replace(options.loop, max_seconds=max_seconds)
    history = train(both, len(v), loss, validate, loop, np.random.default_rng(seed), progress)
    if history.best >= before:
        return fit
    spent = fit.history.seconds + history.seconds
    return AmortizedFit(both.average.eval().cpu(), replace(fit.history, seconds=spent))
