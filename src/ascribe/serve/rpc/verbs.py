"""What all verbs of `attribution.v1.AttributionService` have in common, in whichever file they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from grpc.aio import ServicerContext as Context

from ascribe.serve import codec
from ascribe.serve.forecasts.room import Forecasting
from ascribe.serve.jobs.longer import Longer
from ascribe.serve.observe.log import Entry, Log
from ascribe.serve.room import Room
from ascribe.serve.rpc.desk import Desk
from ascribe.serve.settings import Settings
from ascribe.serve.wire import attribution_pb2_grpc

__all__ = ["Verbs"]

Q = TypeVar("Q")
R = TypeVar("R")


class Verbs(attribution_pb2_grpc.AttributionServiceServicer):
    """Messages to the room and back; `longer`: what outlives a request; `forecasting`: forecasts."""

    def __init__(
        self, room: Room, settings: Settings, log: Log, longer: Longer | None = None,
        forecasting: Forecasting | None = None,
    ) -> None:  # fmt: skip
        self._room, self._settings, self._log, self._longer = room, settings, log, longer
        self._forecasting, self._desk = forecasting, Desk(log)

    async def _answered(
        self, verb: str, request: Q, context: Context, call: Callable[[Entry, Q], Awaitable[R]],
        most: int | None = None,
    ) -> R:  # fmt: skip
        """One call of the desk. `most` rows may be sent, by default those of one request."""
        sent: Any = request
        given = getattr(sent, "request_id", "")

        async def checked(entry: Entry) -> R:
            entry.request_id = codec.own_id(given, entry.request_id)
            if hasattr(sent, "feature_vector"):
                entry.asked(len(sent.feature_vector), sent.model, sent.version)
                codec.check_rows_limit(len(sent.feature_vector), most or self._settings.max_rows)
            return await call(entry, request)

        return await self._desk.answered(verb, context, checked, given)
