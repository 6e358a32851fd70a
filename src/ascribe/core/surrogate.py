"""Surrogate at inference: v(S) straight from what is observed, without completions.

    g(x_S, S) ~ E[f(X) | X_S = x_S],      g = argmin E (f(X) - g(X_S, S))^2

One evaluation per coalition. It knows one f only: a new model needs a new surrogate. Frye et al., ICLR 2021.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.scaling import Scores

__all__ = ["Surrogate"]

Network = Callable[[np.ndarray, np.ndarray], np.ndarray]  # scores (m, n) float32, observed (m, n) bool -> g (m,)


@dataclass(frozen=True, eq=False)
class Surrogate:
    """`network` answers in the output's unit. Hidden scores are 0 before it sees them."""

    scores: Scores
    network: Network
    name: str = "surrogate"

    def value(self, x: Float[np.ndarray, " n"], S: Bool[np.ndarray, "m n"]) -> Float[np.ndarray, " m"]:
        """g of one row under each coalition, in the output's unit. Shapes depend on `S` only, so that a row's answer
        is the same bits alone and among others.
        """
        known = np.where(S, self.scores.forward(x), np.float32(0))  # hidden cells stop here, NaN included
        return np.asarray(self.network(known, np.ascontiguousarray(S)), dtype=float)
