"""What costs nothing beside the score: margin steps, and the interval over all that hosts could answer."""

from __future__ import annotations

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.errors import InputError
from ascribe.core.federated.leaves import Leaves
from ascribe.core.federated.structure import Structure

__all__ = ["interval", "steps"]


def steps(
    structure: Structure, leaves: Leaves, player: np.ndarray, players: int, left: Bool[np.ndarray, "b nodes"]
) -> tuple[np.ndarray, np.ndarray]:
    """Margin steps (Saabas): base (K,) of the roots' weights, and what each player's splits on the row's path change
    (b, K, p). They sum to the margin; they are not Shapley values, since the order of splits counts. No cover needed.

    Raises InputError where the weights of splits were left out.
    """
    if not leaves.inner:
        raise InputError("the weights of splits were left out of this model: import it without --strip")
    roots, b, k = structure.start[:-1], len(left), len(leaves.base)
    base, out = leaves.base.astype(float).copy(), np.zeros((b, k, players))
    np.add.at(base, leaves.output, leaves.value[roots, 0])
    node, row = np.tile(roots, (b, 1)), np.arange(b)[:, None]
    for _ in range(len(structure.levels) - 1):
        below = np.where(left[row, node], structure.left[node], structure.right[node])
        moved = below >= 0
        r, t = np.nonzero(moved)
        here, there = node[r, t], below[r, t]
        np.add.at(out, (r, leaves.output[t], player[here]), leaves.value[there, 0] - leaves.value[here, 0])
        node = np.where(moved, below, node)
    return base, out


def interval(
    structure: Structure, leaves: Leaves, own: np.ndarray, left: Bool[np.ndarray, "b nodes"]
) -> tuple[Float[np.ndarray, "b k"], Float[np.ndarray, "b k"]]:
    """Lowest and highest margin if every host's answer could be either way, the guest's own fixed; `own (nodes,)`: the
    guest's splits. An outer bound: answers of one host depend on one another.
    """
    wide = leaves.value.shape[1] > 1
    k = len(leaves.base)
    found = []
    for end in (np.minimum, np.maximum):
        held = np.broadcast_to(leaves.value, (len(left), *leaves.value.shape)).copy()
        for level in structure.levels[::-1]:
            n = level[~structure.leaf[level]]
            a, b = held[:, structure.left[n]], held[:, structure.right[n]]
            fixed = np.where(left[:, n][:, :, None], a, b)
            held[:, n] = np.where(own[n][None, :, None], fixed, end(a, b))
        roots = held[:, structure.start[:-1]]
        out = np.repeat(leaves.base[None].astype(float), len(left), axis=0)
        for c in range(k):
            out[:, c] += roots[:, :, c].sum(axis=1) if wide else roots[:, leaves.output == c, 0].sum(axis=1)
        found.append(out)
    return found[0], found[1]
