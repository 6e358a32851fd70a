"""What is followed, in which order, and what it costs at most."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import numpy as np
import pytest

from ascribe.bundle.recent import Rows, Trail
from ascribe.bundle.registry import Registry
from ascribe.bundle.state import State, beside
from ascribe.core.attribution import Deviations
from ascribe.core.explainers import explain
from ascribe.core.options import Options
from ascribe.serve.app import running
from ascribe.serve.now import follower as following
from ascribe.serve.now.follower import Follower
from ascribe.serve.now.hub import Hub
from ascribe.serve.now.series import Series, arranged, group_errors, newest_of
from ascribe.serve.now.shown import node_now
from ascribe.serve.now.track import Track
from ascribe.serve.observe.log import Log
from ascribe.serve.settings import Settings
from ascribe.serve.telemetry import Telemetry
from ascribe.serve.versions.leases import Lease, Versions, fetch
from tests.waiting import until

from .. import tiny

NAMES = list(tiny.ROW)
LATER = "2026-11-02T00:00:00+00:00"


def now_us() -> int:
    return time.time_ns() // 1000


def lease_of(place: Path, created: str = tiny.AT) -> Lease:
    where, version = tiny.publish(place, created=created)
    registry = Registry(where)
    event = registry.channel(tiny.NAME, "production").current
    assert event.version == version
    return fetch(registry, tiny.NAME, "production", event)


def rows_at(t_us: int, count: int = 3, seed: int = 0) -> Rows:
    rng = np.random.default_rng([seed, t_us % 1000003])
    X = (tiny.CENTRE + tiny.SPREAD * rng.standard_normal((count, 3))).tolist()
    return Rows(NAMES, [f"n{i}" for i in range(count)], [t_us] * count, [100.0] * count, X)


class House:
    """A follower whose rounds are made by hand."""

    def __init__(self, place: Path, busy: bool = False, **settings: object) -> None:
        self.lease = lease_of(place)
        self.versions = Versions()
        self.versions.swap(self.lease)
        self.lake = str(place / "lake")
        self.trail = Trail(State(beside(self.lake)), "w", now_us)
        self.said: list[tuple[str, object]] = []
        self.hub = Hub(4)
        self.hub.publish = lambda events: self.said.extend(events)  # type: ignore[method-assign]
        self.log: list[bytes] = []
        self.follower = Follower(
            self.versions, Telemetry(self.lake), Settings(samples=8, budget=16, **settings), {}, self.hub,
            Log(self.log.append), lambda: busy,
        )  # fmt: skip

    @property
    def series(self) -> Series:
        return self.follower.series[f"{tiny.NAME}@production", "power"]


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """A busy machine thins nothing here, unless a test says so."""
    monkeypatch.setattr(following, "BACKLOG_S", 1e6)


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_rows_that_come_late_or_twice_are_left_out(house):
    start = now_us() - 60_000_000
    for step in (0, 2, 4):
        house.trail.put([rows_at(start + step * 1_000_000)])
    house.follower.round()
    house.trail.put([rows_at(start + 3_000_000), rows_at(start + 4_000_000), rows_at(start + 6_000_000)])
    house.follower.round()
    for i in range(3):
        held = house.series.tracks[f"n{i}"].fine.window(0, 1 << 60)["t_us"]
        assert ((held - start) / 1e6).tolist() == [0.0, 2.0, 4.0, 6.0]
    house.follower.round()
    assert len(house.series.tracks["n0"].fine) == 4


def test_a_writers_clock_may_be_behind_anothers(house):
    house.trail.put([rows_at(now_us() - 9_000_000)])
    house.follower.round()
    slow = Trail(State(beside(house.lake)), "slow", lambda: now_us() - 20_000_000)
    slow.put([Rows(NAMES, ["other"], [now_us()], [1.0], [[0.5, 2.0, 8.0]])])
    house.follower.round()
    assert "other" in house.series.tracks


def test_the_newest_of_a_backlog_is_shown_before_the_rest_is_explained(house, monkeypatch):
    monkeypatch.setattr(following, "PIECES", 7)
    start = now_us() - 100_000_000
    for k in range(40):
        house.trail.put([rows_at(start + k * 2_000_000)])
    shown: list[int] = []
    push = Series.push

    def watched(self: Series, *rows: object) -> None:
        if not shown:
            shown.extend(node_now(self, name, False).timestamp_us for name in self.nodes())
        push(self, *rows)

    monkeypatch.setattr(Series, "push", watched)
    house.follower.round()
    assert len(house.series.tracks["n1"].fine) == 7
    assert node_now(house.series, "n1", False).timestamp_us == start + 39 * 2_000_000  # still, until it has caught up
    while house.follower._follow.left:
        house.follower.round()
    assert shown == [start + 39 * 2_000_000] * 3
    assert not house.series.ahead
    assert len(house.series.tracks["n1"].fine) == 40


def test_a_node_whose_rows_were_all_thinned_keeps_the_one_that_was_shown(house, monkeypatch):
    monkeypatch.setattr(following, "PIECES", 7)
    monkeypatch.setattr(following, "BACKLOG_S", 1e-9)
    start = now_us() - 100_000_000
    for k in range(30):
        house.trail.put([rows_at(start + k * 2_000_000)])
    house.follower.round()
    rounds = 1
    while house.follower._follow.left:
        assert node_now(house.series, "n2", False).timestamp_us == start + 29 * 2_000_000
        house.follower.round()
        rounds += 1
    assert rounds == 5
    assert house.follower.thinned > 70
    assert all(track.newest_us == start + 29 * 2_000_000 for track in house.series.tracks.values())


def test_what_cannot_be_kept_up_with_is_thinned_but_never_the_newest(house, monkeypatch):
    monkeypatch.setattr(following, "BACKLOG_S", 30.0)
    house.follower.round()
    series = house.series
    arrived = arranged([rows_at(1_790_000_000_000_000 + k) for k in range(100)], series.names)
    series.row_s = 1.0
    kept = series.thinned(arrived, 30.0)
    assert len(kept) == 30
    newest = {arrived.node[i]: int(arrived.t_us[i]) for i in newest_of(arrived)}
    assert {kept.node[i]: int(kept.t_us[i]) for i in newest_of(kept)} == newest
    assert min(kept.node.count(f"n{i}") for i in range(3)) >= 5
    assert len(series.thinned(arrived, 30.0, whole=False)) == 30
    assert (np.diff(kept.t_us) >= 0).all()
    series.row_s = 1e-6
    assert series.thinned(arrived, 30.0) is arrived


def test_requests_go_first_but_not_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(following, "WAIT_S", 0.05)
    waits: list[float] = []
    house = House(tmp_path, busy=True)
    house.trail.put([rows_at(now_us())])
    step = house.follower._step

    def timed() -> None:
        began = time.monotonic()
        step()
        waits.append(time.monotonic() - began)

    monkeypatch.setattr(house.follower, "_step", timed)
    house.follower.round()
    assert min(waits) >= 0.05
    assert len(house.series.tracks) == 3


def test_no_more_nodes_than_the_settings_say(tmp_path):
    house = House(tmp_path, now_nodes=2)
    house.trail.put([rows_at(now_us(), 5)])
    house.follower.round()
    assert sorted(house.series.tracks) == ["n0", "n1"]
    assert house.follower.not_followed == 3


def test_a_node_that_is_gone_makes_room(tmp_path, monkeypatch):
    house = House(tmp_path, now_nodes=3)
    house.trail.put([rows_at(now_us() - 20_000_000)])
    house.follower.round()
    monkeypatch.setattr(following, "GONE_S", 10.0)
    monkeypatch.setattr(following, "STATUS_S", 0.0)
    house.follower.round()
    assert not house.series.tracks


def test_another_version_goes_on_where_the_features_are_the_same(house, tmp_path):
    start = now_us() - 60_000_000
    house.trail.put([rows_at(start)])
    house.follower.round()
    second = lease_of(tmp_path / "again", LATER)
    house.versions.swap(second)
    house.trail.put([rows_at(start + 2_000_000)])
    house.follower.round()
    assert house.series.versions == [house.lease.version, second.version]
    assert house.series.tracks["n0"].fine.window(0, 1 << 60)["version"].tolist() == [0, 1]
    assert [kind for kind, _ in house.said].count("version") == 1
    told = dict(house.said)["version"]
    assert told == {
        "model": tiny.NAME, "channel": "production", "version": second.version, "before": house.lease.version
    }  # fmt: skip
    house.versions.swap(house.lease)  # and back: no third name for the first
    house.follower.round()
    assert len(house.series.versions) == 2


def test_a_model_whose_rows_are_no_counters_is_not_followed(house):
    from dataclasses import replace

    from ascribe.core.layout import Layout

    model = replace(house.lease.model, layout=Layout("image", (1, 3, 1)))
    series = Series(Settings(), {})
    series.follow(model, "v")
    assert "image" in series.trouble


def test_errors_of_groups_from_parts_and_as_bounds(house):
    X = tiny.CENTRE + tiny.SPREAD * np.random.default_rng(1).standard_normal((4, 3))
    a = explain(house.lease.model, X, "conditional_shap", Options("kernel", 16, 8))
    G = np.array([[1.0, 0], [1, 0], [0, 1]])
    found = group_errors(a, G)
    assert isinstance(a.deviations, Deviations)
    for i in range(4):
        for g in range(2):
            total = 0.0
            for parts in (a.deviations.completions, a.deviations.coalitions):
                for part in parts[i]:
                    total += float(sum(part[j] for j in range(3) if G[j, g])) ** 2
            assert found[i, g] == pytest.approx(total**0.5, rel=1e-6)
    from dataclasses import replace

    bound = group_errors(replace(a, deviations=None), G)
    assert (bound >= found - 1e-6).all()  # the bound is one
    own = a.stderr
    assert bound[:, 0] == pytest.approx(np.minimum(own[:, 0] + own[:, 1], own[:, 2]))


@pytest.mark.parametrize(("n", "g"), [(32, 6), (12, 3)])
def test_the_memory_of_a_node_is_known(n, g):
    """A hundred nodes of 32 counters in six groups: 103 MiB at the usual settings, full or empty."""
    settings = Settings()
    track = Track(n, g, settings.now_moments, settings.now_minutes)
    row = 4 * 8 + 4 + 1 + 4 * (3 * n + g)
    want = settings.now_moments * row + settings.now_minutes * (row + 3 * 8)
    assert track.fine.bytes + track.coarse.bytes == want
    if n == 32:
        assert 100 * want < 110 * 2**20


def test_a_server_that_starts_again_shows_the_last_minutes_at_once(tmp_path):
    registry, _ = tiny.publish(tmp_path)
    lake = str(tmp_path / "lake")
    trail, start = Trail(State(beside(lake)), "w", now_us), now_us() - 120_000_000
    for k in range(50):
        trail.put([rows_at(start + k * 2_000_000)])
    groups = tmp_path / "groups.toml"
    groups.write_text('speed = ["g*"]\n')
    seen = []
    for _ in range(2):
        with (
            running(
                registry, tiny.NAME, Settings(lake=lake, groups=groups, samples=8, budget=16), write=lambda _: None
            ) as at,
            httpx.Client(base_url=at.http) as http,
        ):
            first = http.get("/v1/now").json()
            assert {n["timestamp_us"] for n in first["nodes"]} == {start + 49 * 2_000_000}
            assert first["groups_of"]["speed"] == ["ghz"]

            def whole() -> dict:
                held = http.get("/v1/nodes/n1/history").json()
                return held if len(held["t_us"]) == 50 else {}

            held = until(whole, every=0.1)
            seen.append((held["t_us"], held["prediction_w"], held["groups"]))
    assert len(seen[0][0]) == 50
    assert seen[0] == seen[1]
