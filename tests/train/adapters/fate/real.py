"""The real models of examples/data/fate, their table and their expected answers."""

from __future__ import annotations

import csv
import json
from functools import cache
from pathlib import Path

import numpy as np

from ascribe.core.federated import Answer, Party, Table, answer, score
from ascribe.train.adapters.fate import read_fate

FATE = Path(__file__).resolve().parents[4] / "examples" / "data" / "fate"


@cache
def party(model: str, role: str, semantics: str = "serving-2.1") -> Party:
    return read_fate(FATE / model / f"{role}.model_cache.json", role, semantics)


@cache
def expected(model: str, name: str = "expected") -> dict:
    return json.loads((FATE / model / f"{name}.json").read_text())


@cache
def table(role: str) -> dict[str, dict[str, str]]:
    """By id: columns as texts, as they are in the file."""
    with (FATE / f"breast_hetero_{role}.csv").open() as file:
        return {row.pop("id"): {k: v for k, v in row.items() if k != "y"} for row in csv.DictReader(file)}


def labels() -> np.ndarray:
    with (FATE / "breast_hetero_guest.csv").open() as file:
        return np.array([int(row["y"]) for row in csv.DictReader(file)])


def ask(guest: Party, host: Party, mine: list[dict], theirs: list[dict]) -> Answer:
    """Both sides in one process; ids are numbers of rows."""
    name = guest.hosts[0]
    calls = {name: lambda asked: answer(host, asked, Table.of_rows([theirs[int(i)] for i in asked.ids]))}
    return score(guest, Table.of_rows(mine), range(len(mine)), calls)
