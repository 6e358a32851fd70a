"""What branches are weighed by where a player is absent: rows that came by while training, or while counting."""

from __future__ import annotations

from ascribe.core.arrays import Bool, np
from ascribe.core.errors import InputError
from ascribe.core.federated.leaves import reached
from ascribe.core.federated.structure import Structure

__all__ = ["counted", "from_weights", "summed"]


def summed(structure: Structure, count: np.ndarray) -> np.ndarray:
    """Rows of leaves (nodes,) added up to the roots: c(n) = c(left) + c(right)."""
    cover = np.where(structure.leaf, np.asarray(count, dtype=float), 0.0)
    for level in structure.levels[::-1]:
        inner = level[~structure.leaf[level]]
        cover[inner] = cover[structure.left[inner]] + cover[structure.right[inner]]
    return cover


def counted(structure: Structure, left: Bool[np.ndarray, "b nodes"]) -> np.ndarray:
    """Cover (nodes,) from rows whose way at every node is known, such as the guest's background rows with the hosts'
    replies to their ids. Raises InputError for no rows.
    """
    if not len(left):
        raise InputError("no background row was answered: there is nothing to count")
    return summed(structure, np.bincount(reached(structure, left).ravel(), minlength=len(structure.owner)))


def from_weights(structure: Structure, weight: np.ndarray, rows: float, penalty: float) -> np.ndarray:
    """Training rows of each node of tree 0 of a binary classifier, from nothing but the guest's weights (nodes of tree
    0,), before the learning rate; `rows` in all, `penalty` lambda. With w = -G / (H + lambda) and H = rows / 4 at the
    root (p = 1/2 everywhere):

        H_l = ((w_p - w_r)(H_p + lambda) - w_l lambda) / (w_l - w_r),     H_r = H_p - H_l,     count = 4 H

    What a file with the weights of splits gives away. NaN below a split whose children weigh the same.
    """
    hessian = np.full(len(weight), np.nan)
    hessian[0] = rows / 4
    for level in structure.levels:
        for n in level[(structure.tree[level] == 0) & ~structure.leaf[level]]:
            a, b = structure.left[n], structure.right[n]
            with np.errstate(divide="ignore", invalid="ignore"):
                hessian[a] = ((weight[n] - weight[b]) * (hessian[n] + penalty) - weight[a] * penalty) / (
                    weight[a] - weight[b]
                )
            hessian[b] = hessian[n] - hessian[a]
    return 4 * hessian
