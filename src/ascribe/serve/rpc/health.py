"""`grpc.health.v1`: one word for the whole server and for each service, changed together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from ascribe.serve.standing import ByHandler

__all__ = ["Health"]


class Health:
    """Of the services of these `names`."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names, self._servicer = names, health.aio.HealthServicer()

    async def say(self, serving: bool) -> None:
        word = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        await asyncio.gather(*(self._servicer.set(name, word) for name in ("", *self._names)))

    def attach(self, server: ByHandler) -> None:
        """Register the service."""
        health_pb2_grpc.add_HealthServicer_to_server(self._servicer, server)
