"""The real pair, and three parties made by hand, with what everybody's rows are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ascribe.core.federated.party import Party
from ascribe.core.federated.table import Table
from ascribe.train.adapters.fate import read_fate
from tests.train.adapters.fate import made, real

GUEST_CSV, HOST_CSV = (real.FATE / f"breast_hetero_{role}.csv" for role in ("guest", "host"))
BANK = "host:10000"


@cache
def pair() -> tuple[Party, Party]:
    """SecureBoost of FATE-Serving's own files: guest and host."""
    return real.party("secureboost", "guest"), real.party("secureboost", "host")


def ids() -> list[str]:
    return list(real.table("guest"))


def mine(names: list[str]) -> Table:
    """The guest's rows, as texts."""
    return Table.of_rows([real.table("guest")[name] for name in names])


@cache
def scores() -> dict[str, tuple[float, float]]:
    """Margin and score as recorded."""
    import csv

    with (real.FATE / "secureboost" / "expected_scores.csv").open() as file:
        return {row["id"]: (float(row["margin"]), float(row["score"])) for row in csv.DictReader(file)}


@dataclass(frozen=True)
class Three:
    """A guest and two hosts, rows with all columns by id, and the margins of one party that would have everything."""

    guest: Party
    hosts: dict[str, Party]
    rows: dict[str, dict[str, float]]
    margin: np.ndarray

    def of(self, party: str) -> dict[str, dict[str, Any]]:
        """What a party has of each row."""
        return {name: {c: row[c] for c in made.COLUMNS[party] if c in row} for name, row in self.rows.items()}


def three(
    folder: Path, seed: int = 5, count: int = 40, depth: int = 4, trees: int = 6,
    given: list[list[made.Node]] | None = None,
) -> Three:  # fmt: skip
    rng = np.random.default_rng(seed)
    names = (made.GUEST, made.HOST, made.OTHER)
    world = made.World(given or [made.random_tree(rng, depth, names) for _ in range(trees)])
    parties = {}
    for party in names:
        file = made.cache(folder / f"{party.replace(':', '-')}.model_cache.json", made.trees_files(world, party))
        parties[party] = read_fate(file, party.partition(":")[0])
    rows = dict(zip((f"r{i}" for i in range(count)), made.random_rows(count, seed), strict=True))
    margin = np.array([made.margins(world, row)[0] for row in rows.values()])
    return Three(parties[made.GUEST], {n: parties[n] for n in names[1:]}, rows, margin)
