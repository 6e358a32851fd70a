"""A plan's coalitions as complementary pairs.

A Shapley value sees a game only through its odd part: with s in {-1, 1}^p (1: present) and -s its complement,

    w(s) = (v(s) - v(-s)) / 2,      phi_i = sum over pairs of q_i(s) w(s),      q_i(s) = 2 x Shapley weight of s

so a pair is one observation. Pair 0 is grand against empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from ascribe.core.arrays import Float, np
from ascribe.core.coalitions import pairs_of_sizes, shapley_weights, signs
from ascribe.core.plan import GROUPS, Plan

__all__ = ["Pairs", "pairs_of"]


@dataclass(frozen=True, eq=False)
class Pairs:
    """`s (n, p)` of -1 and 1; rows `up (n,)` and `down (n,)` of the plan hold s and its complement; `q (n, p)` as
    above; `mass (n,)` the kernel weight that each pair stands for, summing to 1, 0 for the first; `share (n,)` of all
    pairs of its size, those that are here.
    """

    s: Float[np.ndarray, "n p"]
    q: Float[np.ndarray, "n p"]
    mass: Float[np.ndarray, " n"]
    share: Float[np.ndarray, " n"]
    up: np.ndarray
    down: np.ndarray
    m: int

    def odd(self, v: Float[np.ndarray, " m"]) -> Float[np.ndarray, " n"]:
        """w of each pair."""
        return (v[self.up] - v[self.down]) / 2

    def groups(self) -> list[np.ndarray]:
        """The numbers of all pairs but the first, in groups: what each of them does to phi tells the error."""
        n = len(self.s)
        return [np.arange(1 + g, n, GROUPS) for g in range(min(GROUPS, n - 1))]

    def on_values(self, W: Float[np.ndarray, "p n"]) -> Float[np.ndarray, "p m"]:
        """A matrix on pairs as a matrix on the plan's coalitions."""
        out = np.zeros((len(W), self.m))
        out[:, self.up], out[:, self.down] = W / 2, -W / 2
        return out


@lru_cache(maxsize=8)
def pairs_of(plan: Plan) -> Pairs:
    """The pairs of a plan whose coalitions come with their complements."""
    S, p = plan.S, plan.S.shape[1]
    order = np.lexsort(S.T)
    down = np.empty(len(S), dtype=int)
    down[order] = np.lexsort((~S).T)  # the k-th smallest coalition is the complement of the k-th smallest complement
    up = np.flatnonzero(np.arange(len(S)) < down)
    size = S[up].sum(axis=1)
    up = np.where(2 * size > p, down[up], up)  # the smaller half, as it was drawn
    up[0] = len(S) - 1
    size = S[up].sum(axis=1)
    size[0] = 0
    count = np.bincount(size)
    mass = np.where(2 * size == p, 0.5, 1.0) / np.maximum(size * (p - size), 1) / count[size]
    mass[0] = 0
    chosen = S[up]
    share = count[size] / pairs_of_sizes(p)[size]
    q = 2 * shapley_weights(chosen)
    return Pairs(signs(chosen), q, mass / mass.sum(), share, up, down[up], len(S))
