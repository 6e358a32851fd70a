"""Is one forecaster better than another, or was it luck? Both on the same targets, chance over blocks of origins.

Neighbouring origins forecast overlapping hours, and a week has weekdays: their errors go together, so an interval that
takes origins as independent is too narrow. Here whole blocks of neighbouring origins are drawn again, circular:

    ratio = sum_k a_k / sum_k b_k                    a, b (m,): summed |y - f| of all series and steps at moment k
    interval: the 2.5 and 97.5 % quantiles of the ratio over `draws` series of ceil(m / block) blocks, cut to m moments

D. Politis and J. Romano, "A circular block-resampling procedure for stationary data", 1992.
"""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError

__all__ = ["Ratio", "by_moment", "ratio"]

DRAWS = 2000
AT_ONCE = 1 << 21  # numbers that are drawn again at once: 16 MiB of each array
LEVELS = (0.025, 0.975)


@dataclass(frozen=True)
class Ratio:
    """`value` with its 95 % interval; `blocks`: how many of them lie side by side in the moments, the fewer the less
    the interval can be trusted.
    """

    value: float
    low: float
    high: float
    blocks: int


def by_moment(terms: Float[np.ndarray, "o h"], moments: np.ndarray) -> Float[np.ndarray, " m"]:
    """Sum of the terms that are no NaN at each distinct moment (o,), in order of time.

    >>> by_moment(np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]]), np.array([7, 4, 7]))
    array([ 3., 14.])
    """
    _, place = np.unique(moments, return_inverse=True)
    return np.bincount(place, weights=np.nansum(terms, axis=1))


def ratio(
    a: Float[np.ndarray, " m"], b: Float[np.ndarray, " k"], block: int, draws: int = DRAWS, seed: int = 0
) -> Ratio:
    """Of a to b, paired by moment; `block`: moments of a block. NaN where b is 0.

    Raises InputError for arrays of different length, or none.

    >>> ratio(np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0, 6.0]), 1).high
    0.5
    """
    if a.shape != b.shape or not len(a):
        raise InputError(f"errors of {len(a)} and {len(b)} moments cannot be paired: judge both on the same origins")
    m = len(a)
    block = max(1, min(block, m))
    starts = np.random.default_rng(seed).integers(0, m, size=(draws, -(-m // block)))
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = []
        for part in np.array_split(starts, min(draws, 1 + draws * m // AT_ONCE)):
            at = ((part[:, :, None] + np.arange(block)) % m).reshape(len(part), -1)[:, :m]
            parts.append(a[at].sum(axis=1) / b[at].sum(axis=1))
        found, whole = np.concatenate(parts), a.sum() / b.sum()
    if not np.isfinite(found).all():
        return Ratio(float("nan"), float("nan"), float("nan"), m // block)
    low, high = np.quantile(found, LEVELS)
    return Ratio(float(whole), float(low), float(high), m // block)
