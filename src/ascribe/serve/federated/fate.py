"""The inference calls of FATE-Serving 2.x: JSON in, JSON out, its return codes; head and body may be one object.

Beyond theirs a caller may state, in head or body: `policy` (fail or bounds) and `explain` (true). Answers then have
`explanation` (base_value, margin, values by player; of several classes the first, which `output` names) or `bounds`
(margin and score, lowest and highest), and `warn`.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import msgspec
import numpy as np

from ascribe.bundle.unreadable import UNREADABLE
from ascribe.core.errors import InputError, NotFound
from ascribe.core.federated.codes import BAD_PARAMETER, NETWORK, OVERLOADED, SYSTEM
from ascribe.core.federated.party import Party
from ascribe.core.federated.table import Table
from ascribe.core.trees.walk import linked
from ascribe.serve import codec
from ascribe.serve.access.auth import require
from ascribe.serve.access.callers import Caller
from ascribe.serve.faults import Problem, problem_of
from ascribe.serve.federated.fate_packet import row_id
from ascribe.serve.federated.guest_room import GuestRoom
from ascribe.serve.federated.held import GuestLease
from ascribe.serve.federated.partial import checked
from ascribe.serve.federated.scored import Asked, Scored
from ascribe.serve.observe.log import Entry

__all__ = ["CODES", "FateRoom"]

CODES = {
    "too_large": BAD_PARAMETER, "invalid_input": BAD_PARAMETER, "unsupported": BAD_PARAMETER, "precondition": 123,
    "not_found": 104, "auth": 129, "forbidden": 129, "shed": OVERLOADED, "unavailable": 111, "deadline": NETWORK,
}  # fmt: skip
NOT_BOUND = 122
FORBIDDEN = re.compile(r"[?:/&]")

_any = msgspec.json.Decoder()


class _UnboundError(NotFound):
    """No such service id."""


@dataclass(frozen=True)
class _Call:
    """What a client wrote, row by row: `places` as it numbers them, the guest's columns, ids for hosts; `wrong`: why a
    row of a batch cannot be asked, by its number here. `good`: those that can, in order of `rows` and `ids`.
    """

    places: list[int]
    good: list[int]
    rows: list[Mapping[str, Any]]
    ids: list[str]
    wrong: Mapping[int, str]
    policy: str
    explain: bool


class FateRoom:
    """The same room under FATE-Serving's words. `service_id`: the one that is bound (empty: any is taken)."""

    def __init__(self, room: GuestRoom, service_id: str, policy: str) -> None:
        self._room, self._service_id, self._policy = room, service_id, policy

    async def answer(
        self, raw: bytes, batch: bool, caller: Caller, entry: Entry, within_s: float | None = None
    ) -> dict[str, Any]:
        """Always an answer: what went wrong is a return code. The entry learns the fault."""
        case_id = entry.request_id
        try:
            asked = _read(raw)
            case_id = entry.request_id = _case_id(asked)
            self._bound(asked)
            lease = self._room.lease()
            call = self._call(lease, asked, batch)
            entry.asked(len(call.places), lease.name, lease.version)
            caller = require(caller, "explain" if call.explain else "predict")
            how = Asked(case_id, call.policy, call.explain, within_s=within_s)
            found = None
            if call.good:
                found = await self._room.answered(lease, call.ids, Table.of_rows(call.rows), how, caller)
        except Exception as exc:
            problem = problem_of(exc)
            entry.failed(problem, exc)
            return {"retcode": _code(exc, problem), "retmsg": problem.text, "caseid": case_id, "data": None, "flag": 0}
        told = [
            {"retcode": BAD_PARAMETER, "retmsg": call.wrong.get(i, ""), "data": None} for i in range(len(call.places))
        ]
        for i, k in enumerate(call.good):
            assert found is not None
            told[k] = self._row(lease, found, i)
        if not batch:
            return {**told[0], "caseid": case_id, "flag": 0}
        listed = [{"index": place, **row} for place, row in zip(call.places, told, strict=True)]
        by_place = {str(row["index"]): row for row in listed}
        return {
            "retcode": 0, "retmsg": "", "caseid": case_id, "flag": 0, "batchDataList": listed,
            "singleInferenceResultMap": by_place,
        }  # fmt: skip

    def _bound(self, asked: Mapping[str, Any]) -> None:
        given = asked.get("serviceId")
        if not isinstance(given, str) or not given or FORBIDDEN.search(given):
            raise InputError("serviceId is missing, or has one of ? : / &: name the service")
        if self._service_id and given != self._service_id:
            raise _UnboundError(f"no model is bound to serviceId '{given[:64]}' here: ask for '{self._service_id}'")

    def _call(self, lease: GuestLease, asked: Mapping[str, Any], batch: bool) -> _Call:
        """Rows of a batch that cannot be asked fail alone; the only row of a single call fails it."""
        held = asked.get("batchDataList") if batch else [{**asked, "index": 0}]
        if not isinstance(held, list):
            raise InputError("batchDataList is a list of objects with index, featureData and sendToRemoteFeatureData")
        codec.check_rows_limit(len(held), lease.scorer.max_rows)
        explain, policy = asked.get("explain", False), asked.get("policy") or self._policy
        if not isinstance(explain, bool) or not isinstance(policy, str):
            raise InputError("explain is true or false, policy is fail or bounds")
        places, known = _places(held), frozenset(lease.guest.party.inputs)
        rows: list[Mapping[str, Any]] = []
        good, ids, wrong = [], [], {}
        for i, row in enumerate(held):
            try:
                features, name = _features(row), row_id(row.get("sendToRemoteFeatureData"))
            except InputError as exc:
                if not batch:
                    raise
                wrong[i] = str(exc)
                continue
            good.append(i)
            rows.append({name: v for name, v in features.items() if name in known})  # each name costs all rows a place
            ids.append(name)
        return _Call(places, good, rows, ids, wrong, checked(policy), explain)

    def _row(self, lease: GuestLease, found: Scored, i: int) -> dict[str, Any]:
        answer, code = found.answer, int(found.answer.code[i])
        out: dict[str, Any] = {"retcode": code, "retmsg": answer.reasons[i] if code else "", "data": None}
        warn = {party: int(n[i]) for party, n in answer.defaulted.items() if n[i]}
        if warn:
            out["warn"] = {"defaulted": warn}
        if code:
            if found.lower is not None and found.upper is not None and np.isfinite(found.lower[i]).all():
                out["bounds"] = _bounds(lease.guest.party, found.lower[i], found.upper[i])
            return out
        margin, score = answer.margin[i], answer.score[i]
        name, _, version = lease.guest.party.model.rpartition("@")
        out["data"] = {
            "score": float(score[0]) if len(score) == 1 else score.tolist(),
            "modelId": name or lease.name, "modelVersion": version or lease.version,
            "timestamp": round(time.time() * 1000),
        }  # fmt: skip
        if answer.labels:
            out["data"]["label"] = answer.label[i]
        if found.explained is not None:
            held = found.explained
            values = held.values[i]
            if np.isfinite(values).all():
                out["explanation"] = {
                    "base_value": float(held.base_value), "margin": float(margin[0]), "unit": held.info.unit,
                    "values": dict(zip(held.features, values.tolist(), strict=True)),
                }  # fmt: skip
                if answer.labels:  # not the row's own label: the first class, for every row
                    out["explanation"]["output"] = held.info.output
        return out


def _bounds(guest: Party, lower: np.ndarray, upper: np.ndarray) -> dict[str, Any]:
    """Scores too, where each is a function of its own margin alone."""
    out: dict[str, Any] = {"margin": [lower.tolist(), upper.tolist()]}
    leaves = getattr(guest.pipeline.last[1], "leaves", None)
    if leaves is not None and leaves.link != "softmax":
        out["score"] = [linked(leaves.link, ends[None])[0].tolist() for ends in (lower, upper)]
    return out


def _read(raw: bytes) -> dict[str, Any]:
    """Head and body as one object."""
    try:
        held = _any.decode(raw)
    except UNREADABLE as exc:
        raise codec.unreadable(exc) from exc
    if not isinstance(held, dict):
        raise InputError("the request is no JSON object: send head and body")
    parts = [held.get(name) for name in ("head", "body")]
    if any(part is not None and not isinstance(part, dict) for part in parts):
        raise InputError("head and body are JSON objects")
    return {**held, **(parts[0] or {}), **(parts[1] or {})}


def _case_id(asked: Mapping[str, Any]) -> str:
    given = asked.get("caseId") or asked.get("caseid") or asked.get("seqno")
    return given if isinstance(given, str) and codec.usable_id(given) else uuid.uuid4().hex


def _places(held: list[Any]) -> list[int]:
    """Each row as its client numbers it. A row without a whole number of its own has the first that no other row has.

    Raises InputError where two rows have one number: their answers could not be told apart.
    """
    given = [row.get("index") if isinstance(row, dict) else None for row in held]
    numbers = [place for place in given if type(place) is int]
    if not held or len(set(numbers)) < len(numbers):
        raise InputError("index is a whole number, another one for each row, and there is at least one row")
    taken = set(numbers)
    free = (i for i in count() if i not in taken)
    return [place if type(place) is int else next(free) for place in given]


def _features(row: Any) -> Mapping[str, Any]:
    if not isinstance(row, dict):
        raise InputError("a row is an object with index, featureData and sendToRemoteFeatureData")
    if type(row.get("index")) is not int:
        raise InputError("index is a whole number, another one for each row")
    held = row.get("featureData")
    if not isinstance(held, dict):
        raise InputError("featureData is missing: send the guest's columns, or {}")
    if bad := [name for name, v in held.items() if not (v is None or isinstance(v, str | int | float))]:
        raise InputError(f"featureData: '{bad[0][:64]}' is neither a number nor a text")
    return held


def _code(exc: BaseException, problem: Problem) -> int:
    return NOT_BOUND if isinstance(exc, _UnboundError) else CODES.get(problem.code, SYSTEM)
