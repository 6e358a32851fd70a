"""A real server that follows rows as an ingest leaves them; every number is recomputed from plain attributions."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import numpy as np
import pytest

from ascribe.bundle.recent import Rows, Trail
from ascribe.bundle.state import State, beside
from ascribe.serve.app import running
from ascribe.serve.now import follower
from ascribe.serve.settings import Settings
from tests.waiting import until

from .. import tiny

NAMES = list(tiny.ROW)
NODES = ("rack 1/node.2", "a<b>", "n3")
COUNT, STEP_US = 40, 2_000_000
GROUPS = {"cpu": ("busy", "ghz"), "other": ("misses",)}


def now_us() -> int:
    return time.time_ns() // 1000


def row_of(rng: np.random.Generator) -> list[float]:
    return (tiny.CENTRE + tiny.SPREAD * rng.standard_normal(3)).tolist()


class Lake:
    """What an ingest leaves."""

    def __init__(self, place: str) -> None:
        self.uri, self.rng = place, np.random.default_rng(0)
        self.state = State(beside(place))
        self.trail = Trail(self.state, "writer", now_us)
        self.rows: dict[str, list[tuple[int, float, list[float]]]] = {node: [] for node in NODES}

    def leave(self, t_us: int, *nodes: str) -> None:
        names = nodes or NODES
        X = [row_of(self.rng) for _ in names]
        watts = [float(self.rng.uniform(80, 110)) if name != "n3" else None for name in names]
        for name, power, x in zip(names, watts, X, strict=True):
            self.rows.setdefault(name, []).append((t_us, power, x))
        self.trail.put([Rows(NAMES, list(names), [t_us] * len(names), watts, X)])


@contextmanager
def patient() -> Iterator[None]:
    """A busy machine thins nothing here, and a row is not old because it starts slowly."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(follower, "BACKLOG_S", 1e6)
        patched.setattr("ascribe.serve.now.shown.STALE_S", 1800.0)
        yield


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    found = Lake(str(tmp_path_factory.mktemp("lake") / "lake"))
    start = now_us() - COUNT * STEP_US
    for k in range(COUNT):
        found.leave(start + k * STEP_US)
    odd = {"busy": 0.5, "ghz": 6.0, "misses": 8.0}  # beyond what training saw
    old = {"id": "1", "node": "old", "timestamp_us": now_us() - 3600 * 10**6, "features": odd, "power_w": None}
    found.state.put(old, "nodes", "old")
    found.state.put(old | {"node": "gone", "timestamp_us": 1}, "nodes", "gone")
    found.trail.put([Rows(["busy"], ["poor"], [now_us()], [50.0], [[0.5]])])
    return found


@pytest.fixture(scope="module")
def http(lake: Lake, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    registry, _ = tiny.publish(tmp_path_factory.mktemp("served"))
    with (
        patient(),
        running(registry, tiny.NAME, Settings(lake=lake.uri), write=lambda _: None) as at,
        httpx.Client(base_url=at.http) as client,
    ):

        def taken_up() -> bool:
            held = {n["node"]: n for n in client.get("/v1/now").json()["nodes"]}
            return {"old", "poor"} <= held.keys() and all(len(held[n]["spark"]) == COUNT for n in NODES)

        until(taken_up, every=0.1)
        yield client


@pytest.fixture(scope="module")
def told(lake: Lake, http: httpx.Client) -> dict[str, list[dict]]:
    """The same rows as anybody else asks for them."""
    found = {}
    for node in NODES:
        rows = [{"values": x, "measured_w": watts} for _, watts, x in lake.rows[node][:COUNT]]
        answer = http.post("/v1/attributions", json={"feature_vector": rows}).json()
        found[node] = answer["attributions"]
    return found


def shares(row: dict) -> dict[str, float]:
    return {g: sum(row["attribution_shares"][f] for f in names) for g, names in GROUPS.items()}


def test_now_is_what_attributions_say(http, lake, told):
    now = http.get("/v1/now").json()
    assert now["groups"] == list(GROUPS)
    assert now["groups_of"] == {g: list(names) for g, names in GROUPS.items()}
    assert (now["unit"], now["model"], now["channel"]) == ("W", tiny.NAME, "production")
    held = {node["node"]: node for node in now["nodes"]}
    assert held.keys() - {"fresh"} == {*NODES, "old", "poor"}  # that one comes with another test
    for node in NODES:
        shown, row = held[node], told[node][-1]
        assert shown["timestamp_us"] == lake.rows[node][-1][0]
        assert shown["prediction_w"] == row["prediction"]
        assert shown["base_w"] == row["base_value"]
        assert shown["groups"] == pytest.approx(shares(row), abs=1e-4)
        assert shown["base_w"] + sum(shown["groups"].values()) == pytest.approx(shown["prediction_w"], abs=1e-11)
        assert shown["status"] == row["status"]
        assert not shown["stale"]
        assert shown["spark"] == [r["prediction"] for r in told[node]]
        if row["measured_w"] is None:
            assert shown["measured_w"] is shown["unexplained_w"] is None
        else:
            assert shown["prediction_w"] + shown["unexplained_w"] == pytest.approx(shown["measured_w"], abs=1e-11)


def test_errors_of_groups_lie_between_what_is_possible(http, told):
    """At most the sum of the features' errors; of a single feature, its own."""
    held = {node["node"]: node for node in http.get("/v1/now").json()["nodes"]}
    for node in NODES:
        errors, own = held[node]["stderr_w"], told[node][-1]["stderr"]
        assert errors["other"] == pytest.approx(own["misses"], rel=1e-5)
        assert abs(own["busy"] - own["ghz"]) - 1e-6 <= errors["cpu"] <= own["busy"] + own["ghz"] + 1e-6


def test_what_cannot_be_answered_or_is_old_is_said(http):
    held = {node["node"]: node for node in http.get("/v1/now").json()["nodes"]}
    old, poor = held["old"], held["poor"]
    assert old["stale"]
    assert {"stale", "out_of_domain"} <= set(old["warnings"])
    assert old["status"] == "out_of_domain"
    assert "ghz" in old["reason"]
    assert poor["status"] == "invalid"
    assert poor["warnings"] == ["invalid"]
    assert "ghz, misses" in poor["reason"]
    assert poor["prediction_w"] is poor["unexplained_w"] is None
    assert set(poor["groups"].values()) == {None}


@pytest.mark.parametrize("node", NODES)
def test_a_history_adds_up_and_is_what_attributions_say(http, lake, told, node):
    rows = lake.rows[node][:COUNT]
    span = {"from": rows[0][0], "to": rows[-1][0]}
    past = http.get(f"/v1/nodes/{node}/history", params=span | {"features": 1}).json()
    assert past["t_us"] == [t for t, _, _ in rows]
    assert past["prediction_w"] == [r["prediction"] for r in told[node]]
    assert past["measured_w"] == [r["measured_w"] for r in told[node]]
    assert np.transpose([past["features"][f] for f in NAMES]) == pytest.approx(np.array([x for _, _, x in rows]))
    total = np.array(past["bases_w"]) + np.sum(list(past["groups"].values()), axis=0)
    assert np.abs(total - past["prediction_w"]).max() < 1e-11
    assert set(past["bases_w"]) == {past["base_w"]}
    assert past["groups"]["other"] == pytest.approx([shares(r)["other"] for r in told[node]], abs=1e-4)
    for f, u, m in zip(past["prediction_w"], past["unexplained_w"], past["measured_w"], strict=True):
        assert (m is u is None) or f + u == pytest.approx(m, abs=1e-11)
    assert [v for _, v in past["versions"]] == [past["version"]]
    assert past["mean_s"] == [0.0] * COUNT


def test_a_history_in_few_points(http, lake):
    node, rows = NODES[0], lake.rows[NODES[0]][:COUNT]
    span = {"from": rows[0][0], "to": rows[-1][0]}
    all_of_it = http.get(f"/v1/nodes/{node}/history", params=span).json()
    few = http.get(f"/v1/nodes/{node}/history", params=span | {"points": 4}).json()
    assert len(few["t_us"]) == 4
    assert few["prediction_w"] == pytest.approx(np.reshape(all_of_it["prediction_w"], (4, -1)).mean(axis=1))
    assert few["features"] == {}


def test_energy_is_the_sum_of_trapezoids(http, lake, told):
    for node in NODES:
        rows = lake.rows[node][:COUNT]
        span = {"from": rows[0][0], "to": rows[-1][0]}
        spent = http.get(f"/v1/nodes/{node}/energy", params=span).json()
        t = np.array([r[0] for r in rows]) / 1e6

        def kwh(column: list[float], t: np.ndarray = t) -> float:
            return float(np.trapezoid(column, t)) / 3.6e6

        assert spent["covered_s"] == pytest.approx(t[-1] - t[0])
        assert spent["prediction_kwh"] == pytest.approx(kwh([r["prediction"] for r in told[node]]), rel=1e-9)
        assert spent["base_kwh"] == pytest.approx(kwh([r["base_value"] for r in told[node]]), rel=1e-9)
        for g, found in spent["groups"].items():
            assert found == pytest.approx(kwh([shares(r)[g] for r in told[node]]), rel=1e-4, abs=1e-8)
        assert spent["base_kwh"] + sum(spent["groups"].values()) == pytest.approx(spent["prediction_kwh"], rel=1e-12)
        if node == "n3":
            assert spent["measured_kwh"] is spent["unexplained_kwh"] is None
        else:
            whole = spent["prediction_kwh"] + spent["unexplained_kwh"]
            assert whole == pytest.approx(spent["measured_kwh"], rel=1e-12)
            assert spent["measured_kwh"] == pytest.approx(kwh([r["measured_w"] for r in told[node]]), rel=1e-9)
        assert spent["span_s"] == pytest.approx((span["to"] - span["from"]) / 1e6)


@pytest.mark.parametrize(("language", "word"), [("en", "From "), ("zh", "从 ")])
def test_a_change_is_the_difference_of_attributions(http, lake, told, language, word):
    node, i, j = NODES[0], 3, 30
    rows = lake.rows[node]
    ask = {"from": rows[i][0] + 400_000, "to": rows[j][0] - 400_000, "language": language}
    change = http.get(f"/v1/nodes/{node}/change", params=ask).json()
    a, b = told[node][i], told[node][j]
    assert (change["start"]["timestamp_us"], change["end"]["timestamp_us"]) == (rows[i][0], rows[j][0])
    assert change["prediction_change_w"] == b["prediction"] - a["prediction"]
    assert change["base_change_w"] == 0.0
    by_name = {f["name"]: f for f in change["features"]}
    for f in NAMES:
        differs = b["attribution_shares"][f] - a["attribution_shares"][f]
        assert by_name[f]["change_w"] == pytest.approx(differs, abs=1e-4)
        assert by_name[f]["stderr_w"] == pytest.approx(np.hypot(a["stderr"][f], b["stderr"][f]), rel=1e-5)
        assert by_name[f]["from_value"] == pytest.approx(dict(zip(NAMES, rows[i][2], strict=True))[f])
    assert sum(f["change_w"] for f in change["features"]) == pytest.approx(change["prediction_change_w"], abs=1e-11)
    assert sum(change["groups"].values()) == pytest.approx(change["prediction_change_w"], abs=1e-11)
    assert change["sentence"].startswith(word)
    assert node in change["sentence"]
    back = http.get(f"/v1/nodes/{node}/change", params=ask | {"from": ask["to"], "to": ask["from"]})
    assert back.status_code == 400


@pytest.mark.parametrize("language", ["en", "zh"])
def test_one_moment_with_its_sentence(http, lake, told, language):
    node = NODES[1]
    t_us, _, x = lake.rows[node][7]
    one = http.get(f"/v1/nodes/{node}/moment", params={"at": t_us + 1, "language": language}).json()
    assert one["timestamp_us"] == t_us
    row = told[node][7]
    found = {f["name"]: f["share_w"] for f in one["features"]}
    assert found == pytest.approx(row["attribution_shares"], abs=1e-4)
    assert one["base_w"] + sum(found.values()) == pytest.approx(row["prediction"], abs=1e-11)
    assert {f["name"]: f["value"] for f in one["features"]} == pytest.approx(dict(zip(NAMES, x, strict=True)), rel=1e-6)
    assert f"{row['prediction']:.1f} W" in one["sentence"]
    assert ("draws" if language == "en" else "功率") in one["sentence"]


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/v1/now?model=nobody", 404, "no model"), ("/v1/now?output=heat", 404, "heat"),
        ("/v1/nodes/nobody/history", 404, "GET /v1/now"), ("/v1/nodes/n3/history?from=x", 400, "from is 'x'"),
        ("/v1/nodes/n3/history?points=0", 400, "points"), ("/v1/nodes/n3/history?from=5&to=4", 400, "later"),
        ("/v1/nodes/n3/energy?to=-1", 400, "to is"), ("/v1/nodes/n3/change?language=fr", 400, "language"),
        ("/v1/nodes/n3/moment?at=1e9", 400, "at is"), ("/v1/nodes/n3/moment?language=%3Cb%3E", 400, "language"),
        ("/v1/nodes/poor/change", 404, "no answer"), ("/v1/events?kinds=all", 400, "kinds"),
        ("/v1/nodes/n3/history?features=2", 400, "features"),
    ],
)  # fmt: skip
def test_refusals(http, path, status, text):
    answer = http.get(path)
    assert answer.status_code == status, answer.text
    assert text in answer.json()["detail"]


def test_a_server_without_a_lake_says_so(served):
    for path in ("/v1/now", "/v1/nodes/n/history", "/v1/nodes/n/energy", "/v1/nodes/n/change", "/v1/events"):
        answer = served.http.get(path)
        assert answer.status_code == 404
        assert "--lake" in answer.json()["detail"]


@contextmanager
def listening(http: httpx.Client, headers: dict[str, str] | None = None, **query: str) -> Iterator[Iterator[dict]]:
    """Events from the time on at which the server says that it is heard: id, event, data."""
    with http.stream("GET", "/v1/events", params=query, headers=headers or {}) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        lines = stream.iter_lines()
        assert ": here" in lines
        yield events(lines)


def events(lines: Iterator[str], longest_s: float = 60.0) -> Iterator[dict]:
    end, held = time.monotonic() + longest_s, {}
    for line in lines:  # a line comes every few seconds, whether or not there is an event
        assert time.monotonic() < end, "no event"
        name, _, text = line.partition(": ")
        if name in ("id", "event", "data"):
            held[name] = text
        if not line and "event" in held:
            yield {**held, "data": json.loads(held["data"])}
            held = {}


def test_moments_come_as_events_and_what_was_missed_can_be_had(http, lake):
    with listening(http, kinds="moment") as heard:
        lake.leave(now_us(), "fresh")
        first = next(heard)
        lake.leave(now_us(), "fresh")
        second = next(heard)
    rows = lake.rows["fresh"]
    assert [e["event"] for e in (first, second)] == ["moment", "moment"]
    assert [e["data"]["timestamp_us"] for e in (first, second)] == [t for t, _, _ in rows]
    posted = http.post("/v1/attributions", json={"feature_vector": {"values": rows[0][2]}}).json()["attributions"][0]
    assert first["data"]["prediction_w"] == posted["prediction"]
    assert first["data"]["groups"] == pytest.approx(shares(posted), abs=1e-4)
    assert "spark" not in first["data"]
    assert (first["data"]["model"], first["data"]["output"]) == (tiny.NAME, "power")
    with listening(http, {"Last-Event-ID": first["id"]}, kinds="moment") as heard:
        assert next(heard) == second
    with listening(http, {"Last-Event-ID": "abc-1"}) as heard:
        assert next(heard)["event"] == "lost"


def test_status_comes_when_it_changes(http, lake):
    with listening(http, kinds="status") as heard:
        lake.state.put({"at_us": 1, "rows": 7, "lag": {}}, "ingest", "one")
        assert next(heard)["data"]["readers"]["one"]["rows"] == 7


def test_listeners_are_counted(http):
    def count() -> float:
        page = http.get("/metrics").text
        return float(next(line.split()[1] for line in page.splitlines() if line.startswith("attribution_listeners ")))

    until(lambda: count() == 0)
    with http.stream("GET", "/v1/events") as stream:
        parts = stream.iter_raw()
        next(parts)
        assert count() == 1
        parts.close()
    until(lambda: count() == 0)  # who hangs up is gone
