"""Lines of the log: of whom, of which requests."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace

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
