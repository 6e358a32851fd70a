"""Listeners: bounded, in order, and gone when they are too slow or the server leaves."""

from __future__ import annotations

import asyncio
import threading
import time

import httpx
import pytest

from ascribe.bundle.state import State, beside
from ascribe.serve.access.keys import line, new_key
from ascribe.serve.app import running
from ascribe.serve.faults import ShedError, UnavailableError
from ascribe.serve.now import hub as hubs
from ascribe.serve.now import stream
from ascribe.serve.now.hub import Hub
from ascribe.serve.now.stream import Events
from ascribe.serve.settings import Settings

from .. import tiny


def said(events: list[bytes] | None) -> list[bytes]:
    return [event.split(b"data: ")[1].strip() for event in events or []]


def test_events_come_in_order_from_any_thread():
    async def main() -> None:
        hub = Hub(2)
        one, other = hub.listen(), hub.listen(kinds=frozenset(("b",)))

        def work() -> None:
            for i in range(300):
                hub.publish([("a" if i % 3 else "b", i)])

        thread = threading.Thread(target=work)
        thread.start()
        heard: list[bytes] = []
        while len(heard) < 300:
            heard += said(await one.next(5))
        assert heard == [str(i).encode() for i in range(300)]
        thread.join()
        assert said(await other.next(5)) == [str(i).encode() for i in range(0, 300, 3)]
        assert await one.next(0.01) == []

    asyncio.run(main())


def test_a_slow_listener_is_lost_and_others_are_not(monkeypatch):
    monkeypatch.setattr(hubs, "WAITING", 10)

    async def main() -> None:
        hub = Hub(5)
        slow, quick = hub.listen(), hub.listen()
        for i in range(30):
            hub.publish([("a", i)])
            assert said(await quick.next(5)) == [str(i).encode()]
        assert await slow.next(5) == [hubs.LOST]
        assert await slow.next(5) is None
        assert (len(hub), hub.lost, hub.sent) == (1, 1, 30)
        assert len(slow.waiting) == 0

    asyncio.run(main())


def test_what_was_missed_is_sent_first_as_far_as_it_is_kept(monkeypatch):
    monkeypatch.setattr(hubs, "KEPT", 5)

    async def main() -> None:
        hub = Hub(50)
        first = hub.listen()
        for i in range(12):
            hub.publish([("a", i)])
        ids = [event.split(b"\n")[0].removeprefix(b"id: ").decode() for event in await first.next(5) or []]
        assert len(set(ids)) == 12
        assert said(await hub.listen(ids[8]).next(5)) == [b"9", b"10", b"11"]
        assert said(await hub.listen(ids[6]).next(5)) == [str(i).encode() for i in range(7, 12)]
        assert await hub.listen(ids[11]).next(0.01) == []
        start = ids[0].partition("-")[0]
        for unknown in (ids[5], "other-3", "x", f"{start}-13", f"{start}--1", f"{start}-٣"):
            assert await hub.listen(unknown).next(5) == [hubs.LOST], unknown

    asyncio.run(main())


def test_no_more_than_so_many_and_none_once_closed():
    async def main() -> None:
        hub = Hub(2)
        one, _ = hub.listen(), hub.listen()
        with pytest.raises(ShedError, match="ASCRIBE_MAX_LISTENERS"):
            hub.listen()
        hub.leave(one)
        again = hub.listen()
        hub.publish([("a", 1)])
        hub.close()
        hub.publish([("a", 2)])
        assert said(await again.next(5)) == [b"1"]
        assert await again.next(5) is None
        with pytest.raises(UnavailableError):
            hub.listen()

    asyncio.run(main())


def test_who_reads_nothing_is_let_go(monkeypatch):
    """A reader whose connection takes nothing more; and the heartbeat while nothing happens."""
    monkeypatch.setattr(stream, "SLOW_S", 0.05)
    monkeypatch.setattr(stream, "BEAT_S", 0.01)

    async def main() -> None:
        hub, sent, left = Hub(2), [], []
        stuck = asyncio.Event()

        async def send(message: dict) -> None:
            sent.append(message)
            if len(sent) > 4:
                await stuck.wait()

        async def receive() -> dict:
            await asyncio.Event().wait()
            return {}

        answer = Events(hub.listen(), lambda: left.append(1))
        async with asyncio.timeout(60):
            await answer({"type": "http"}, receive, send)
        assert left == [1]
        assert [m.get("body") for m in sent[1:4]] == [stream.BEGIN, stream.BEAT, stream.BEAT]

    asyncio.run(main())


@pytest.fixture
def place(tmp_path):
    registry, _ = tiny.publish(tmp_path)
    State(beside(str(tmp_path / "lake"))).put({}, "x")
    return registry, str(tmp_path / "lake")


@pytest.mark.parametrize("drain_s", [0.0, 0.3])
def test_streams_end_when_the_server_leaves(place, drain_s):
    ended, up = [], threading.Event()

    def listen(url: str) -> None:
        with httpx.stream("GET", f"{url}/v1/events") as events:
            for _ in events.iter_lines():
                up.set()
        ended.append(events.status_code)

    settings = Settings(lake=place[1], drain_s=drain_s, grace_s=60)
    with running(place[0], tiny.NAME, settings, write=lambda _: None) as at:
        thread = threading.Thread(target=listen, args=(at.http,))
        thread.start()
        assert up.wait(60)
        began = time.monotonic()
    took_s = time.monotonic() - began
    thread.join(60)
    assert ended == [200]  # read to its end, no broken chunk
    assert took_s < settings.grace_s


def test_the_limit_and_the_scope_hold_at_the_door(place, tmp_path):
    keys, seer, blind = tmp_path / "keys.toml", new_key(), new_key()
    keys.write_text("\n".join([line("seer", seer, ["explain"]), line("blind", blind, ["predict"])]))
    settings = Settings(lake=place[1], max_listeners=1, api_keys=keys)
    with running(place[0], tiny.NAME, settings, write=lambda _: None) as at, httpx.Client(base_url=at.http) as http:
        for path in ("/v1/now", "/v1/events", "/v1/nodes/n/history", "/v1/nodes/n/energy", "/v1/nodes/n/change",
                     "/v1/nodes/n/moment"):  # fmt: skip
            assert http.get(path).status_code == 401, path
            assert http.get(path, headers={"X-API-Key": blind}).status_code == 403, path
        with http.stream("GET", "/v1/events", headers={"X-API-Key": seer}) as events:
            parts = events.iter_raw()
            next(parts)
            full = httpx.get(f"{at.http}/v1/events", headers={"X-API-Key": seer})
            assert full.status_code == 429
            assert "Retry-After" in full.headers
            parts.close()
