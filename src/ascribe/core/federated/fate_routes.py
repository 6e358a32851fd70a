"""Routes as FATE-Serving writes them: for each row {"<tree>": {"<node>": true}}, true = left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ascribe.core.arrays import np
from ascribe.core.federated.records import Routes
from ascribe.core.federated.structure import Structure

__all__ = ["heard", "told"]


def told(structure: Structure, party: str, routes: Routes) -> list[dict[str, dict[str, bool]]]:
    """One mapping a row; a tree without own splits is empty."""
    name = _names(structure, party)
    out = []
    for row in routes.bits.tolist():
        held: dict[str, dict[str, bool]] = {str(i): {} for i in range(len(structure))}
        for (i, n), bit in zip(name, row, strict=True):
            held[i][n] = bit
        out.append(held)
    return out


def heard(structure: Structure, party: str, rows: Sequence[object]) -> Routes:
    """The party's bits; what it says of other parties' nodes is not read. A row that lacks one of its own splits, or
    says something that is no truth value, is not `known`.
    """
    name = _names(structure, party)
    bits, known = np.zeros((len(rows), len(name)), bool), np.ones(len(rows), bool)
    for r, row in enumerate(rows):
        for j, (i, n) in enumerate(name):
            held = row.get(i) if isinstance(row, Mapping) else None
            bit = held.get(n) if isinstance(held, Mapping) else None
            if isinstance(bit, bool):
                bits[r, j] = bit
            else:
                known[r] = False
    return Routes(bits, known)


def _names(structure: Structure, party: str) -> list[tuple[str, str]]:
    """Tree and node of each split of the party, numbered within the tree."""
    nodes = structure.splits_of(party)
    tree = structure.tree[nodes]
    return [(str(i), str(n)) for i, n in zip(tree, nodes - structure.start[tree], strict=True)]
