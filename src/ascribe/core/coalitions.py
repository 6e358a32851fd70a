"""Coalitions: boolean rows, True = present = observed."""

from __future__ import annotations

from itertools import combinations
from math import comb

from scipy.special import gammaln

from ascribe.core.arrays import Bool, Float, np

__all__ = ["all_coalitions", "distinct_subsets", "pairs_of_sizes", "shapley_weights", "signs"]

MANY = 10**300  # as many pairs as a float tells; no budget comes near
ENUMERATE_BELOW = 20_000  # so few subsets of one size are listed and shuffled rather than drawn and compared


def all_coalitions(n: int) -> Bool[np.ndarray, "m n"]:
    """Every subset of `n` players, as binary numbers: row 0 is empty, the last row is the grand coalition.

    >>> all_coalitions(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return (np.arange(2**n)[:, None] >> np.arange(n)) & 1 == 1


def distinct_subsets(n: int, size: int, count: int, rng: np.random.Generator) -> Bool[np.ndarray, "count n"]:
    """`count` different subsets of one size, uniform without replacement; for `2 size = n` no subset comes with its
    complement (each complementary pair is represented once, by the half that holds player 0).

    >>> distinct_subsets(4, 2, 3, np.random.default_rng(0)).sum(axis=1).tolist()
    [2, 2, 2]
    """
    halved = 2 * size == n
    free, take = (n - 1, size - 1) if halved else (n, size)  # player 0 is fixed in the halved case
    if comb(free, take) <= ENUMERATE_BELOW:
        members = np.array(list(combinations(range(free), take)), dtype=int).reshape(-1, take)
        members = members[rng.permutation(len(members))[:count]]
    else:
        members = np.empty((0, take), dtype=int)
        while len(members) < count:  # collisions are rare here: the pool is far larger than any budget
            drawn = np.sort(rng.random((count, free)).argpartition(take, axis=1)[:, :take], axis=1)
            _, first = np.unique(np.vstack([members, drawn]), axis=0, return_index=True)
            members = np.vstack([members, drawn])[np.sort(first)]
        members = members[:count]
    rows = np.zeros((len(members), n), dtype=bool)
    if halved:
        rows[:, 0] = True
        members = members + 1
    np.put_along_axis(rows, members, True, axis=1)
    return rows


def pairs_of_sizes(p: int) -> Float[np.ndarray, " k"]:
    """How many pairs of a coalition and its complement there are, by the size 0 ... p // 2 of the smaller one.

    >>> pairs_of_sizes(4).tolist(), pairs_of_sizes(2000)[1:3].tolist()
    ([1.0, 4.0, 3.0], [2000.0, 1999000.0])
    """
    return np.array([float(min(comb(p, k) // (2 if 2 * k == p else 1), MANY)) for k in range(p // 2 + 1)])


def signs(S: Bool[np.ndarray, "m p"]) -> Float[np.ndarray, "m p"]:
    """1 where a player is present, -1 where it is absent: a coalition's complement is its negative."""
    return np.where(S, 1.0, -1.0)


def shapley_weights(S: Bool[np.ndarray, "m p"]) -> Float[np.ndarray, "m p"]:
    """What a coalition's value counts in phi_i when all are known, Shapley (1953):

    (|S|-1)! (p-|S|)! / p!  if i in S,   -|S|! (p-|S|-1)! / p!  otherwise
    """
    p, size = S.shape[1], S.sum(axis=1)
    with np.errstate(invalid="ignore"):
        joins = np.exp(gammaln(size) + gammaln(p - size + 1) - gammaln(p + 1))
        stays = -np.exp(gammaln(size + 1) + gammaln(p - size) - gammaln(p + 1))
    return np.where(S, joins[:, None], stays[:, None])
