"""The door of a host for guests of FATE-Serving: `DataTransferService.unaryCall`, their JSON, their return codes."""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from grpc.aio import ServicerContext as Context

from ascribe.core.federated.codes import SYSTEM
from ascribe.core.federated.records import Ask
from ascribe.serve import codec
from ascribe.serve.access.callers import current
from ascribe.serve.access.limits import check_depth
from ascribe.serve.faults import problem_of
from ascribe.serve.federated.fate import CODES
from ascribe.serve.federated.fate_packet import body_of, read_question
from ascribe.serve.federated.host_room import HostRoom
from ascribe.serve.observe.log import Log
from ascribe.serve.standing import ByHandler
from ascribe.serve.wire import fate_proxy_pb2 as pb
from ascribe.serve.wire import fate_proxy_pb2_grpc

__all__ = ["attach"]

DEPTH = 32


class _Door(fate_proxy_pb2_grpc.DataTransferServiceServicer):
    def __init__(self, room: HostRoom, log: Log) -> None:
        self._room, self._log = room, log

    async def unaryCall(self, request: pb.Packet, context: Context) -> pb.Packet:  # noqa: N802
        """Always an answer: what went wrong is a return code."""
        with self._log.request("grpc", "fate host", uuid.uuid4().hex) as entry:
            entry.left_s = context.time_remaining()
            try:
                body = await self._answered(request, entry)
            except Exception as exc:
                problem = problem_of(exc)
                entry.failed(problem, exc)
                code = CODES.get(problem.code, SYSTEM)
                body = {"retcode": code, "retmsg": problem.text, "caseid": entry.request_id, "data": None, "flag": 0}
        return pb.Packet(header=request.header, body=pb.Data(value=codec.encode(body)))

    async def _answered(self, request: pb.Packet, entry: Any) -> dict[str, Any]:
        room = self._room
        entry.caller = room.known(current()).name
        check_depth(bytes(request.body.value), DEPTH)
        asked = read_question(request, room.max_rows)
        entry.request_id = asked.case_id
        half = room.halves.named(asked.namespace, asked.table).half
        entry.asked(len(asked.ids), half.model, None)
        good = [i for i in range(len(asked.ids)) if i not in asked.wrong]
        reply = None
        if good:
            question = Ask(half.model, half.digest, tuple(asked.ids[i] for i in good))
            half, reply = await room.answer(question, current(), entry.left_s)
            reply = replace(reply, defaulted=None)
        return body_of(half, asked, good, reply)


def attach(server: ByHandler, room: HostRoom, log: Log) -> None:
    """Register the service."""
    fate_proxy_pb2_grpc.add_DataTransferServiceServicer_to_server(_Door(room, log), server)
