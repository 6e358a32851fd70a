"""Random trees split between a guest and a host, and a walk of them by somebody who sees everything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ascribe.core.federated import Party, Pipeline, Step, Table, answer, score
from ascribe.core.federated.components import BoostedTrees
from ascribe.core.federated.leaves import Leaves
from ascribe.core.federated.splits import Splits
from ascribe.core.federated.structure import Structure

COLUMNS = {"guest:1": ("a", "b"), "host:2": ("y", "z")}


@dataclass(frozen=True, eq=False)
class Forest:
    structure: Structure
    leaves: Leaves
    column: list[str]
    threshold: list[float]
    halves: dict[str, BoostedTrees]

    def party(self, name: str, *before: Step) -> Party:
        return Party(name, Pipeline((*before, Step("t", self.halves[name], before[-1].name if before else ""))), "m")

    def walk(self, tree: int, row: dict[str, float]) -> list[int]:
        """Nodes from the root to the leaf."""
        way = [int(self.structure.start[tree])]
        while self.column[n := way[-1]]:
            way.append(
                int((self.structure.left if row[self.column[n]] <= self.threshold[n] else self.structure.right)[n])
            )
        return way

    def margin(self, row: dict[str, float]) -> float:
        ends = [self.walk(t, row)[-1] for t in range(len(self.structure))]
        return float(self.leaves.base[0] + sum(self.leaves.value[n, 0] for n in ends))

    def answered(self, rows: list[dict[str, float]]):
        """As the guest has it, with its host in this process."""
        host, ids = self.party("host:2"), [str(i) for i in range(len(rows))]
        mine = [{name: row[name] for name in COLUMNS["guest:1"]} for row in rows]
        return score(
            self.party("guest:1"), Table.of_rows(mine), ids,
            {"2": lambda asked: answer(host, asked, Table.of_rows([rows[int(i)] for i in asked.ids]))},
        )  # fmt: skip


def a_forest(seed: int, trees: int = 4, depth: int = 3) -> Forest:
    rng = np.random.default_rng(seed)
    start, owner, left, right, column, threshold = [0], [], [], [], [], []

    def grow(level: int) -> int:
        n = len(owner)
        for held, empty in ((owner, -1), (left, -1), (right, -1), (column, ""), (threshold, np.nan)):
            held.append(empty)
        if level == 0 or (level < depth and rng.random() < 0.8):
            owner[n] = int(rng.integers(2))
            column[n] = list(COLUMNS.values())[owner[n]][rng.integers(2)]
            threshold[n] = round(rng.normal(), 1)
            left[n], right[n] = grow(level + 1), grow(level + 1)
        return n

    for _ in range(trees):
        grow(0)
        start.append(len(owner))
    structure = Structure(tuple(COLUMNS), *(np.array(held) for held in (start, owner, left, right)))
    nodes = len(owner)
    leaves = Leaves(rng.normal(size=(nodes, 1)), np.zeros(trees, int), np.array([0.3]), inner=True)
    halves = {}
    for name, columns in COLUMNS.items():
        own = structure.splits_of(name)
        splits = Splits(
            columns, np.array([columns.index(column[n]) for n in own], int), np.array([threshold[n] for n in own]),
            np.zeros(len(own), bool),
        )  # fmt: skip
        halves[name] = BoostedTrees(name, structure, splits, leaves if name == "guest:1" else None)
    return Forest(structure, leaves, column, threshold, halves)


def some_rows(seed: int, count: int) -> list[dict[str, float]]:
    rng = np.random.default_rng(seed)
    names = [name for columns in COLUMNS.values() for name in columns]
    return [dict(zip(names, row, strict=True)) for row in rng.normal(size=(count, len(names))).tolist()]
