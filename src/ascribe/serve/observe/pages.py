"""Pages for operators, beside the door or at an address of their own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from ascribe.core.errors import ServiceError
from ascribe.serve.address import Address, probe
from ascribe.serve.observe.traced_doors import Asgi

__all__ = ["Listener", "Page", "beside"]

Page = Callable[[], tuple[str, bytes]]
"""Media type and body, made when it is asked for."""


def beside(app: Asgi, pages: Mapping[str, Page]) -> Asgi:
    """The application, and before it GET of these paths."""

    async def door(scope: Any, receive: Any, send: Any) -> None:
        page = pages.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "GET" else None
        if page is None:
            await app(scope, receive, send)
            return
        media, body = await asyncio.to_thread(page)
        size = str(len(body)).encode()
        headers = [(b"content-type", media.encode()), (b"content-length", size), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return door


class Listener:
    """A server of its own threads: it answers even where the event loop is stuck. Raises ServiceError as `bind`."""

    def __init__(self, address: Address, flag: str, pages: Mapping[str, Page]) -> None:
        class Answer(BaseHTTPRequestHandler):
            timeout = 10.0

            def do_GET(self) -> None:
                page = pages.get(self.path.partition("?")[0])
                media, body = page() if page else ("text/plain", b"only " + " ".join(pages).encode() + b" here\n")
                self.send_response(200 if page else 404)
                self.send_header("Content-Type", media)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        probe(address, flag)
        try:
            self._server = ThreadingHTTPServer((address.host, address.port), Answer)
        except OSError as exc:
            raise ServiceError(f"{address} cannot be bound ({exc.strerror}): choose another with {flag}") from exc
        self._server.daemon_threads = True
        self.address = Address(*self._server.server_address[:2])  # type: ignore[arg-type]

    def start(self) -> None:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="pages", daemon=True
        ).start()

    def stop(self) -> None:
        """Only after `start`."""
        self._server.shutdown()
        self._server.server_close()
