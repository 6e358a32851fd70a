"""The slope of a model at any point between two rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ascribe.core.arrays import Float, np

__all__ = ["Gradient"]


@dataclass(frozen=True, eq=False)
class Gradient:
    """`slope`: points `Z (b, k)`, rows `X (b, n)` -> f (b,) and df/dZ (b, k), of the output that the model explains.

    Rows are points themselves, k = n, unless words are embedded: then `embed` takes rows (b, n) to points
    (b, n d), d numbers a word, and what else the model does with the words, such as a mask of padding, is that of X.
    """

    slope: Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
    embed: Callable[[np.ndarray], np.ndarray] | None = None

    def points(self, X: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b k"]:
        """The rows as points."""
        return X if self.embed is None else np.asarray(self.embed(X), dtype=float)

    def shares(self, parts: Float[np.ndarray, "b k"], n: int) -> Float[np.ndarray, "b n"]:
        """Of each column: the sum over the numbers of its vector."""
        return parts if parts.shape[1] == n else parts.reshape(len(parts), n, -1).sum(axis=2)
