"""The guest's way to one host: a channel, what was agreed at binding, and one question at a time to each caller.

Nothing is asked twice that may have been answered: ids that a host has looked up count there. So there are two reasons
to try again, both before any id was looked up: no connection stands yet, or the host itself refused (too much at once,
leaving) and says when to come back. Within the deadline, all that.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from ascribe.core.errors import InputError, ServiceError
from ascribe.core.federated.codes import NETWORK, WRONG_ANSWER, of_host
from ascribe.core.federated.components.linear import LinearModel
from ascribe.core.federated.party import Party
from ascribe.core.federated.records import Ask, Reply
from ascribe.serve.address import Address, parse
from ascribe.serve.federated import wire
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.wire import party_pb2 as pb

__all__ = ["HostLink", "Link", "Unanswered"]

SERVICE = "/party.v1.PartyService"
BEFORE_WORK = ("shed", "unavailable")  # refusals of a host that has done nothing yet, and soon will
OF_THESE = ("forbidden", "invalid_input", "too_large")  # refusals of these ids, before anything was looked up
CODES = {
    "not_found": 104, "auth": 129, "forbidden": 129, "shed": 124, "unavailable": 111, "invalid_input": 100,
    "too_large": 100, "deadline": 105,
}  # fmt: skip
SPARE_S = 0.25  # after a deadline, until a call that the library should have ended is given up
TEXT = 300


class Unanswered(Exception):
    """A host gave no reply. `code`: as a client sees it; `text`: one line; `refused`: it looked nothing up, and other
    ids may fare better.
    """

    def __init__(self, code: int, text: str, refused: bool = False) -> None:
        self.code, self.text, self.refused = code, text, refused
        super().__init__(text)


class HostLink(Protocol):
    """A way to one host. `by_column`: its parts are asked for column by column; `columns`: of each of its splits, by
    component, where it told them at binding.
    """

    @property
    def host(self) -> str: ...
    @property
    def address(self) -> Address: ...
    @property
    def max_rows(self) -> int: ...
    @property
    def by_column(self) -> bool: ...
    @property
    def columns(self) -> dict[str, tuple[str, ...]]: ...
    @property
    def bound(self) -> bool: ...
    async def bind(self, request_id: str, limit_s: float) -> None: ...
    async def ask(self, asked: Ask, request_id: str, limit_s: float) -> Reply: ...
    async def close(self) -> None: ...


class Link:
    """`host`: its full name; `address`: HOST:PORT; `by_column`: ask for its parts by column, which it must have agreed
    to. Opened by its first use, in the loop that uses it.

    Raises ServiceError for no address, and for files of TLS that cannot be used.
    """

    def __init__(
        self, guest: Party, host: str, address: str, parties: PartySettings, by_column: bool = False
    ) -> None:  # fmt: skip
        self.host, self.address, self._guest, self._parties = host, parse(address, "--host"), guest, parties
        self.by_column = by_column
        self._terms = by_column and isinstance(guest.pipeline.last[1], LinearModel)
        self._credentials = credentials(parties)
        self._channel: Any = None
        self._form = ""
        self.max_rows = parties.max_rows
        self.columns: dict[str, tuple[str, ...]] = {}

    @property
    def bound(self) -> bool:
        """Whether the host has said that it holds the other half."""
        return bool(self._form)

    async def bind(self, request_id: str, limit_s: float) -> None:
        """Agree on the model and on the form of answers. Raises Unanswered."""
        asked = pb.DescribeRequest(
            model=self._guest.model, digest=self._guest.digest, request_id=request_id, columns=self.by_column
        )
        raw = await self._called("Describe", asked, time.monotonic() + limit_s, limit_s)
        try:
            told = pb.DescribeResponse.FromString(raw)
        except DecodeError as exc:
            raise Unanswered(WRONG_ANSWER, f"{self.host} does not speak this protocol: check its address") from exc
        if told.party != self.host or told.digest != self._guest.digest:
            raise Unanswered(of_host(104), f"{self.address} is not {self.host} with the other half: check the address")
        offered = [name for name, number in wire.FORMS.items() if number in told.forms]
        if not offered:
            raise Unanswered(WRONG_ANSWER, f"{self.host} answers in no form that is known here: update one of the two")
        self._form = self._parties.form if self._parties.form in offered else offered[0]
        self.max_rows = min(self._parties.max_rows, told.max_rows or self._parties.max_rows)
        self.columns = {held.component: tuple(held.columns) for held in told.columns}

    async def ask(self, asked: Ask, request_id: str, limit_s: float) -> Reply:
        """The one exchange. Raises Unanswered, always within `limit_s` seconds (and a moment)."""
        end = time.monotonic() + limit_s
        if not self.bound:
            await self.bind(request_id, limit_s)
        asked = replace(asked, columns=self._terms)
        message = wire.ask_message(asked, request_id, self._form)
        try:
            raw = await self._called("Answer", message, end, limit_s)
            return wire.read_reply(self._guest, self.host, raw, asked, request_id)
        except InputError as exc:
            raise Unanswered(WRONG_ANSWER, str(exc)) from exc
        except Unanswered as exc:
            if exc.code == of_host(104):
                self._form = ""  # it holds another model now: agree again
            raise

    async def close(self) -> None:
        if self._channel is not None:
            await self._channel.close()

    async def _called(self, verb: str, message: Any, end: float, limit_s: float) -> bytes:
        for left in range(self._parties.again, -1, -1):
            await self._connected(end, limit_s)
            try:
                async with asyncio.timeout(max(0.0, end - time.monotonic()) + SPARE_S):
                    return bytes(await self._call(verb)(message, timeout=max(0.001, end - time.monotonic())))
            except TimeoutError as exc:
                raise self._late(limit_s) from exc
            except grpc.aio.AioRpcError as exc:
                reason, wait_s = _refusal(exc)
                if reason in BEFORE_WORK and left and time.monotonic() + wait_s < end:
                    await asyncio.sleep(wait_s)
                    continue
                raise self._failed(exc, reason, limit_s) from exc
        raise AssertionError("the last turn answers or raises")

    async def _connected(self, end: float, limit_s: float) -> None:
        """A connection stands: no id has left before that, so it may be tried as often as there is time."""
        wait_s = min(self._parties.connect_s, end - time.monotonic())
        channel = self._opened()
        try:
            async with asyncio.timeout(max(0.0, wait_s)):
                await channel.channel_ready()
        except TimeoutError as exc:
            if wait_s < self._parties.connect_s:
                raise self._late(limit_s) from exc
            raise Unanswered(NETWORK, f"{self.host} at {self.address} cannot be reached: is it up, is it TLS?") from exc

    def _opened(self) -> Any:
        if self._channel is None:
            self._channel = opened(self.address, self._credentials)
        return self._channel

    def _call(self, verb: str) -> Callable[..., Awaitable[bytes]]:
        """Bytes come back: what cannot be read is said in our words."""
        call: Callable[..., Awaitable[bytes]] = self._opened().unary_unary(
            f"{SERVICE}/{verb}", lambda message: message.SerializeToString(), None
        )
        return call

    def _late(self, limit_s: float) -> Unanswered:
        return Unanswered(NETWORK, f"{self.host} did not answer within {limit_s:g} s")

    def _failed(self, exc: grpc.aio.AioRpcError, reason: str, limit_s: float) -> Unanswered:
        told = " ".join((exc.details() or "").split())[:TEXT]
        if reason:
            return Unanswered(of_host(CODES.get(reason, 110)), f"{self.host} refused: {told}", reason in OF_THESE)
        if exc.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return self._late(limit_s)
        if exc.code() is grpc.StatusCode.UNAVAILABLE:
            return Unanswered(NETWORK, f"the connection to {self.host} was lost: it is not asked again by itself")
        return Unanswered(of_host(110), f"{self.host} failed ({exc.code().name}): its log says why")


def _refusal(exc: grpc.aio.AioRpcError) -> tuple[str, float]:
    """Our own word for a fault (empty where the host's room did not speak), and when to come again, in seconds."""
    try:
        status = rpc_status.from_call(exc)
    except ValueError:
        return "", 0.0
    word, wait_s = "", 0.0
    for detail in status.details if status is not None else ():
        info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
        if detail.Unpack(info) and info.domain == "ascribe":
            word = info.reason.lower()
        elif detail.Unpack(retry):
            wait_s = retry.retry_delay.ToMilliseconds() / 1000
    return word, wait_s


def opened(where: Address, secret: Any) -> Any:
    """A channel of this loop."""
    options = [
        ("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1),
        ("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 100),
        ("grpc.max_reconnect_backoff_ms", 1000), ("grpc.use_local_subchannel_pool", 1),
        ("grpc.enable_http_proxy", 0),
    ]  # fmt: skip
    if secret is None:
        return grpc.aio.insecure_channel(str(where), options)
    return grpc.aio.secure_channel(str(where), secret, options)


def credentials(parties: PartySettings) -> Any:
    """None: no TLS. Raises ServiceError for files that cannot be used."""
    if bool(parties.cert) != bool(parties.key):
        raise ServiceError("ASCRIBE_PARTY_CERT and ASCRIBE_PARTY_KEY go together: set both")
    if parties.ca is None:
        if parties.cert:
            raise ServiceError("ASCRIBE_PARTY_CERT needs ASCRIBE_PARTY_CA: whom to trust to be a host")
        return None
    read: dict[str, bytes | None] = {}
    for name, path in (("CA", parties.ca), ("KEY", parties.key), ("CERT", parties.cert)):
        read[name] = _pem(name, path) if path else None
    return grpc.ssl_channel_credentials(read["CA"], read["KEY"], read["CERT"])


def _pem(name: str, path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as exc:
        raise ServiceError(f"ASCRIBE_PARTY_{name} {path} cannot be read ({exc.strerror}): name a PEM file") from exc
    if b"-----BEGIN" not in raw:
        raise ServiceError(f"ASCRIBE_PARTY_{name} {path} is no PEM file: name one")
    return raw
