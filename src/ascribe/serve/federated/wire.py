"""Ask and Reply as messages of `proto/party/v1`, and back; nothing is taken whose length is not exactly right.

An answer of b rows with k splits has ceil(b k / 8) bytes of routes: one bit for each split and row. Beside them are the
party, two digests of 32 bytes, and row and code of those that failed.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from ascribe.core.errors import InputError
from ascribe.core.federated.components.boosted_trees import BoostedTrees
from ascribe.core.federated.party import Party
from ascribe.core.federated.records import Ask, Linear, Part, Reply, Routes
from ascribe.core.words import quoted
from ascribe.serve import codec
from ascribe.serve.faults import TooLargeError
from ascribe.serve.federated.text import read_routes, written_routes
from ascribe.serve.wire import party_pb2 as pb

__all__ = ["FORMS", "ID_LIMIT", "ask_message", "question", "read_ask", "read_reply", "reply_message"]

FORMS = {"bitmap": pb.BITMAP, "json": pb.JSON}
ID_LIMIT = 256  # characters of an id
NUMBER = "<f8"


def question(asked: Ask, request_id: str) -> bytes:
    """SHA-256 of a question, its parts with their lengths: what an answer repeats, so that no other passes for it."""
    hashed = sha256()
    for text in (asked.model, asked.digest, request_id, str(int(asked.columns)), *asked.ids):
        raw = text.encode()
        hashed.update(len(raw).to_bytes(4, "little") + raw)
    return hashed.digest()


def ask_message(asked: Ask, request_id: str, form: str) -> pb.AnswerRequest:
    return pb.AnswerRequest(
        model=asked.model, digest=asked.digest, request_id=request_id, ids=asked.ids, columns=asked.columns,
        form=FORMS[form],
    )  # fmt: skip


def read_ask(message: pb.AnswerRequest, max_rows: int) -> tuple[Ask, str]:
    """The question and the form of its answer. Raises InputError, TooLargeError."""
    if not codec.usable_id(message.request_id):
        raise InputError("request_id: use letters, digits, '.', '_', ':' and '-', at most 128")
    if not message.ids:
        raise InputError("no ids: ask for at least one row")
    if len(message.ids) > max_rows:
        raise TooLargeError(f"{len(message.ids)} ids, the limit of this host is {max_rows} a call: send them in parts")
    long = [i for i, text in enumerate(message.ids) if not 0 < len(text) <= ID_LIMIT]
    if long:
        raise InputError(f"id {long[0]} is empty or longer than {ID_LIMIT} characters: send ids as the host knows them")
    form = {number: name for name, number in FORMS.items()}.get(message.form)
    if form is None:
        raise InputError(f"form {message.form} is not known here: ask for BITMAP or JSON")
    return Ask(message.model, message.digest, tuple(message.ids), message.columns), form


def reply_message(host: Party, reply: Reply, asked: Ask, request_id: str, form: str) -> pb.AnswerResponse:
    failed = np.flatnonzero(reply.code)
    message = pb.AnswerResponse(
        party=reply.party, digest=reply.digest, question=question(asked, request_id), rows=len(reply),
        failed=failed.tolist(), codes=reply.code[failed].astype(np.uint8).tobytes(),
        defaulted=[] if reply.defaulted is None else reply.defaulted.tolist(),
    )  # fmt: skip
    for name, part in reply.parts.items():
        held = message.parts.add(component=name)
        if isinstance(part, Routes):
            held.routes.splits = part.bits.shape[1]
            if form == "json":
                trees = host.pipeline.reporters[name]
                assert isinstance(trees, BoostedTrees)
                held.routes.json = written_routes(trees.structure, host.name, part)
            else:
                held.routes.bits = np.packbits(part.bits.ravel(), bitorder="little").tobytes()
        else:
            held.linear.models = part.sums.shape[1]
            held.linear.sums = part.sums.astype(NUMBER).tobytes()
            if part.terms is not None:
                held.linear.columns.extend(part.columns)
                held.linear.terms = part.terms.astype(NUMBER).tobytes()
    return message


def read_reply(guest: Party, host: str, raw: bytes, asked: Ask, request_id: str) -> Reply:
    """What a host said, in bytes. Raises InputError in one line for anything that is not the answer to this question by
    this host for this model.
    """
    try:
        message = pb.AnswerResponse.FromString(raw)
    except DecodeError as exc:
        raise InputError(f"the answer of {host} cannot be read: its server is of another kind, or it was cut") from exc
    rows = len(asked.ids)
    _need(message.party == host, f"the answer for {host} is of {quoted(message.party)}: check the address of the host")
    _need(message.digest == guest.digest, f"{host} answered for another model: load two halves of one model")
    _need(message.question == question(asked, request_id), f"{host} answered another question, or for other ids")
    _need(message.rows == rows, f"{host} answered {message.rows} of {rows} rows")
    code = _codes(message, host, rows)
    names = [part.component for part in message.parts]
    wanted = list(guest.pipeline.reporters)
    _need(names == wanted, f"{host} answered for components {names}, not {wanted}: load two halves of one model")
    parts = {part.component: _part(guest, host, part, asked) for part in message.parts}
    defaulted = np.array(message.defaulted, np.int64) if message.defaulted else None
    _need(defaulted is None or len(defaulted) == rows, f"{host} counts defaults of another number of rows")
    return Reply(host, message.digest, code, parts, defaulted)


def _codes(message: Any, host: str, rows: int) -> np.ndarray:
    failed, codes = np.array(message.failed, np.int64), np.frombuffer(message.codes, np.uint8)
    good = len(failed) == len(codes) and bool((codes > 0).all()) and bool((np.diff(failed) > 0).all())
    _need(good and (not len(failed) or int(failed[-1]) < rows), f"the failed rows of {host} cannot be read")
    code = np.zeros(rows, np.uint8)
    code[failed] = codes
    return code


def _part(guest: Party, host: str, part: Any, asked: Ask) -> Part:
    component, rows = guest.pipeline.reporters[part.component], len(asked.ids)
    width = component.width(host)
    if isinstance(component, BoostedTrees):
        _need(part.WhichOneof("kind") == "routes", f"{host} answered for {part.component} with no routes")
        return _routes(component, host, part.routes, rows, width)
    _need(part.WhichOneof("kind") == "linear", f"{host} answered for {part.component} with no linear part")
    held = part.linear
    _need(held.models == width, f"{host} answered for {held.models} models, not {width}")
    sums, names = _numbers(held.sums, (rows, width), host), tuple(held.columns)
    if not names:
        _need(not held.terms, f"{host} sent parts of columns without their names")
        return Linear(sums)
    terms = _numbers(held.terms, (rows, width, len(names)), host)
    return Linear(sums, terms, names) if asked.columns else Linear(sums)  # nobody asked: the host stays one player


def _routes(trees: BoostedTrees, host: str, held: Any, rows: int, k: int) -> Routes:
    _need(
        held.splits == k, f"{host} answered for {held.splits} splits, the model has {k}: load two halves of one model"
    )
    if held.json:
        _need(not held.bits, f"{host} sent routes in two forms")
        return read_routes(trees.structure, host, held.json, rows)
    size = -(-rows * k // 8)
    _need(len(held.bits) == size, f"the routes of {host} have {len(held.bits)} bytes, not {size}")
    bits = np.unpackbits(np.frombuffer(held.bits, np.uint8), bitorder="little").astype(bool)
    _need(not bits[rows * k :].any(), f"the routes of {host} have bits behind the last")
    return Routes(bits[: rows * k].reshape(rows, k))


def _numbers(raw: bytes, shape: tuple[int, ...], host: str) -> np.ndarray:
    size = 8 * int(np.prod(shape))
    _need(len(raw) == size, f"the linear part of {host} has {len(raw)} bytes, not {size}")
    return np.frombuffer(raw, NUMBER).astype(float).reshape(shape)


def _need(holds: bool, text: str) -> None:
    if not holds:
        raise InputError(text)
