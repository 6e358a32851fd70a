"""The gRPC door of FATE-Serving's clients: `InferenceService`, JSON inside."""

from __future__ import annotations

import uuid
from typing import Any

from grpc.aio import ServicerContext as Context

from ascribe.serve import codec
from ascribe.serve.access.callers import current
from ascribe.serve.access.limits import check_depth
from ascribe.serve.faults import problem_of
from ascribe.serve.federated.fate import FateRoom
from ascribe.serve.observe.log import Log
from ascribe.serve.settings import Settings
from ascribe.serve.standing import ByHandler
from ascribe.serve.wire import fate_inference_pb2 as pb
from ascribe.serve.wire import fate_inference_pb2_grpc

__all__ = ["attach"]


class _Door(fate_inference_pb2_grpc.InferenceServiceServicer):
    def __init__(self, room: FateRoom, settings: Settings, log: Log) -> None:
        self._room, self._settings, self._log = room, settings, log

    async def inference(self, request: Any, context: Context) -> Any:
        return await self._answered(request, context, False)

    async def batchInference(self, request: Any, context: Context) -> Any:  # noqa: N802
        return await self._answered(request, context, True)

    async def _answered(self, request: Any, context: Context, batch: bool) -> Any:
        with self._log.request("grpc", "fate batch" if batch else "fate inference", uuid.uuid4().hex) as entry:
            entry.left_s = context.time_remaining()
            raw = bytes(request.body)
            try:
                check_depth(raw, self._settings.max_depth)
            except Exception as exc:
                problem = problem_of(exc)
                entry.failed(problem, exc)
                answer: dict[str, Any] = {"retcode": 100, "retmsg": problem.text, "data": None, "flag": 0}
            else:
                answer = await self._room.answer(raw, batch, current(), entry, entry.left_s)
            return pb.InferenceMessage(header=request.header, body=codec.encode(answer))


def attach(server: ByHandler, room: FateRoom, settings: Settings, log: Log) -> None:
    """Register the service."""
    fate_inference_pb2_grpc.add_InferenceServiceServicer_to_server(_Door(room, settings, log), server)
