"""Attention of a decoder's state over the encoder's states.

    weights = softmax(q k' / sqrt d)      (b, heads, 1, e)
    context = weights v                   (b, hidden)

`dot`: q is the state, k and v are the states as they are. `multi-head`: each head has projections of its own, and the
contexts of the heads are projected together (Vaswani et al., 2017). Dropout is of the weights, in training.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor, nn

__all__ = ["Attending", "Keys"]


class Keys(NamedTuple):
    """Of the encoder's states, for every query: each (b, heads, e, d)."""

    keys: Tensor
    values: Tensor


class Attending(nn.Module):
    """`heads` = 0: plain scaled dot product."""

    def __init__(self, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.d = max(1, heads), hidden // max(1, heads)
        self.query, self.key, self.value, self.out = (
            nn.Linear(hidden, hidden) if heads else nn.Identity() for _ in range(4)
        )
        self.drop = nn.Dropout(dropout)

    def keys(self, states: Tensor) -> Keys:
        """States (b, e, hidden)."""
        return Keys(self._split(self.key(states)), self._split(self.value(states)))

    def forward(self, state: Tensor, held: Keys) -> tuple[Tensor, Tensor]:
        """State (b, hidden) -> context (b, hidden), weights (b, heads, 1, e)."""
        query = self._split(self.query(state).unsqueeze(1))
        weights = (query @ held.keys.transpose(2, 3) / math.sqrt(self.d)).softmax(dim=-1)
        context = (self.drop(weights) @ held.values).transpose(1, 2).flatten(2).squeeze(1)
        return self.out(context), weights

    def _split(self, states: Tensor) -> Tensor:
        """(b, e, hidden) -> (b, heads, e, d)."""
        each: Tensor = states.unflatten(2, (self.heads, self.d))
        return each.transpose(1, 2)
