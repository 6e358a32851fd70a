"""What the guest has when every host has replied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ascribe.core.arrays import Bool, Float, np

__all__ = ["Answer"]


@dataclass(frozen=True, eq=False)
class Answer:
    """Scores of `b` rows for K outputs, and all that an explanation needs: nobody is asked again.

    `code (b,)` is 0 or says why a row was not answered (its numbers are NaN); `reasons` in words. `labels`: names of
    the outputs, empty for one; the label of a row is that of its largest score. `columns (n,)`: the guest's own, of
    this component; `data (b, n)` their values after preparation. Of trees: `left (b, nodes)`, the way at every node of
    every party, and `leaf (b, t)`. Of linear models: `sums`, each party's part (b, K), and `terms`, parts by column
    (b, K, n) of the guest and of hosts that agreed to tell theirs. `defaulted`: by party, splits or columns without a
    value (b,); a host's only if it tells.
    """

    component: str
    code: np.ndarray
    reasons: tuple[str, ...]
    margin: Float[np.ndarray, "b k"]
    score: Float[np.ndarray, "b k"]
    labels: tuple[str, ...]
    columns: tuple[str, ...]
    data: Float[np.ndarray, "b n"]
    left: Bool[np.ndarray, "b nodes"] | None = None
    leaf: np.ndarray | None = None
    sums: Mapping[str, np.ndarray] = field(default_factory=dict)
    terms: Mapping[str, np.ndarray] = field(default_factory=dict)
    term_columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    defaulted: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.code)

    @property
    def label(self) -> tuple[str, ...]:
        """Of each row; empty where there is one output, or no answer."""
        if not self.labels:
            return ("",) * len(self)
        best = np.argmax(np.where(np.isnan(self.score), -np.inf, self.score), axis=1)
        return tuple(self.labels[k] if c == 0 else "" for k, c in zip(best, self.code, strict=True))
