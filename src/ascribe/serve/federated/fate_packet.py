"""Questions and replies between the parties of FATE-Serving: packets with JSON inside, from either side.

    guest -> host    command federatedInference (one row) or batch; the host's namespace and table name; ids in JSON
    host -> guest    {"retcode", "retmsg", "caseid", "data": {component: {"tree": {"node": true}} or {"score": s}}},
                     of a batch "batchDataList": [{"index", "retcode", "retmsg", "data"}, ...]

Nothing in it says which question an answer belongs to but the case id and the numbers of rows; no digest of the model
is compared, and routes are text. Where both sides are Ascribe's, `wire` is the better way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np

from ascribe.bundle.unreadable import UNREADABLE
from ascribe.core.errors import InputError
from ascribe.core.federated.codes import BAD_PARAMETER, OK, SYSTEM
from ascribe.core.federated.components.boosted_trees import BoostedTrees
from ascribe.core.federated.fate_names import fate_name
from ascribe.core.federated.fate_routes import heard, told
from ascribe.core.federated.party import Party
from ascribe.core.federated.records import Ask, Linear, Part, Reply, Routes
from ascribe.core.words import quoted
from ascribe.serve import codec
from ascribe.serve.federated.wire import ID_LIMIT
from ascribe.serve.wire import fate_proxy_pb2 as pb

__all__ = ["BATCH", "SINGLE", "Question", "body_of", "packet", "read_answer", "read_question", "row_id"]

SINGLE, BATCH = "federatedInference", "batch"
VERSION = "216"  # of the calls that are spoken here
ID = "id"

_any = msgspec.json.Decoder()


@dataclass(frozen=True)
class Question:
    """What a guest of FATE-Serving asks: rows as it numbers them; `wrong`: why one of a batch has no id."""

    case_id: str
    namespace: str
    table: str
    batch: bool
    places: tuple[int, ...]
    ids: tuple[str, ...]
    wrong: Mapping[int, str]


def packet(guest: Party, host: str, asked: Ask, case_id: str, id_name: str) -> pb.Packet:
    """The question as a packet; `id_name`: what the host calls the column that it finds rows by."""
    namespace, table = fate_name(host or guest.name, guest.model)
    parties = [name.partition(":")[2] for name in (guest.name, host)]
    remote = [{id_name: name} for name in asked.ids]
    single = len(asked.ids) == 1
    body: dict[str, Any] = {"caseId": case_id}
    if single:
        body |= {"sendToRemoteFeatureData": remote[0]}
    else:
        body |= {
            "hostTableName": table, "hostNamespace": namespace, "guestPartyId": parties[0], "hostPartyId": parties[1],
            "batchDataList": [{"index": i, "sendToRemoteFeatureData": row} for i, row in enumerate(remote)],
        }  # fmt: skip
    header = pb.Metadata(
        task=pb.Task(taskId=case_id, model=pb.Model(namespace=namespace, tableName=table)),
        src=pb.Topic(partyId=parties[0], role="serving"), dst=pb.Topic(partyId=parties[1], role="serving"),
        command=pb.Command(name=SINGLE if single else BATCH), operator=VERSION,
    )  # fmt: skip
    auth = pb.AuthInfo(nonce=case_id, version=VERSION)
    return pb.Packet(header=header, body=pb.Data(value=codec.encode(body)), auth=auth)


def read_question(raw: pb.Packet, most: int) -> Question:
    """Raises InputError for a packet that asks nothing that is known here, or for too many rows at once."""
    header, command = raw.header, raw.header.command.name
    if command not in (SINGLE, BATCH):
        raise InputError(f"command {quoted(command, 40)} is not known here: {SINGLE} or {BATCH}")
    held = _object(bytes(raw.body.value), "the body")
    case_id = held.get("caseId") or held.get("caseid") or raw.auth.nonce
    case_id = case_id if isinstance(case_id, str) and codec.usable_id(case_id) else "fate"
    namespace, table = header.task.model.namespace, header.task.model.tableName
    rows = [{**held, "index": 0}] if command == SINGLE else held.get("batchDataList")
    if not isinstance(rows, list) or not rows:
        raise InputError("batchDataList is a list of objects with index and sendToRemoteFeatureData")
    codec.check_rows_limit(len(rows), most)
    places = [row["index"] for row in rows if isinstance(row, dict) and type(row.get("index")) is int]
    if len(set(places)) < len(rows):
        raise InputError("index is a whole number, another one for each row")
    ids, wrong = [], {}
    for i, row in enumerate(rows):
        try:
            ids.append(row_id(row.get("sendToRemoteFeatureData")))
        except InputError as exc:
            ids.append("")
            wrong[i] = str(exc)
    return Question(case_id, namespace, table, command == BATCH, tuple(places), tuple(ids), wrong)


def row_id(held: object) -> str:
    """What the host finds a row by: `id`, or the only entry. Raises InputError."""
    if not isinstance(held, dict):
        raise InputError('sendToRemoteFeatureData is missing: send what hosts find the row by, such as {"id": "123"}')
    given = held.get(ID, next(iter(held.values())) if len(held) == 1 else None)
    if isinstance(given, bool) or not isinstance(given, str | int) or given == "":
        raise InputError("sendToRemoteFeatureData has no id: send one entry, or one that is called id")
    if len(str(given)) > ID_LIMIT:
        raise InputError(f"the id is longer than {ID_LIMIT} characters: send it as the hosts know it")
    return str(given)


def body_of(half: Party, asked: Question, good: Sequence[int], reply: Reply | None) -> dict[str, Any]:
    """The host's answer: `reply` to the rows `good` of the question, None where there were none."""
    data = [] if reply is None else _data(half, reply)
    rows: list[dict[str, Any]] = [
        {"index": place, "retcode": BAD_PARAMETER, "retmsg": asked.wrong.get(i, ""), "data": None}
        for i, place in enumerate(asked.places)
    ]
    for k, i in enumerate(good):
        assert reply is not None
        code = int(reply.code[k])
        text = f"{half.name} has no answer for this row" if code else ""
        rows[i] |= {"retcode": code, "retmsg": text, "data": None if code else data[k]}
    whole = {"retcode": OK, "retmsg": "", "caseid": asked.case_id, "flag": 0}
    if asked.batch:
        return whole | {"batchDataList": rows}
    return whole | {name: rows[0][name] for name in ("retcode", "retmsg", "data")}


def _data(half: Party, reply: Reply) -> list[dict[str, Any]]:
    """By row: component -> what it says."""
    out: list[dict[str, Any]] = [{} for _ in range(len(reply))]
    for name, part in reply.parts.items():
        component = half.pipeline.reporters[name]
        if isinstance(part, Routes):
            assert isinstance(component, BoostedTrees)
            said: Sequence[object] = told(component.structure, half.name, part)
        else:
            said = [{"score": row[0] if len(row) == 1 else row} for row in part.sums.tolist()]
        for row, held in zip(out, said, strict=True):
            row[name] = held
    return out


def read_answer(guest: Party, host: str, raw: bytes, asked: Ask, case_id: str) -> tuple[int, str, Reply | None]:
    """Code and words of the whole call, and the reply where the code is 0. Raises InputError for what is no answer to
    this question: another case, a row twice or one that was not asked for. A row that is not there, or lacks a split,
    fails alone.
    """
    held = _object(raw, f"the answer of {host}")
    if held.get("caseid", case_id) != case_id:
        raise InputError(f"{host} answered another question")
    if (code := _code(held.get("retcode"))) and len(asked.ids) > 1:
        return code, str(held.get("retmsg", "")), None
    if len(asked.ids) == 1:
        rows: list[Any] = [{**held, "index": 0}]
    else:
        listed = held.get("batchDataList")
        rows = listed if isinstance(listed, list) else []
    by_place: dict[int, Mapping[str, Any]] = {}
    for row in rows:
        place = row.get("index") if isinstance(row, dict) else None
        if type(place) is not int or not 0 <= place < len(asked.ids) or place in by_place:
            raise InputError(f"{host} answered for rows that were not asked, or twice")
        by_place[place] = row
    codes = np.array([_code(by_place[i].get("retcode")) if i in by_place else OK for i in range(len(asked.ids))])
    data = [by_place[i].get("data") if i in by_place else None for i in range(len(asked.ids))]
    parts = {name: _part(guest, host, name, data) for name in guest.pipeline.reporters}
    return OK, "", Reply(host, guest.digest, codes.astype(np.uint8), parts)


def _part(guest: Party, host: str, name: str, data: Sequence[object]) -> Part:
    component = guest.pipeline.reporters[name]
    own = [row.get(name) if isinstance(row, Mapping) else None for row in data]
    if isinstance(component, BoostedTrees):
        return heard(component.structure, host, own)
    sums = np.full((len(data), component.width(host)), np.nan)  # what is not there is not finite: the row fails
    for i, (said, row) in enumerate(zip(own, data, strict=True)):
        given = said.get("score") if isinstance(said, Mapping) else None
        if given is None and isinstance(row, Mapping):
            given = row.get("prob")  # of very old hosts: the linear part under another name
        numbers = given if isinstance(given, list) else [given]
        if len(numbers) == sums.shape[1] and all(type(x) in (int, float) for x in numbers):
            with suppress(OverflowError):  # an integer of JSON may be beyond all floats
                sums[i] = numbers
    return Linear(sums)


def _code(given: object) -> int:
    """Theirs may be numbers or texts; what is no code of one byte is their system error."""
    try:
        code = int(given)  # type: ignore[call-overload]
    except (TypeError, ValueError):
        return SYSTEM
    return code if 0 <= code < 256 else SYSTEM


def _object(raw: bytes, what: str) -> dict[str, Any]:
    try:
        held = _any.decode(raw)
    except UNREADABLE as exc:
        raise InputError(f"{what} cannot be read as JSON: its sender is of another kind, or it was cut") from exc
    if not isinstance(held, dict):
        raise InputError(f"{what} is no JSON object: its sender is of another kind")
    return held
