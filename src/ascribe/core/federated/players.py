"""Who shares a score: the guest's own columns, and every host as one player."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ascribe.core.arrays import np
from ascribe.core.errors import InputError
from ascribe.core.federated.components.boosted_trees import BoostedTrees

__all__ = ["TreePlayers", "tree_players"]


@dataclass(frozen=True, eq=False)
class TreePlayers:
    """`names (p,)`; `player (nodes,)`: whose each split is, -1 at leaves. `guests`: how many are guest's columns."""

    names: tuple[str, ...]
    player: np.ndarray
    guests: int


def tree_players(
    trees: BoostedTrees, hosts: Mapping[str, str] | None = None, columns: Mapping[str, Sequence[str]] | None = None
) -> TreePlayers:
    """The guest's columns in its order, then hosts by the names that `hosts` gives them (default: their full names).

    `columns`: of a host that agreed, the column of each of its splits (`column_of_splits`): its columns then play one
    by one, as "NAME.column". That is another game: their sum is not what the united host gets. Raises InputError.
    """
    names = list(trees.columns)
    player = np.full(len(trees.structure.owner), -1)
    player[trees.structure.splits_of(trees.party)] = trees.splits.feature
    for host in trees.hosts:
        nodes = trees.structure.splits_of(host)
        label = (hosts or {}).get(host, host)
        told = (columns or {}).get(host)
        if told is None:
            player[nodes] = len(names)
            names.append(label)
            continue
        if len(told) != len(nodes):
            raise InputError(f"{host} told {len(told)} columns for {len(nodes)} splits: ask it again")
        place = {column: len(names) + i for i, column in enumerate(dict.fromkeys(told))}
        player[nodes] = [place[column] for column in told]
        names += [f"{label}.{column}" for column in place]
    if len(set(names)) < len(names):
        raise InputError("a host is called as a column of the guest: give it another name")
    return TreePlayers(tuple(names), player, len(trees.columns))
