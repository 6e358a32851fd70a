"""Before the door: the page's files, by GET and HEAD, with the headers that keep a browser strict.

    If-None-Match -> 304 where it names what is there; Accept-Encoding: gzip -> packed; a path without a file -> 404

The policy: everything is from this origin, nothing is inline, a text never becomes HTML (trusted types), and no other
page may frame this one. Pictures may come from bytes that the page holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ascribe.serve.observe.traced_doors import Asgi
from ascribe.serve.page.files import HOME, UNDER, File

__all__ = ["POLICY", "belongs", "front"]

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; font-src 'self'; "
    "img-src 'self' data: blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types default"
)
STRICT = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-cache",  # asked again each time, and answered with 304
    "vary": "accept-encoding",
}
WORDS = {404: b"no such file of the page\n", 405: b"only GET and HEAD here\n"}


def belongs(path: str) -> bool:
    """Whether a path is the page's, so that nobody is asked who they are."""
    return path == HOME or path.startswith(UNDER)


def front(app: Asgi, shown: Mapping[str, File]) -> Asgi:
    """The application, and before it the page: all of `/` and `/page/...`, whatever the verb."""

    async def door(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not belongs(scope["path"]):
            await app(scope, receive, send)
            return
        status, headers, body = await _answer(scope, shown)
        headers = STRICT | headers | {"content-length": str(len(body))}
        if status == 304:
            del headers["content-length"]
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return door


async def _answer(scope: Any, shown: Mapping[str, File]) -> tuple[int, dict[str, str], bytes]:
    file = shown.get(scope["path"])
    if file is None:
        return _told(404)
    if scope["method"] not in ("GET", "HEAD"):
        return _told(405, {"allow": "GET, HEAD"})
    asked = {name: value.decode("latin-1") for name, value in scope["headers"]}
    packed = _wants_gzip(asked.get(b"accept-encoding", ""))
    tag = f'"{file.tag}{"-gzip" if packed else ""}"'
    headers = {"etag": tag}
    if _names(asked.get(b"if-none-match", ""), tag):
        return 304, headers, b""
    headers["content-type"] = file.media
    if not packed:
        return 200, headers, file.raw
    return 200, headers | {"content-encoding": "gzip"}, await asyncio.to_thread(lambda: file.packed)


def _told(status: int, more: Mapping[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
    return status, {"content-type": "text/plain; charset=utf-8", **(more or {})}, WORDS[status]


def _wants_gzip(accepted: str) -> bool:
    """Whether a header Accept-Encoding names gzip, and not to refuse it (`gzip;q=0`)."""
    for part in accepted.lower().split(","):
        name, _, weight = part.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _names(header: str, tag: str) -> bool:
    """Whether a header If-None-Match names a tag; a weak one names it too, as RFC 9110 compares here."""
    return header.strip() == "*" or tag in (part.strip().removeprefix("W/") for part in header.split(","))
