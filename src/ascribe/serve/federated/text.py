"""Routes as FATE-Serving writes them: for each row {"tree": {"node": true = left}}, a tree without own nodes {}."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from ascribe.core.errors import InputError
from ascribe.core.federated.records import Routes
from ascribe.core.federated.structure import Structure

__all__ = ["read_routes", "written_routes"]

_rows = msgspec.json.Decoder(list[dict[str, dict[str, bool]]])


def written_routes(structure: Structure, party: str, routes: Routes) -> bytes:
    """A list with an object for each row."""
    trees, names = _places(structure, party)
    out = []
    for row in routes.bits.tolist():
        held: dict[str, dict[str, bool]] = {str(t): {} for t in range(len(structure))}
        for tree, node, left in zip(trees, names, row, strict=True):
            held[tree][node] = left
        out.append(held)
    return msgspec.json.encode(out)


def read_routes(structure: Structure, party: str, raw: bytes, rows: int) -> Routes:
    """A row whose object lacks a split is not `known`; splits of other parties are left out.

    Raises InputError for what is no such list of `rows`.
    """
    try:
        held = _rows.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise InputError(f"the routes of {party} cannot be read as JSON ({exc}): its server is of another kind") from exc
    if len(held) != rows:
        raise InputError(f"{party} answered {len(held)} of {rows} rows: ask it again")
    return _of_rows(structure, party, held)


def _of_rows(structure: Structure, party: str, held: list[dict[str, Any]]) -> Routes:
    trees, names = _places(structure, party)
    bits, known = np.zeros((len(held), len(trees)), bool), np.ones(len(held), bool)
    for i, row in enumerate(held):
        for j, (tree, node) in enumerate(zip(trees, names, strict=True)):
            found = _at(row, tree, node)
            if isinstance(found, bool):
                bits[i, j] = found
            else:
                known[i] = False
    return Routes(bits, known)


def _at(row: Mapping[str, Any], tree: str, node: str) -> Any:
    nodes = row.get(tree)
    return nodes.get(node) if isinstance(nodes, Mapping) else None


def _places(structure: Structure, party: str) -> tuple[list[str], list[str]]:
    """Tree and node of each split of a party, as text."""
    nodes = structure.splits_of(party)
    trees = structure.tree[nodes]
    return [str(t) for t in trees], [str(n) for n in nodes - structure.start[trees]]
