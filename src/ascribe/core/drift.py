"""How far two samples lie apart: rows that a model was judged on, and rows that it meets now.

    psi      sum_k (q_k - p_k) ln(q_k / p_k)          p, q: shares of both samples in quantile bins of the first
    ks       sup_t |F(t) - G(t)|                      F, G: empirical distributions
    energy   2 E|X - Y| - E|X - X'| - E|Y - Y'|       rows as vectors; zero only where the laws are the same

psi and ks read each column by its ranks: a strictly increasing map of both samples changes nothing. Energy distance is
that of Szekely and Rizzo (J. Stat. Plan. Inference 143, 2013), over all pairs (a V-statistic).

Rows of a time series resemble their neighbours, so they say less than as many independent rows: the p-value of `ks`
is then too small, and sizes (psi, ks) are what thresholds should be set on. The permutation test of `energy` moves
whole blocks of neighbours, which keeps its p-value honest where blocks are longer than the memory of the series.
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy.spatial.distance import cdist

from ascribe.core.arrays import Float, evenly, np
from ascribe.core.errors import InputError

__all__ = ["BINS", "Energy", "bin_edges", "energy", "energy_distance", "ks", "psi", "shares", "stability"]

BINS = 10
MOST_ROWS = 500  # of each sample in a permutation test: a matrix of 8 MB
PERMUTATIONS = 199


def bin_edges(x: Float[np.ndarray, " rows"], bins: int = BINS) -> Float[np.ndarray, " edges"]:
    """Inner edges of `bins` quantile bins; value v lies in bin #{edges < v}. Edges are values of the sample.

    A value that is more than one quantile (a counter that is often 0) has a bin of its own, so that leaving it shows.

    >>> bin_edges(np.arange(1.0, 9.0), 4).tolist()
    [2.0, 4.0, 6.0]
    >>> shares(np.array([-1.0, 0.0, 0.0, 7.0]), bin_edges(np.zeros(5))).tolist()
    [0.25, 0.5, 0.25]
    """
    cut = np.quantile(x, np.arange(1, bins) / bins, method="inverted_cdf")
    kept, count = np.unique(cut, return_counts=True)
    return np.unique(np.concatenate([kept, np.nextafter(kept[count > 1], -np.inf)]))


def shares(x: Float[np.ndarray, " rows"], edges: Float[np.ndarray, " edges"]) -> Float[np.ndarray, " bins"]:
    """The share of rows in each bin."""
    return np.bincount(np.searchsorted(edges, x), minlength=len(edges) + 1) / len(x)


def stability(p: Float[np.ndarray, " bins"], q: Float[np.ndarray, " bins"], floor: float = 1e-4) -> float:
    """sum_k (q_k - p_k) ln(q_k / p_k), symmetric in p and q; an empty bin counts as `floor`.

    >>> round(stability(np.array([0.5, 0.5]), np.array([0.6, 0.4])), 4)
    0.0405
    """
    p, q = np.maximum(p, floor), np.maximum(q, floor)
    return float(((q - p) * np.log(q / p)).sum())


def psi(X: np.ndarray, Y: np.ndarray) -> Float[np.ndarray, " n"]:
    """Population stability index of each column of X (a, n) and Y (b, n), in quantile bins of X; below .1 is read as
    steady, from .25 as drifted. Without any change its mean is about (BINS - 1)(1/a + 1/b). An empty bin counts as half
    a row of the larger sample.

    Raises InputError for samples without rows, of other widths, or with values that are no numbers.
    """
    X, Y = _pair(X, Y)
    floor = 0.5 / max(len(X), len(Y))
    found = np.empty(X.shape[1])
    for j, (x, y) in enumerate(zip(X.T, Y.T, strict=True)):
        edges = bin_edges(x)
        found[j] = stability(shares(x, edges), shares(y, edges), floor)
    return found


def ks(X: np.ndarray, Y: np.ndarray) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """The Kolmogorov-Smirnov distance of each column of X (a, n) and Y (b, n), and its p-value for independent rows
    (the law of one sample of ab/(a + b) rows, as scipy's asymptotic method). Raises as `psi`.

    >>> ks(np.array([[1.0], [2.0]]), np.array([[2.0], [3.0]]))[0].tolist()
    [0.5]
    """
    from scipy.stats import kstwo  # half a second to import: paid by who asks, not at every start

    X, Y = _pair(X, Y)
    a, b = len(X), len(Y)
    both = np.concatenate([X, Y])
    order = np.argsort(both, axis=0, kind="stable")
    ranked = np.take_along_axis(both, order, axis=0)
    gap = np.abs(np.cumsum(np.where(order < a, b, -a), axis=0))  # a b |F - G|, in whole numbers: equal is exactly 0
    last = np.ones(both.shape, dtype=bool)  # of equal values: between them neither F nor G is defined
    last[:-1] = ranked[1:] != ranked[:-1]
    distance = np.where(last, gap, 0).max(axis=0) / (a * b)
    return distance, np.clip(kstwo.sf(distance, np.round(a * b / (a + b))), 0.0, 1.0)


def energy_distance(X: np.ndarray, Y: np.ndarray) -> float:
    """X (a, n), Y (b, n):  2 E|X - Y| - E|X - X'| - E|Y - Y'|, Euclidean, in the columns' own units.

    Raises as `psi`.

    >>> energy_distance(np.array([[0.0], [0.0]]), np.array([[3.0]]))
    6.0
    """
    X, Y = _pair(X, Y)
    return float(2 * cdist(X, Y).mean() - cdist(X, X).mean() - cdist(Y, Y).mean())


@dataclass(frozen=True)
class Energy:
    """`distance` of standardised columns; `p`: share of exchanged samples that lie at least as far apart."""

    distance: float
    p: float


def energy(
    X: np.ndarray,
    Y: np.ndarray,
    rng: np.random.Generator,
    blocks: int | None = None,
    permutations: int = PERMUTATIONS,
    most: int = MOST_ROWS,
) -> Energy:
    """Energy distance between X (a, n) and Y (b, n), columns divided by their pooled standard deviation, on at most
    `most` rows of each, evenly spread, and its permutation p-value. `blocks`: each sample is cut into so many runs of
    neighbours, which are exchanged whole (None: row by row); rows must then be in the order of time within each node.

    Raises as `psi`.
    """
    X, Y = _pair(X, Y)
    X, Y = X[evenly(len(X), most)], Y[evenly(len(Y), most)]
    both = np.concatenate([X, Y])
    spread = both.std(axis=0)
    both = (both - both.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    D = cdist(both, both)
    first, second = (np.arange(len(part)) * min(blocks or len(part), len(part)) // len(part) for part in (X, Y))
    block = np.concatenate([first, second + first[-1] + 1])
    count, mine = block[-1] + 1, first[-1] + 1
    drawn = np.argsort(rng.random((permutations, count)), axis=1) < mine  # the blocks that play the first sample
    drawn = np.concatenate([np.arange(count)[None] < mine, drawn])
    found = _between(D, drawn[:, block].astype(float))
    return Energy(float(found[0]), float(np.mean(found >= found[0] * (1 - 1e-12))))


def _between(D: Float[np.ndarray, "rows rows"], Z: Float[np.ndarray, "draws rows"]) -> Float[np.ndarray, " draws"]:
    """Energy distance between the rows that Z marks with 1 and the others, for each draw."""
    a, b = Z.sum(axis=1), (1 - Z).sum(axis=1)
    ZD = Z @ D
    inside = (ZD * Z).sum(axis=1)
    across = ZD.sum(axis=1) - inside
    outside = D.sum() - inside - 2 * across
    return 2 * across / (a * b) - inside / a**2 - outside / b**2


def _pair(X: np.ndarray, Y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    X, Y = np.asarray(X, dtype=float), np.asarray(Y, dtype=float)
    if X.ndim != 2 or Y.ndim != 2 or X.shape[1] != Y.shape[1] or not len(X) or not len(Y):
        raise InputError(f"two samples (rows, n) of the same columns are compared, not {X.shape} and {Y.shape}")
    if not (np.isfinite(X).all() and np.isfinite(Y).all()):
        raise InputError("samples hold values that are not numbers: leave those rows out before comparing")
    return X, Y
