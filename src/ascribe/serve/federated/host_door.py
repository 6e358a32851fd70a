"""The gRPC door of a host: `party.v1.PartyService`. It translates and decides nothing."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from grpc.aio import ServicerContext as Context
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from ascribe.serve import codec
from ascribe.serve.access.callers import current
from ascribe.serve.faults import DeadlineError, problem_of
from ascribe.serve.federated import wire
from ascribe.serve.federated.host_room import HostRoom
from ascribe.serve.observe.log import Entry, Log
from ascribe.serve.rpc.door import refuse
from ascribe.serve.standing import ByHandler
from ascribe.serve.wire import party_pb2 as pb
from ascribe.serve.wire import party_pb2_grpc

__all__ = ["SERVICE", "Door", "Health", "attach"]

SERVICE = "party.v1.PartyService"
LARGE_ROWS = 256  # answers above are written on a thread


class Door:
    """Messages to the room and back; nothing of a row is logged."""

    def __init__(self, room: HostRoom, log: Log) -> None:
        self._room, self._log = room, log

    async def Describe(self, request: pb.DescribeRequest, context: Context) -> pb.DescribeResponse:  # noqa: N802
        async def call(entry: Entry) -> pb.DescribeResponse:
            room = self._room
            entry.caller = room.known(current()).name
            entry.asked(0, request.model, None)
            half = room.halves.of(request.digest).half
            shared = room.shared_columns(half, request.columns)
            told = [pb.SplitColumns(component=n, columns=held) for n, held in shared.items()]
            return pb.DescribeResponse(
                party=half.name, model=half.model, digest=half.digest, forms=list(wire.FORMS.values()),
                max_rows=room.max_rows, columns=told,
            )  # fmt: skip

        return await self._answered("describe", request, context, call)

    async def Answer(self, request: pb.AnswerRequest, context: Context) -> pb.AnswerResponse:  # noqa: N802
        async def call(entry: Entry) -> pb.AnswerResponse:
            room = self._room
            entry.asked(len(request.ids), request.model, None)
            asked, form = wire.read_ask(request, room.max_rows)
            entry.method, entry.caller = form, current().name
            half, reply = await room.answer(asked, current(), entry.left_s)
            if len(reply) < LARGE_ROWS:
                return wire.reply_message(half, reply, asked, request.request_id, form)
            return await asyncio.to_thread(wire.reply_message, half, reply, asked, request.request_id, form)

        return await self._answered("answer", request, context, call)

    async def _answered(
        self, verb: str, request: Any, context: Context, call: Callable[[Entry], Awaitable[Any]]
    ) -> Any:  # fmt: skip
        own = request.request_id if codec.usable_id(request.request_id) else uuid.uuid4().hex
        with self._log.request("grpc", verb, own) as entry:
            try:
                entry.left_s = left = context.time_remaining()
                if left is not None and left <= 0:
                    raise DeadlineError("the deadline had passed before any work was done")
                return await call(entry)
            except Exception as exc:
                problem = problem_of(exc)
                entry.failed(problem, exc)
        return await refuse(problem, entry, context)


class Health:
    """`grpc.health.v1` of the host."""

    def __init__(self) -> None:
        self.servicer = health.aio.HealthServicer()

    async def say(self, serving: bool) -> None:
        word = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await asyncio.gather(*(self.servicer.set(name, word) for name in ("", SERVICE)))


def attach(server: ByHandler, door: Door, words: Health) -> None:
    """Register the service and health. No reflection: a party knows the protocol."""
    party_pb2_grpc.add_PartyServiceServicer_to_server(door, server)
    health_pb2_grpc.add_HealthServicer_to_server(words.servicer, server)
