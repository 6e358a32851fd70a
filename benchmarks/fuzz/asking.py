"""Send one input, and say what came of it.

A fault is: a 5xx that is not 503 or 504 with its reason, INTERNAL, UNKNOWN or DATA_LOSS, UNAVAILABLE without a word
when to come again, no answer to a request whose frame is sound, or `HANG_S` of silence.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import grpc

from benchmarks.fuzz.grpc_inputs import Called
from benchmarks.fuzz.http_inputs import Sent
from benchmarks.fuzz.socket_inputs import Steps

__all__ = ["AGAIN", "HANG_S", "Asker", "Outcome"]

HANG_S = 30.0
LISTEN_S = 0.1  # for an answer to what may be half a request, until our side is closed
OURS = (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS)
AGAIN = "again"  # answered at the second try, once the gRPC server had stood up again
DETAILS = "grpc-status-details-bin"
HONEST = {503: "unavailable", 504: "deadline"}


@dataclass(frozen=True)
class Outcome:
    """`status`: as counted; `fault`: empty where all is well."""

    status: str
    fault: str = ""


class Asker(threading.local):
    """Connections of one thread, kept open."""

    def __init__(self, http: str, grpc_at: str) -> None:
        parts = urlsplit(http)
        self._http_at, self._grpc_at = (str(parts.hostname), int(parts.port or 80)), grpc_at
        self._http: HTTPConnection | None = None
        self._channel: grpc.Channel | None = None

    def ask(self, given: Sent | Steps | Called, grpc_port: bool = False) -> Outcome:
        """`grpc_port`: where bytes go."""
        if isinstance(given, Sent):
            return self._sent(given)
        if isinstance(given, Called):
            return self._called(given)
        host, _, port = self._grpc_at.rpartition(":")
        at = (host, int(port)) if grpc_port else self._http_at
        try:
            return _spoken(given, at, grpc_port)
        except ConnectionRefusedError:
            if not grpc_port:
                raise
            time.sleep(1.0)
            _spoken(given, at, grpc_port)
            return Outcome(AGAIN)

    def http(self, given: Sent) -> tuple[HTTPResponse, bytes]:
        """Raises OSError, HTTPException."""
        for again in (False, True):
            fresh = self._http is None
            if self._http is None:
                self._http = HTTPConnection(*self._http_at, timeout=HANG_S)
            try:
                self._http.request(given.method, given.path, given.body or None, given.headers)
                answer = self._http.getresponse()
                return answer, answer.read()
            except TimeoutError:
                self.close_http()
                raise
            except (OSError, HTTPException):
                self.close_http()
                if fresh or again:  # a kept connection may be closed in between
                    raise
        raise AssertionError

    def close_http(self) -> None:
        if self._http:
            self._http.close()
        self._http = None

    def channel(self) -> grpc.Channel:
        if self._channel is None:
            options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
            self._channel = grpc.insecure_channel(self._grpc_at, options)
        return self._channel

    def _sent(self, given: Sent) -> Outcome:
        try:
            answer, body = self.http(given)
        except TimeoutError:
            return Outcome("hang", f"no answer within {HANG_S:g} s")
        except (OSError, HTTPException) as exc:
            return Outcome("closed", f"no answer: {type(exc).__name__}")
        fault = _judged(answer.status, body)
        return Outcome(str(answer.status), fault)

    def _called(self, given: Called, again: bool = False) -> Outcome:
        """`again`: wait until the server listens; where its gRPC side fell, it stands up within a moment."""
        try:
            made = self._multi(given)(
                iter(given.messages) if given.asks_many else given.messages[0],
                timeout=HANG_S if given.within_s is None else given.within_s,
                compression=grpc.Compression.Gzip if given.packed else None,
                wait_for_ready=again,
            )
            if given.tells_many:
                for _ in zip(range(given.take), made, strict=False):
                    pass
                made.cancel()
            return Outcome(AGAIN if again else "OK")
        except grpc.RpcError as exc:
            code: grpc.StatusCode = exc.code()
            fault = ""
            if code is grpc.StatusCode.UNAVAILABLE and DETAILS not in dict(exc.trailing_metadata() or ()) and not again:
                second = self._called(given, again=True)
                return Outcome(second.status if second.fault else AGAIN, second.fault)
            if code in OURS:
                fault = f"{code.name}: {exc.details()}"
            elif code is grpc.StatusCode.DEADLINE_EXCEEDED and given.within_s is None:
                fault = f"no answer within {HANG_S:g} s"
            elif code is grpc.StatusCode.UNAVAILABLE and DETAILS not in dict(exc.trailing_metadata() or ()):
                fault = f"UNAVAILABLE: {exc.details()}"
            return Outcome(code.name, fault)

    def _multi(self, given: Called) -> Any:
        channel, kinds = self.channel(), (given.asks_many, given.tells_many)
        make = {(False, False): channel.unary_unary, (False, True): channel.unary_stream,
                (True, False): channel.stream_unary, (True, True): channel.stream_stream}[kinds]  # fmt: skip
        return make(given.verb)


def _judged(status: int, body: bytes) -> str:
    """What is wrong with a status; empty where nothing is."""
    if status < 500:
        return ""
    try:
        said = json.loads(body)
        if status in HONEST and said["code"] == HONEST[status] and said["detail"]:
            return ""
    except (ValueError, KeyError, TypeError):
        pass
    return f"{status}: {body[:200]!r}"


def _spoken(given: Steps, at: tuple[str, int], binary: bool) -> Outcome:
    """Say it all, listen, close our side, and wait until the other closes too."""
    with socket.create_connection(at, timeout=HANG_S) as line:
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        heard = b""
        try:
            for piece in given.pieces:
                line.sendall(piece)
            if given.leave:
                return Outcome("left")
            line.settimeout(LISTEN_S)
            heard = _heard(line)
            line.shutdown(socket.SHUT_WR)
            line.settimeout(HANG_S)
            heard += _heard(line, to_the_end=True)
        except TimeoutError:
            return Outcome("hang", f"not closed within {HANG_S:g} s of our end")
        except OSError:  # it hung up first, as it may on what is no request
            pass
    return Outcome("closed") if binary else _statuses(heard)


def _heard(line: socket.socket, to_the_end: bool = False) -> bytes:
    """What comes until it is silent or closed; `to_the_end`: raises TimeoutError for silence."""
    parts = []
    try:
        while part := line.recv(65536):
            parts.append(part)
    except TimeoutError:
        if to_the_end:
            raise
    return b"".join(parts)


def _statuses(heard: bytes) -> Outcome:
    """The first status, and the worst."""
    found = list(_status_lines(heard))
    if not found:
        return Outcome("closed")
    for status, rest in found:
        body = rest.partition(b"\r\n\r\n")[2]
        if fault := _judged(status, body[: body.rfind(b"}") + 1]):
            return Outcome(str(status), fault)
    return Outcome(str(found[0][0]))


def _status_lines(heard: bytes) -> Iterator[tuple[int, bytes]]:
    for part in heard.split(b"HTTP/1.1 ")[1:]:
        if part[:3].isdigit():
            yield int(part[:3]), part
