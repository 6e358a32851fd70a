"""Insertion and deletion: the prediction while units are put in, or taken out, in the order of their values.

    insertion   I(k) = f(baseline, the first k units of the order from x)
    deletion    D(k) = f(x,        the first k units of the order from the baseline)
    area        of a curve over the share k / u of the units, trapezoids, in the output's unit

The order is by the signed value, most raising first: ranked by |value| a unit that lowers the prediction would stand
beside one that raises it. A good order has I high and D low; what tells is  area(I) - area(D), which is 0 in the mean
of random orders and has its own sign. Nothing is swapped: reversing an order turns each curve into the other,
D_reversed(k) = I(u - k), so its areas change places exactly. Petsiuk et al. 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.arrays import Float, Predict, np
from ascribe.core.perturbations import asked
from ascribe.core.players import Segments

__all__ = ["POINTS", "Curves", "curves", "order_of"]

POINTS = 32  # of a curve, beside its start


@dataclass(frozen=True, eq=False)
class Curves:
    """Of one row: predictions at `share (k,)` of the units, from 0 to 1."""

    share: Float[np.ndarray, " k"]
    insertion: Float[np.ndarray, " k"]
    deletion: Float[np.ndarray, " k"]

    @property
    def insertion_area(self) -> float:
        return float(np.trapezoid(self.insertion, self.share))

    @property
    def deletion_area(self) -> float:
        return float(np.trapezoid(self.deletion, self.share))

    @property
    def gain(self) -> float:
        """area(I) - area(D): above 0 where the order leads with what raises the prediction."""
        return self.insertion_area - self.deletion_area


def order_of(values: Float[np.ndarray, " u"]) -> np.ndarray:
    """Units by their signed value, largest first; equal ones as they lie.

    >>> order_of(np.array([1.0, -5.0, 3.0])).tolist()
    [2, 0, 1]
    """
    return np.argsort(-np.asarray(values, dtype=float), kind="stable")


def curves(
    predict: Predict,
    x: Float[np.ndarray, " n"],
    hidden: Float[np.ndarray, " n"],
    units: Segments,
    order: np.ndarray,
    points: int = POINTS,
) -> Curves:
    """Both curves of a row; `hidden`: the baseline row; `order (u,)`: a permutation of the units."""
    place = np.empty(units.p, int)
    place[order] = np.arange(units.p)
    counts = _counts(units.p, points)
    k, n = len(counts), len(x)

    def rows(at: slice) -> np.ndarray:
        numbers = np.arange(2 * k)[at]
        first = place[None, :] < counts[numbers % k, None]
        kept = units.features_of(np.where((numbers < k)[:, None], first, ~first))
        return np.where(kept, x, hidden)

    f = asked(predict, 2 * k, n, rows)
    return Curves(counts / max(units.p, 1), f[:k], f[k:])


def _counts(u: int, points: int) -> np.ndarray:
    """At most about `points` counts of units from 0 to u, symmetric: with k, u - k is there too."""
    even = np.arange(min(points, u) + 1) * u // max(1, min(points, u))
    return np.unique(np.concatenate([even, u - even]))
