"""The ball that a probe stays in: distances in units of each column, so that watts and percent compare.

    linf    max_j |d_j / scale_j| <= epsilon
    l2      sqrt(sum_j (d_j / scale_j)^2) <= epsilon

scale_j: 255 of a pixel, the range that training covered of a feature, 0 where a small change means nothing
(categories): such a column stays as it is. Rows stay within what is physically possible.
"""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError

__all__ = ["NORMS", "Ball"]

NORMS = ("linf", "l2")


@dataclass(frozen=True, eq=False)
class Ball:
    """Around rows X (b, n). `low`, `high (n,)`: ends of the columns."""

    norm: str
    epsilon: float
    scale: Float[np.ndarray, " n"]
    low: Float[np.ndarray, " n"]
    high: Float[np.ndarray, " n"]

    def __post_init__(self) -> None:
        if self.norm not in NORMS:
            raise InputError(f"no norm '{self.norm}': use {' or '.join(NORMS)}")
        if not self.epsilon >= 0:
            raise InputError(f"epsilon is a size, 0 or more, not {self.epsilon}")

    def steepest(self, slope: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b n"]:
        """The step of length 1 in this norm along which a linear model rises most: sign(g_j) scale_j, or
        scale_j^2 g_j / |scale g|.
        """
        g = slope * self.scale
        if self.norm == "linf":
            return np.sign(g) * self.scale
        size = np.linalg.norm(g, axis=1, keepdims=True)
        return np.divide(g, size, out=np.zeros_like(g), where=size > 0) * self.scale

    def within(self, X: Float[np.ndarray, "b n"], Z: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b n"]:
        """Z, put back into the ball around X and between the ends."""
        moves = self.scale > 0
        d = np.where(moves, (Z - X) / np.where(moves, self.scale, 1.0), 0.0)
        if self.norm == "linf":
            d = np.clip(d, -self.epsilon, self.epsilon)
        else:
            size = np.linalg.norm(d, axis=1, keepdims=True)
            d = d * np.minimum(1.0, self.epsilon / np.maximum(size, np.finfo(float).tiny))
        return np.where(moves, np.clip(X + d * self.scale, self.low, self.high), X)

    def drawn(self, X: Float[np.ndarray, "b n"], rng: np.random.Generator) -> Float[np.ndarray, "b n"]:
        """A random row in each ball: uniform in linf; in l2 a random direction, uniform in volume."""
        if self.norm == "linf":
            d = rng.uniform(-self.epsilon, self.epsilon, X.shape)
        else:
            d = rng.standard_normal(X.shape) * (self.scale > 0)
            k = max(1, int((self.scale > 0).sum()))
            size = np.maximum(np.linalg.norm(d, axis=1, keepdims=True), np.finfo(float).tiny)
            d = d / size * self.epsilon * rng.random((len(X), 1)) ** (1 / k)
        return self.within(X, X + d * self.scale)

    def length(self, X: Float[np.ndarray, "b n"], Z: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " b"]:
        """How far Z is from X in this norm."""
        moves = self.scale > 0
        d = (Z - X)[:, moves] / self.scale[moves]
        return np.abs(d).max(axis=1, initial=0.0) if self.norm == "linf" else np.linalg.norm(d, axis=1)
