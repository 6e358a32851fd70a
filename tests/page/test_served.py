"""The page of a real server that follows rows as an ingest leaves them: the same calls, the same numbers, a restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import expect

from ascribe.bundle.recent import Rows, Trail
from ascribe.bundle.state import State, beside
from ascribe.serve.app import running
from ascribe.serve.settings import Settings
from tests.ports import held_port
from tests.serve import tiny
from tests.waiting import until

from .test_now import column, opened

NODES = ("rack 1/node.2", "a<b>&c", "n3")  # nobody reads the last one's meter
STEP_US = 2_000_000


@dataclass
class Lake:
    """Rows of the last ten minutes, and one more of each node every half second while `writing`."""

    uri: str
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    def __post_init__(self) -> None:
        self.trail = Trail(State(beside(self.uri)), "writer", lambda: time.time_ns() // 1000)
        now = time.time_ns() // 1000
        for k in range(300, 0, -1):
            self.leave(now - k * STEP_US)
        self.first_us = now - STEP_US  # of the newest row before any is written while somebody looks

    def leave(self, t_us: int) -> None:
        X = (tiny.CENTRE + tiny.SPREAD * self.rng.standard_normal((len(NODES), 3))).tolist()
        watts = [*self.rng.uniform(80, 100, len(NODES) - 1).tolist(), None]
        self.trail.put([Rows(list(tiny.ROW), list(NODES), [t_us] * len(NODES), watts, X)])

    @contextmanager
    def writing(self) -> Iterator[None]:
        stop = threading.Event()

        def write() -> None:
            while not stop.wait(0.5):
                self.leave(time.time_ns() // 1000)

        thread = threading.Thread(target=write)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()


@dataclass(frozen=True)
class Place:
    registry: str
    lake: Lake
    port: int

    @contextmanager
    def served(self) -> Iterator[str]:
        settings = Settings(lake=self.lake.uri)
        http = f"127.0.0.1:{self.port}"
        with running(self.registry, tiny.NAME, settings, http, write=lambda _: None) as at:

            def taken_up() -> bool:
                held = [one["timestamp_us"] for one in httpx.get(f"{at.http}/v1/now").json()["nodes"]]
                return len(held) == len(NODES) and min(held) >= self.lake.first_us

            until(taken_up, every=0.1)
            yield at.http


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("served")
    registry, _ = tiny.publish(folder)
    with held_port() as port:
        yield Place(registry, Lake(str(folder / "lake")), port)


def test_the_page_shows_what_the_server_says(place, tab):
    with place.served() as at:
        one = tab(at)
        page = one.page
        asked: list[Any] = []  # read later: two that are read at once may change places
        page.on("response", lambda answer: "/moment?" in answer.url and asked.append(answer))
        page.goto(f"{at}/#/now/a%3Cb%3E%26c")
        opened(page)
        now = {n["node"]: n for n in httpx.get(f"{at}/v1/now").json()["nodes"]}
        newest = now["a<b>&c"]
        end = time.monotonic() + 60
        while asked[-1].json()["timestamp_us"] != newest["timestamp_us"] and time.monotonic() < end:
            page.wait_for_timeout(200)  # a history that was asked for too early is asked for again
        told = asked[-1].json()
        said = {"base": told["base_w"], **told["groups"], "predicted": told["prediction_w"],
                "unexplained": told["unexplained_w"], "measured": told["measured_w"]}  # fmt: skip
        wanted = {part: f"{watts:.2f}" for part, watts in said.items()}
        while column(page, 0, 1) != wanted and time.monotonic() < end:
            page.wait_for_timeout(100)
        assert column(page, 0, 1) == wanted
        assert (told["timestamp_us"], told["measured_w"]) == (newest["timestamp_us"], newest["measured_w"])
        expect(page.locator(".sentence").first).to_have_text(told["sentence"])
        expect(page.locator(".nodes tbody tr")).to_have_count(len(NODES))
        one.check()


def test_a_node_without_a_meter_is_shown_without_one(place, tab):
    with place.served() as at:
        one = tab(at)
        page = one.open("#/now/n3")
        opened(page)
        assert set(column(page, 0, 1)) == {"base", "cpu", "other", "predicted"}
        expect(page.locator(".figures dd").first).to_have_text("not read")
        one.check()


def test_it_moves_and_waits_out_a_restart(place, tab):
    moved = "document.querySelector('.figures dd').textContent"
    with place.lake.writing():
        with place.served() as at:
            one = tab(at)
            page = one.open("#/now/a%3Cb%3E%26c")
            expect(page.locator("#stream")).to_have_text("Live")
            expect(page.locator(".figures dd").first).to_be_visible()
            first = page.evaluate(moved)
            page.wait_for_function(f"(before) => {moved} !== before", arg=first)
        expect(page.locator("#stream")).to_have_text("Not connected: trying again")
        with place.served():
            expect(page.locator("#stream")).to_have_text("Live")
            first = page.evaluate(moved)
            page.wait_for_function(f"(before) => {moved} !== before", arg=first)
    assert all("ERR_" in fault or "503" in fault for fault in one.faults), one.faults


def test_the_first_chart_of_a_warm_server_comes_soon(place, tab, record_property):
    """From opening the address to a drawing of numbers; the best of three is what the machine can do."""
    with place.lake.writing(), place.served() as at:
        took = []
        for _ in range(3):
            one = tab(at)
            start = time.perf_counter()
            page = one.open("#/now/a%3Cb%3E%26c")
            page.wait_for_selector(".chart svg path", state="attached")
            took.append(time.perf_counter() - start)
            one.check()
            one.close()
        record_property("first_chart_s", min(took))
        print(f"first chart after {', '.join(f'{s:.2f}' for s in took)} s")
    assert min(took) < 60
