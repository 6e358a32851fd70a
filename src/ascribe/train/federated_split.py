"""A model file of XGBoost or LightGBM, and whose columns are whose -> a half for each party."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from ascribe.bundle.federated.replies import Replies
from ascribe.bundle.tables import read_table, refuse_repeated
from ascribe.core.errors import InputError
from ascribe.core.federated.party import Party, answer, ask
from ascribe.core.federated.split import GUEST, split_trees
from ascribe.core.federated.table import Table
from ascribe.core.trees import Trees
from ascribe.core.words import listed

__all__ = ["held_out", "read_parties", "sharing", "split_model"]


def split_model(path: Path, parties: Mapping[str, str]) -> dict[str, Party]:
    """By name of party. Raises InputError for a file that is no model of trees, and as `split_trees`."""
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise InputError(f"{path} cannot be read ({exc.strerror or exc})") from exc
    return split_trees(_trees(raw, path), parties, f"{path.stem}@{sha256(raw).hexdigest()[:12]}")


def read_parties(path: Path) -> dict[str, str]:
    """`{"column": "guest", "column": "bank"}` from JSON. Raises InputError."""
    try:
        held = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as exc:
        raise InputError(f"{path} is no map of columns to parties ({exc}): write it as JSON") from exc
    if not isinstance(held, dict) or not held or not all(isinstance(v, str) for v in held.values()):
        raise InputError(f'{path}: write {{"column": "party"}}, with "guest" for the party that has the label')
    return held


def sharing(halves: Mapping[str, Party], hosts: Sequence[str]) -> dict[str, Party]:
    """The halves, with the consent of these hosts that the guest sees parts by column. Raises InputError."""
    if unknown := [name for name in hosts if name not in halves or name == GUEST]:
        raise InputError(f"'{unknown[0]}' is no host of the map: it has {listed([n for n in halves if n != GUEST])}")
    return {name: replace(half, shares_columns=name in hosts) for name, half in halves.items()}


def held_out(halves: Mapping[str, Party], path: Path, label: str | None) -> Replies:
    """Rows of a file with every party's columns and an `id`, as the guest may keep them: its own columns, the truth
    (column `label`), and what each host would answer about these ids. Raises InputError.
    """
    table = read_table(path, texts=("id",))  # "007" is no number
    wanted = ["id", *(column for half in halves.values() for column in half.inputs), *([label] if label else [])]
    if lacking := [name for name in wanted if name not in table.column_names]:
        raise InputError(f"{path} has no column {listed(lacking)}: held-out rows have an id and all parties' columns")
    refuse_repeated(table, wanted, path)
    ids = tuple(table["id"].cast(pa.string()).to_pylist())
    if not ids or len(set(ids)) < len(ids) or not all(ids):
        raise InputError(f"{path} has no rows, one without an id, or an id twice: give each row one of its own")

    def of(half: Party) -> np.ndarray:
        try:
            held = [table[name].cast("float64").to_numpy(zero_copy_only=False) for name in half.inputs]
        except pa.ArrowException as exc:
            raise InputError(f"{path} has a column of {half.name} that is not of numbers ({exc})") from exc
        return np.column_stack(held) if held else np.empty((len(ids), 0))

    guest = halves[GUEST]
    asked = ask(guest, ids)
    hosts = {
        half.name: answer(half, asked, Table.of_matrix(half.inputs, of(half)))
        for half in halves.values()
        if half.name in guest.hosts
    }
    try:
        y = None if label is None else table[label].cast("float64").to_numpy(zero_copy_only=False)
    except pa.ArrowException as exc:
        raise InputError(f"'{label}' of {path} is not of numbers ({exc}): write classes as 0, 1, ...") from exc
    if y is not None and not np.isfinite(y).all():
        raise InputError(f"'{label}' of {path} is absent in some rows: leave those rows out")
    return Replies(ids, of(guest), hosts, y)


def _trees(raw: bytes, path: Path) -> Trees:
    if raw.startswith(b"tree\n"):
        from ascribe.train.adapters.lightgbm_trees import lightgbm_trees

        return _read(lambda: lightgbm_trees(raw.decode()), path, "LightGBM")
    if raw[:1] == b"{":  # JSON and UBJSON both
        import xgboost

        from ascribe.train.adapters.xgboost_trees import xgboost_trees

        return _read(lambda: xgboost_trees(xgboost.Booster(model_file=bytearray(raw))), path, "XGBoost")
    kinds = listed(["XGBoost (.json, .ubj)", "LightGBM (.txt)"])
    raise InputError(f"{path} is no model of trees that can be split: use {kinds}")


def _read(read: Any, path: Path, library: str) -> Trees:
    try:
        held: Trees = read()
    except InputError:
        raise
    except Exception as exc:  # xgboost's own errors have no common root
        raise InputError(f"{path} cannot be read as a model of {library}: save it again") from exc
    return held
