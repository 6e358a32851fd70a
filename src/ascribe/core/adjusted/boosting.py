"""Boosted regression trees on present and absent, whose Shapley values are exact.

Squares are minimised by `ROUNDS` trees of `DEPTH` levels; a node splits on the player with the largest gain
g1^2 / (c1 + l) + g0^2 / (c0 + l), g the weighted residuals and c the weights of the rows where it is present and
absent; of equal ones, that of the player with the larger gain over all rows. A leaf reached with the players P present
and N absent is a game: its value where all of P and none of N are in S, else 0. Of that game

    phi_i = (|P|-1)! |N|! / (|P|+|N|)!  for i in P,     -|P|! (|N|-1)! / (|P|+|N|)!  for i in N

times its value, and the forest's values are the sum over leaves.
"""

from __future__ import annotations

from dataclasses import dataclass

from scipy.special import gammaln

from ascribe.core.arrays import Bool, Float, np

__all__ = ["Forest", "grow"]

DEPTH, ROUNDS, RATE, RIDGE = 5, 100, 0.3, 0.5
LEAST_GAIN = 1e-12
TIE = 1e-6  # of the gain over all rows, added to a node's


@dataclass(frozen=True, eq=False)
class Forest:
    """`players[t][l] (2^l,)`: on whom each node of level l of tree t splits (-1: not at all); `leaves (trees, 2^depth)`
    values; a row goes to node 2k + 1 where the player is present, else to 2k.
    """

    base: float
    players: list[list[np.ndarray]]
    leaves: Float[np.ndarray, "trees leaves"]

    def __call__(self, S: Bool[np.ndarray, "m p"]) -> Float[np.ndarray, " m"]:
        """The value of each coalition."""
        out = np.full(len(S), self.base)
        for levels, leaves in zip(self.players, self.leaves, strict=True):
            node = np.zeros(len(S), dtype=int)
            for player in levels:
                node = _step(S, node, player)
            out += leaves[node]
        return out

    def shapley(self, p: int) -> Float[np.ndarray, " p"]:
        """Exact, by the formula above."""
        paths = np.concatenate([_paths(levels, p) for levels in self.players])
        present, absent = (paths > 0).sum(axis=1), (paths < 0).sum(axis=1)
        whole = gammaln(present + absent + 1)
        with np.errstate(invalid="ignore", over="ignore"):
            joins = np.where(present > 0, np.exp(gammaln(present) + gammaln(absent + 1) - whole), 0)
            stays = np.where(absent > 0, np.exp(gammaln(present + 1) + gammaln(absent) - whole), 0)
        value = self.leaves.reshape(-1)
        return (value * joins) @ (paths > 0) - (value * stays) @ (paths < 0)


def _step(S: np.ndarray, node: np.ndarray, player: np.ndarray) -> np.ndarray:
    on = player[node]
    return 2 * node + (S[np.arange(len(S)), on] & (on >= 0))


def _paths(levels: list[np.ndarray], p: int) -> np.ndarray:
    """For each leaf, 1 where its rows have the player, -1 where they lack it, (leaves, p)."""
    paths = np.zeros((1, p), dtype=np.int8)
    for player in levels:
        paths = np.repeat(paths, 2, axis=0)
        split = np.flatnonzero(player >= 0)
        paths[2 * split, player[split]] = -1
        paths[2 * split + 1, player[split]] = 1
    return paths


def grow(S: Bool[np.ndarray, "m p"], v: Float[np.ndarray, " m"], weight: Float[np.ndarray, " m"]) -> Forest:
    """A forest fitted to v with weights of mean 1. Deterministic."""
    base = float(weight @ v / weight.sum())
    left = v - base
    present = S.astype(np.float32)
    players, leaves = [], []
    for _ in range(ROUNDS):
        node, levels = np.zeros(len(v), dtype=int), []
        pull = weight * left
        first = np.zeros(S.shape[1])
        for level in range(DEPTH):
            split, gain = _splits(present, node, weight, pull, 2**level, first)
            first = first if level else TIE * gain[0]
            levels.append(split)
            node = _step(S, node, levels[-1])
        sums = np.bincount(node, pull, 2**DEPTH), np.bincount(node, weight, 2**DEPTH)
        value = RATE * sums[0] / (sums[1] + RIDGE)
        left = left - value[node]
        players.append(levels)
        leaves.append(value)
    return Forest(base, players, np.array(leaves))


def _splits(
    present: np.ndarray, node: np.ndarray, weight: np.ndarray, pull: np.ndarray, count: int, first: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The best player for each of `count` nodes, -1 where no split gains, and the gains; sums per node by runs of
    sorted rows.
    """
    order = np.argsort(node, kind="stable")
    ordered = node[order]
    start = np.flatnonzero(np.diff(ordered, prepend=-1))
    rows, w, g = present[order], weight[order], pull[order]
    c1 = np.add.reduceat(rows * w.astype(np.float32)[:, None], start).astype(float)
    g1 = np.add.reduceat(rows * g.astype(np.float32)[:, None], start).astype(float)
    c, total = np.add.reduceat(w, start)[:, None], np.add.reduceat(g, start)[:, None]
    gain = g1**2 / (c1 + RIDGE) + (total - g1) ** 2 / (np.maximum(c - c1, 0) + RIDGE) - total**2 / (c + RIDGE)
    best = (gain + first).argmax(axis=1)
    out = np.full(count, -1)
    out[ordered[start]] = np.where(gain.max(axis=1) > LEAST_GAIN * (pull @ pull), best, -1)
    return out, gain
