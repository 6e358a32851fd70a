"""The guest's way to a host of FATE-Serving: `unaryCall`, one for each request or batch, and never twice.

Such a host agrees on nothing beforehand: it is found by namespace and table name, which are its name and the model's.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from ascribe.core.errors import InputError
from ascribe.core.federated.codes import NETWORK, WRONG_ANSWER, of_host
from ascribe.core.federated.party import Party
from ascribe.core.federated.records import Ask, Reply
from ascribe.serve.address import parse
from ascribe.serve.federated.fate_packet import packet, read_answer
from ascribe.serve.federated.link import Unanswered, credentials, opened
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.wire import fate_proxy_pb2 as pb

__all__ = ["SCHEME", "FateLink"]

SCHEME = "fate://"
METHOD = "/com.webank.ai.fate.api.networking.proxy.DataTransferService/unaryCall"
MOST = 300  # rows that such a host takes in a batch
TEXT = 300


class FateLink:
    """`place`: fate://HOST:PORT, or fate://HOST:PORT/NAME where the host finds rows by the column NAME (default: id).

    Raises ServiceError for no address, and for files of TLS that cannot be used.
    """

    by_column = False

    def __init__(self, guest: Party, host: str, place: str, parties: PartySettings) -> None:
        at, _, name = place.removeprefix(SCHEME).partition("/")
        self.host, self.address, self._id_name = host, parse(at, "--host"), name or "id"
        self._guest, self._parties, self._credentials = guest, parties, credentials(parties)
        self._channel: Any = None
        self.bound = False
        self.max_rows = min(parties.max_rows, MOST)
        self.columns: dict[str, tuple[str, ...]] = {}

    async def bind(self, request_id: str, limit_s: float) -> None:
        """Whether it can be reached: there is nothing to agree on. Raises Unanswered."""
        if self._channel is None:
            self._channel = opened(self.address, self._credentials)
        try:
            async with asyncio.timeout(min(self._parties.connect_s, limit_s)):
                await self._channel.channel_ready()
        except TimeoutError as exc:
            raise Unanswered(NETWORK, f"{self.host} at {self.address} cannot be reached: is it up, is it TLS?") from exc
        self.bound = True

    async def ask(self, asked: Ask, request_id: str, limit_s: float) -> Reply:
        """The one exchange. Raises Unanswered."""
        end = time.monotonic() + limit_s
        await self.bind(request_id, limit_s)
        message = packet(self._guest, self.host, asked, request_id, self._id_name)
        call = self._channel.unary_unary(METHOD, lambda sent: sent.SerializeToString(), None)
        try:
            async with asyncio.timeout(max(0.0, end - time.monotonic())):
                raw = await call(message, timeout=max(0.001, end - time.monotonic()))
            told = bytes(pb.Packet.FromString(raw).body.value)
            code, text, reply = read_answer(self._guest, self.host, told, asked, request_id)
        except (InputError, DecodeError) as exc:
            raise Unanswered(WRONG_ANSWER, " ".join(str(exc).split())[:TEXT]) from exc
        except TimeoutError as exc:
            raise self._late(limit_s) from exc
        except grpc.aio.AioRpcError as exc:
            if exc.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
                raise self._late(limit_s) from exc
            if exc.code() is grpc.StatusCode.UNAVAILABLE:
                text = f"the connection to {self.host} was lost: it is not asked again by itself"
                raise Unanswered(NETWORK, text) from exc
            raise Unanswered(of_host(110), f"{self.host} failed ({exc.code().name}): its log says why") from exc
        if reply is None:
            raise Unanswered(of_host(code), f"{self.host} refused: {' '.join(text.split())[:TEXT]}")
        return reply

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()

    def _late(self, limit_s: float) -> Unanswered:
        return Unanswered(NETWORK, f"{self.host} did not answer within {limit_s:g} s")
