"""What a caller gets where a host did not answer, or not for a row: nothing (fail), or bounds.

    lower = base + sum over trees of the least leaf that a row may reach, upper the same with the greatest

where the guest's own ways and those of hosts that did answer are fixed, and at the others' splits both ways are open.
The bounds are outer ones: answers of one host depend on one another. A row whose bounds are equal is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from ascribe.core.errors import InputError
from ascribe.core.federated.codes import OK, of_host
from ascribe.core.federated.components.boosted_trees import BoostedTrees
from ascribe.core.federated.free import interval
from ascribe.core.federated.merged import Answer
from ascribe.core.federated.party import Local, Party, merge
from ascribe.core.federated.records import Reply, Routes
from ascribe.serve.federated.exchange import Failure, unasked

__all__ = ["POLICIES", "Partial", "checked", "settled"]

POLICIES = ("fail", "bounds")
ROWS_AT_ONCE = 256  # an interval holds every node of every row


@dataclass(frozen=True, eq=False)
class Partial:
    """`answer`: rows that were not answered hold NaN, their code and why. `lower`, `upper (b, K)`: margins, where the
    policy is bounds (of an answered row both are its margin; NaN where there are none). `open (b,)`: rows that lack a
    host's routes, answered or not: they cannot be explained. `lacks (b, hosts)`: which host's, where there are bounds.
    """

    answer: Answer
    open: np.ndarray
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None
    lacks: np.ndarray | None = None


def checked(policy: str) -> str:
    """Raises InputError."""
    if policy not in POLICIES:
        raise InputError(f"policy '{policy[:40]}' is not known: use {' or '.join(POLICIES)}")
    return policy


def settled(
    guest: Party, held: Local, replies: Mapping[str, Reply], failures: Mapping[str, Failure], policy: str
) -> Partial:
    """One merge, whatever is missing; the reason of a row says which policy applied."""
    trees = guest.pipeline.last[1]
    b = len(held.rows)
    if policy == "fail" or not isinstance(trees, BoostedTrees):
        return _failed(guest, held, replies, failures, policy)
    lacks = {host: np.ones(b, bool) if host in failures else replies[host].code != 0 for host in guest.hosts}
    if not any(rows.any() for rows in lacks.values()):
        answer = merge(guest, held, replies)
        return Partial(answer, np.zeros(b, bool), answer.margin, answer.margin)
    stand = {**unasked(guest, failures, b), **{h: _standing(r) for h, r in replies.items()}}
    answer = merge(guest, held, stand)
    lower, upper = answer.margin.copy(), answer.margin.copy()
    _bound(guest, trees, answer, lacks, lower, upper)
    code, reasons = answer.code.copy(), list(answer.reasons)
    open_ = np.any(list(lacks.values()), axis=0)
    for i in np.flatnonzero(open_ & (answer.code == OK) & (lower != upper).any(axis=1)):
        code[i], why = _why(int(i), lacks, replies, failures)
        reasons[i] = f"policy bounds: {why}"
    unknown = (code != OK)[:, None]
    answer = replace(
        answer, code=code, reasons=tuple(reasons), margin=np.where(unknown, np.nan, answer.margin),
        score=np.where(unknown, np.nan, answer.score),
    )  # fmt: skip
    return Partial(answer, open_, lower, upper, np.stack([lacks[host] for host in guest.hosts], axis=1))


def _standing(reply: Reply) -> Reply:
    """As if all rows were answered: what it says of one that failed, or leaves out, is not read."""
    failed, parts = reply.code != OK, dict(reply.parts)
    for name, part in parts.items():
        if isinstance(part, Routes) and part.known is not None:
            parts[name] = replace(part, known=part.known | failed)
    return replace(reply, code=np.zeros_like(reply.code), parts=parts)


def _failed(
    guest: Party, held: Local, replies: Mapping[str, Reply], failures: Mapping[str, Failure], policy: str
) -> Partial:
    """A row needs every host. A linear model has no bounds: that is said."""
    answer = merge(guest, held, replies)
    told = "policy fail" if policy == "fail" else "no bounds of a linear model"
    reasons, code = list(answer.reasons), answer.code.copy()
    for i in np.flatnonzero(answer.code != OK):
        own = held.context.code[i] != OK
        if not own:
            first = next((failures[h] for h in guest.hosts if h in failures), None)
            if first:
                code[i], reasons[i] = first.code, first.text
            reasons[i] = f"{told}: {reasons[i]}"
    return Partial(replace(answer, code=code, reasons=tuple(reasons)), code != OK)


def _bound(
    guest: Party, trees: BoostedTrees, answer: Answer, lacks: Mapping[str, np.ndarray], lower: np.ndarray,
    upper: np.ndarray,
) -> None:  # fmt: skip
    """Rows that lack the same hosts are bounded together."""
    assert trees.leaves is not None and answer.left is not None
    pattern = np.stack([lacks[host] for host in guest.hosts], axis=1)
    for held in np.unique(pattern[pattern.any(axis=1)], axis=0):
        known = np.ones(len(trees.structure.owner), bool)
        for host, gone in zip(guest.hosts, held, strict=True):
            if gone:
                known[trees.structure.splits_of(host)] = False
        rows = np.flatnonzero((pattern == held).all(axis=1))
        for k in range(0, len(rows), ROWS_AT_ONCE):
            at = rows[k : k + ROWS_AT_ONCE]
            lower[at], upper[at] = interval(trees.structure, trees.leaves, known, answer.left[at])
    bad = answer.code != OK
    lower[bad], upper[bad] = np.nan, np.nan


def _why(
    i: int, lacks: Mapping[str, np.ndarray], replies: Mapping[str, Reply], failures: Mapping[str, Failure]
) -> tuple[int, str]:
    host = next(host for host, rows in lacks.items() if rows[i])
    if host in failures:
        return failures[host].code, failures[host].text
    code = int(replies[host].code[i])
    return of_host(code), f"{host} answered {code}"
