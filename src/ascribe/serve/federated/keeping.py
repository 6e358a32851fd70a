"""Hosts are asked about held-out rows once; their replies stay with the guest's half, and the gate judges by them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ascribe.bundle.federated.replies import Replies, check_truth
from ascribe.core.errors import InputError
from ascribe.core.federated.codes import OK, WRONG_ANSWER
from ascribe.core.federated.party import ask
from ascribe.core.federated.records import Linear, Part, Reply, Routes
from ascribe.core.federated.table import Context, Table
from ascribe.serve.federated.exchange import exchanged
from ascribe.serve.federated.features.file import read_rows
from ascribe.serve.federated.link import Unanswered
from ascribe.serve.federated.opening import Guest
from ascribe.serve.federated.scoring import ROWS_AT_ONCE
from ascribe.serve.federated.settings import PartySettings

__all__ = ["kept"]


async def kept(guest: Guest, features: Path, label: str | None, parties: PartySettings) -> Replies:
    """The guest's columns of a file of rows, the truth in its column `label`, and what each host answers about their
    ids: an exchange for each thousand. Raises InputError where a host does not answer, or a column is not of numbers.
    """
    ids, rows = read_rows(features, (*guest.party.inputs, *([label] if label else ())))
    if not ids or len(set(ids)) < len(ids):
        raise InputError(f"{features} has no rows, or an id twice: give each row an id of its own")
    party = guest.party
    X = _numbers(rows, party.inputs, features)
    y = None if label is None else _numbers(rows, (label,), features)[:, 0]
    if y is not None and not np.isfinite(y).all():
        raise InputError(f"'{label}' of {features} is absent in some rows: leave those rows out")
    check_truth(party, y)
    for link in guest.links:  # how many rows a host takes is known once it is bound
        try:
            await link.bind(uuid.uuid4().hex, parties.timeout_s)
        except Unanswered as exc:
            raise InputError(f"the rows have no answer: {exc.text}") from exc
    most = min((ROWS_AT_ONCE, *(link.max_rows for link in guest.links)))
    found: list[Mapping[str, Reply]] = []
    for k in range(0, len(ids), most):
        asked = ask(party, ids[k : k + most])
        replies, failures = await exchanged(guest.links, asked, uuid.uuid4().hex, parties.timeout_s)
        if failures:
            raise InputError(f"the rows have no answer: {next(iter(failures.values())).text}")
        found.append(replies)
    return Replies(tuple(ids), X, {host: _joined([one[host] for one in found]) for host in party.hosts}, y)


def _numbers(rows: Table, columns: Sequence[str], features: Path) -> np.ndarray:
    """Rows as numbers (b, n), NaN where a value or its column is absent. Raises InputError."""
    context = Context("guest", len(rows))
    X = np.asarray(rows.matrix(columns, context))
    if context.code.any():
        first = int(np.flatnonzero(context.code)[0])
        raise InputError(f"row {first} of {features} cannot be kept: {context.reasons[first]}")
    return X


def _joined(parts: Sequence[Reply]) -> Reply:
    first = parts[0]
    code = np.concatenate([one.code for one in parts])
    held: dict[str, Part] = {}
    for name, part in first.parts.items():
        if isinstance(part, Routes):
            gaps = [_gaps(one.parts[name]) for one in parts]
            code = np.where((code == OK) & np.concatenate(gaps), WRONG_ANSWER, code)
            held[name] = Routes(np.concatenate([one.parts[name].bits for one in parts]))  # type: ignore[union-attr]
        else:
            held[name] = Linear(np.concatenate([one.parts[name].sums for one in parts]))  # type: ignore[union-attr]
    return Reply(first.party, first.digest, code.astype(np.uint8), held)


def _gaps(part: Part) -> np.ndarray:
    """Rows whose answer lacked a split: what is kept has bits alone, so they are kept as rows without an answer."""
    assert isinstance(part, Routes)
    return np.zeros(len(part.bits), bool) if part.known is None else ~part.known
