"""What branches are weighed by where a player is absent: rows that came by while training, or while counting."""

from __future__ import annotations

from ascribe.core.arrays import Bool, np
from ascribe.core.errors import InputError
from ascribe.core.federated.leaves import reached
from ascribe.core.federated.structure import Structure

__all__ = ["counted", "summed"]


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
