"""Asking a Prometheus server, or one that speaks its HTTP API: `query_range`, and what time it is there."""

from __future__ import annotations

import base64
import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np

from ascribe.bundle.unreadable import UNREADABLE
from ascribe.core.errors import SourceError

__all__ = ["MOST_POINTS", "Away", "Client", "Line"]

MOST_POINTS = 11_000
"""Points that a server gives for one series at once."""

LONG = 1_500
"""A query of more characters goes in the body: servers and what stands before them limit the length of addresses."""

AGAIN = {408, 429, 500, 502, 503, 504}
UP = "is the server up, and the address right?"


class Away(SourceError):
    """The server is not there, or says that it cannot now: it may be asked again."""


class _Series(msgspec.Struct):
    metric: dict[str, str]
    values: list[tuple[float, str]] = []
    value: tuple[float, str] | None = None


class _Answer(msgspec.Struct):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


class _Matrix(msgspec.Struct):
    result: list[_Series]


@dataclass(frozen=True, eq=False)
class Line:
    """One series on the grid of the request: `labels`, `values (g,)`, NaN where it has no sample."""

    labels: Mapping[str, str]
    values: np.ndarray


@dataclass(frozen=True)
class Client:
    """`base`: the address before `/api/v1`. `token`, or `user` and `password`: who asks.

    Everything is asked once; raises Away where asking again may help, SourceError where it does not.
    """

    base: str
    token: str = field(default="", repr=False)
    user: str = ""
    password: str = field(default="", repr=False)
    timeout_s: float = 30.0

    def now_s(self) -> float:
        """The server's clock, seconds since 1970."""
        data = self._asked("query", {"query": "time()"})
        return float(json.loads(bytes(data))["result"][0])

    def lines(self, query: str, start_s: float, end_s: float, step_s: float) -> list[Line]:
        """`query` at start, start + step, ..., end."""
        times = {"start": f"{start_s:.3f}", "end": f"{end_s:.3f}", "step": f"{step_s:.3f}"}
        data = self._asked("query_range", {"query": query, **times})
        points = round((end_s - start_s) / step_s) + 1
        try:
            found = msgspec.json.decode(data, type=_Matrix).result
        except UNREADABLE as exc:
            raise SourceError(f"{self.base} gave no matrix for {query}: is it a Prometheus server? ({exc})") from exc
        return [Line(series.metric, _on_grid(series, start_s, step_s, points)) for series in found]

    def _asked(self, what: str, form: Mapping[str, str]) -> bytes | msgspec.Raw:
        try:
            return self._once(what, form)
        except urllib.error.HTTPError as exc:
            said = _said(exc)
            if exc.code not in AGAIN:
                raise SourceError(f"{self.base} refused {form['query']} ({exc.code}): {said}") from exc
            raise Away(f"{self.base} answers {exc.code} ({said}): {UP}") from exc
        except (urllib.error.URLError, http.client.HTTPException, OSError) as exc:
            raise Away(f"{self.base} does not answer ({getattr(exc, 'reason', None) or exc}): {UP}") from exc

    def _once(self, what: str, form: Mapping[str, str]) -> bytes | msgspec.Raw:
        url, body, encoded = f"{self.base}/api/v1/{what}", None, urllib.parse.urlencode(form)
        if len(encoded) > LONG:
            body = encoded.encode()
        else:
            url += f"?{encoded}"
        request = urllib.request.Request(url, body, self._headers())
        with urllib.request.urlopen(request, timeout=self.timeout_s) as reply:
            raw = reply.read()
        try:
            answer = msgspec.json.decode(raw, type=_Answer)
        except UNREADABLE as exc:
            raise SourceError(f"{url.partition('?')[0]} is no Prometheus API: give the address before /api/v1") from exc
        if answer.status != "success":
            raise SourceError(f"{self.base} failed on {form['query']}: {answer.error or answer.status}")
        return answer.data

    def _headers(self) -> dict[str, str]:
        if self.token:
            return {"Authorization": f"Bearer {self.token}"}
        if self.user:
            pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            return {"Authorization": f"Basic {pair}"}
        return {}


def _said(exc: urllib.error.HTTPError) -> str:
    """The server's reason in one line."""
    try:
        text = exc.read(4096).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        text = ""
    try:
        text = str(json.loads(text)["error"])
    except (ValueError, KeyError, TypeError):
        text = text or str(exc.reason)
    return " ".join(text.split())[:300]


def _on_grid(series: _Series, start_s: float, step_s: float, points: int) -> np.ndarray:
    at = np.rint((np.array([t for t, _ in series.values]) - start_s) / step_s).astype(int)
    values = np.full(points, np.nan)
    values[at] = [float(v) for _, v in series.values]
    return values
