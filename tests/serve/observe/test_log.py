"""Lines of the log: of whom, of which requests."""

from __future__ import annotations

import asyncio
import json
import time
from types import SimpleNamespace

import pytest

from ascribe.serve.access.callers import Caller
from ascribe.serve.observe.log import Log, noted

from .. import tiny

BODY = {"feature_vector": {"values": tiny.ROW}}


def test_a_share_of_successes_is_logged_and_every_failure(watched):
    before = len(watched.log)
    assert watched.http.post("/v1/attributions", json=BODY).status_code == 200
    assert watched.http.post("/v1/attributions", json={"feature_vector": []}).status_code == 400
    (line,) = [json.loads(raw) for raw in watched.log[before:]]
    assert line["code"] == "invalid_input"


def test_the_log_says_who_asked_and_which_tier_answered(served):
    served.http.post("/v1/attributions", json=BODY | {"tier": "exact"})
    line = next(json.loads(raw) for raw in reversed(served.log) if b'"request"' in raw)
    assert line["tier"] == "exact"
    assert "caller" not in line  # nobody is asked who they are


def test_a_caller_with_a_name_is_in_the_log():
    class Room:
        @noted
        async def predict(self, asked, rows, caller):
            return SimpleNamespace(model="m", version="1", timings_ms={"queue": 1.0})

    lines: list[bytes] = []

    async def ask() -> None:
        with Log(lines.append).request("http", "prediction", "r"):
            await Room().predict(SimpleNamespace(tier="fast"), [1, 2], Caller("billing"))

    asyncio.run(ask())
    line = json.loads(lines[0])
    assert (line["caller"], line["model"], line["rows"]) == ("billing", "m", 2)


@pytest.mark.parametrize(
    ("given_s", "took_s", "code"),
    [
        (1.24, 1.234, "deadline"),
        (10.0, 9.9, "deadline"),
        (1.24, 1.0, "cancelled"),
        (0.1, 0.05, "cancelled"),
        (0.02, 0.0, "cancelled"),
        (None, 60.0, "cancelled"),
    ],
)
def test_who_hangs_up_when_the_time_is_up_was_answered_too_late(monkeypatch, given_s, took_s, code):
    """gRPC tells a server a time that is rounded up, so the caller's end comes first."""
    now, lines = [100.0], list[bytes]()
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])

    def given_up() -> None:
        with Log(lines.append).request("grpc", "attribution", "r") as entry:
            entry.left_s = given_s
            now[0] += took_s
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        given_up()
    assert json.loads(lines[0])["code"] == code
