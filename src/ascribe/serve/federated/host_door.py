"""The gRPC door of a host: `party.v1.PartyService`. It translates and decides nothing."""

from __future__ import annotations

import asyncio

from grpc.aio import ServicerContext as Context

from ascribe.serve.access.callers import current
from ascribe.serve.federated import wire
from ascribe.serve.federated.host_room import HostRoom
from ascribe.serve.observe.log import Entry, Log
from ascribe.serve.rpc.desk import Desk
from ascribe.serve.rpc.health import Health
from ascribe.serve.standing import ByHandler
from ascribe.serve.wire import party_pb2 as pb
from ascribe.serve.wire import party_pb2_grpc

__all__ = ["SERVICE", "attach"]

SERVICE = "party.v1.PartyService"
LARGE_ROWS = 256  # answers above are written on a thread


class _Door:
    """Messages to the room and back; nothing of a row is logged."""

    def __init__(self, room: HostRoom, log: Log) -> None:
        self._room, self._desk = room, Desk(log)

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

        return await self._desk.answered("describe", context, call, request.request_id)

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

        return await self._desk.answered("answer", context, call, request.request_id)


def attach(server: ByHandler, room: HostRoom, log: Log, words: Health) -> None:
    """Register the service and health. No reflection: a party knows the protocol."""
    party_pb2_grpc.add_PartyServiceServicer_to_server(_Door(room, log), server)
    words.attach(server)
