"""What is counted, and that several processes are one."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.parser import text_string_to_metric_families

from ascribe.core.errors import ServiceError
from ascribe.serve.access.callers import Caller
from ascribe.serve.app import running
from ascribe.serve.observe.board import Board
from ascribe.serve.observe.log import Entry, Log, noted
from ascribe.serve.observe.meter import Meter, NoMeter
from ascribe.serve.observe.metrics import MOST_VERSIONS, MOST_WORDS, OTHER, Metrics
from ascribe.serve.observe.snapshots import Snapshot, decoded, encoded, merged, page, taken
from ascribe.serve.settings import Settings
from ascribe.serve.wire import attribution_pb2 as pb

from .. import tiny
from ..conftest import Served, open_server

NAMES = {
    "attribution_requests", "attribution_request_duration_seconds", "attribution_queue_duration_seconds",
    "attribution_compute_duration_seconds", "attribution_batch_rows", "attribution_batch_wait_seconds",
    "attribution_queue_rows", "attribution_inflight", "attribution_shed", "attribution_deadline_expired",
    "attribution_efficiency_residual_watts", "attribution_feature_out_of_range", "attribution_model_info",
    "attribution_model_reload", "attribution_model_reload_duration_seconds", "attribution_rows",
    "attribution_share_watts", "attribution_share_rows", "attribution_base_watts",
    "attribution_request_parts", "attribution_request_parts_seconds", "attribution_model_batches",
    "attribution_model_batches_seconds", "attribution_last_request_timestamp_seconds",
    "nv_inference_request_success", "nv_inference_request_failure", "nv_inference_count", "nv_inference_exec_count",
    "nv_inference_pending_request_count", "request_predict_seconds", "request_explain_seconds",
    "request_preprocess_seconds", "request_postprocess_seconds",
}  # fmt: skip
LABELS = {
    "attribution_requests_total": {"transport", "method", "model", "version", "tier", "code"},
    "attribution_request_duration_seconds_count": {"transport", "method", "model", "tier"},
    "attribution_queue_duration_seconds_count": {"transport", "method", "model", "tier"},
    "attribution_compute_duration_seconds_count": {"stage"},
    "attribution_shed_total": {"reason"},
    "attribution_deadline_expired_total": {"stage"},
    "attribution_model_info": {"model", "version", "sha256"},
    "attribution_model_reload_total": {"result"},
}
BODY = {"feature_vector": {"values": tiny.ROW}}
WORKER = """
import sys
from pathlib import Path
from ascribe.serve.observe.board import Board
from ascribe.serve.observe.metrics import Metrics
meter = Metrics()
board = Board(meter.snapshot, Path(sys.argv[1]), every_s=0.05)
board.start()
for line in sys.stdin:
    meter.batch(int(line), 0.0, 0.0)
    meter.queued(int(line))
    print("done", flush=True)
"""


def read(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Every sample of a page by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(text: str, name: str, **labels: str) -> float:
    """A sum over the samples that have these labels."""
    return sum(v for (n, has), v in read(text).items() if n == name and labels.items() <= dict(has).items())


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from open_server(tmp_path_factory.mktemp("watched"), max_rows=8, debug_page=True, log_share=0.0)


def test_the_names_and_labels_are_those_that_were_promised(watched):
    watched.http.post("/v1/attributions", json=BODY)
    reply = watched.http.get("/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert {family.name for family in text_string_to_metric_families(reply.text)} == NAMES
    found = {name: {label for label, _ in has} for name, has in read(reply.text)}
    assert {name: found[name] for name in LABELS} == LABELS


def test_counts_equal_requests_by_both_doors(watched):
    before = watched.http.get("/metrics").text
    for _ in range(5):
        assert watched.http.post("/v1/attributions", json=BODY | {"tier": "exact"}).status_code == 200
    watched.http.post("/v1/predictions", json=BODY)
    rows = [pb.FeatureVector(names=list(tiny.ROW), values=list(tiny.ROW.values()))] * 3
    watched.stub.GetAttribution(pb.AttributionRequest(feature_vector=rows, tier="accurate"))
    assert watched.http.post("/v1/attributions", json={"feature_vector": []}).status_code == 400
    after = watched.http.get("/metrics").text

    def grown(name: str, **labels: str) -> float:
        return total(after, name, **labels) - total(before, name, **labels)

    requests = "attribution_requests_total"
    assert grown(requests) == 8
    assert grown(requests, transport="http", method="attribution", tier="exact", code="ok") == 5
    assert grown(requests, transport="grpc", method="attribution", tier="accurate", version=watched.version) == 1
    assert grown(requests, method="prediction", tier="") == 1
    assert grown(requests, code="invalid_input") == 1
    assert grown("attribution_request_duration_seconds_count", tier="exact") == 5
    assert grown("attribution_queue_duration_seconds_count", tier="exact") == 5
    assert grown("attribution_compute_duration_seconds_count", stage="encode") == 7
    assert grown("attribution_rows_total", method="attribution") == 8
    assert grown("nv_inference_request_success") == 7
    assert grown("nv_inference_request_failure", reason="OTHER") == 1
    assert grown("nv_inference_count") == 9
    assert grown("request_explain_seconds_count") == 7
    assert total(after, "attribution_inflight") == 0


def test_watts_and_residuals_are_those_of_the_answers(watched):
    before = watched.http.get("/metrics").text
    (row,) = watched.http.post("/v1/attributions", json=BODY | {"tier": "exact"}).json()["attributions"]
    after = watched.http.get("/metrics").text
    for feature, share in row["attribution_shares"].items():
        sign = "up" if share >= 0 else "down"
        grown = [total(text, "attribution_share_watts_total", feature=feature, sign=sign) for text in (before, after)]
        assert grown[1] - grown[0] == pytest.approx(abs(share))
    base = [total(text, "attribution_base_watts_total") for text in (before, after)]
    assert base[1] - base[0] == pytest.approx(row["base_value"])
    counts = [total(text, "attribution_efficiency_residual_watts_count") for text in (before, after)]
    assert counts[1] - counts[0] == 1


def test_rows_outside_the_training_range_are_counted_by_feature(watched):
    before = watched.http.get("/metrics").text
    watched.http.post("/v1/attributions", json={"feature_vector": {"values": tiny.ROW | {"ghz": 9.0}}})
    after = watched.http.get("/metrics").text
    name = "attribution_feature_out_of_range_total"
    assert total(after, name, feature="ghz") - total(before, name, feature="ghz") == 1
    assert total(after, name) - total(before, name) == 1


def test_what_callers_write_makes_no_labels(watched):
    before = len(read(watched.http.get("/metrics").text))
    for i in range(30):
        body = BODY | {"model": f"m{i}", "version": f"v{i}", "tier": f"t{i}"}
        assert watched.http.post("/v1/attributions", json=body).status_code == 404
        watched.http.post(f"/v1/admin/models/{tiny.NAME}/verb{i}", json={})
        groups = {"groups": {f"g{i}": ["busy", "ghz"], f"h{i}": ["misses"]}}
        assert watched.http.post("/v1/attributions", json=BODY | groups).status_code == 200
    text = watched.http.get("/metrics").text
    assert total(text, "attribution_requests_total", model=OTHER, code="not_found") == 30
    assert total(text, "attribution_share_watts_total", feature=OTHER) > 0
    assert len(read(text)) - before < 150  # a few series of histograms, not ninety
    assert not {value for _, has in read(text) for _, value in has if value[:1] in "mvtgh" and value[1:].isdigit()}


def test_words_of_the_room_are_bounded_too():
    meter: Meter = Metrics()
    for i in range(3 * MOST_WORDS):
        meter.shed(f"reason {i}")
        meter.expired(f"stage {i}")
    found = read(page(meter.snapshot()).decode())  # type: ignore[attr-defined]
    for name in ("attribution_shed_total", "attribution_deadline_expired_total"):
        assert len([1 for n, _ in found if n == name]) <= MOST_WORDS + 4
        assert sum(v for (n, _), v in found.items() if n == name) == 3 * MOST_WORDS


def test_old_versions_let_their_series_go():
    metrics = Metrics(["m"])
    for i in range(3 * MOST_VERSIONS):
        entry = Entry("http", "prediction", "r", "m", f"v{i}", rows=1)
        metrics.answered(entry, SimpleNamespace(model="m", version=f"v{i}", timings_ms={}))
        metrics.ended(entry, 0.1)
    found = read(page(metrics.snapshot()).decode())
    for counter in ("attribution_requests_total", "attribution_rows_total"):
        held = {dict(has)["version"] for name, has in found if name == counter}
        assert held == {f"v{i}" for i in range(2 * MOST_VERSIONS, 3 * MOST_VERSIONS)}
    metrics.ended(Entry("http", "prediction", "r", "m", "v0"), 0.1)
    assert total(page(metrics.snapshot()).decode(), "attribution_requests_total", version=OTHER) == 1


def test_the_room_says_what_it_batches_and_waits_for():
    meter = Metrics()
    meter.queued(7)
    meter.batch(3, 0.25, 0.5)
    meter.batch(5, 0.5, 0.25)
    text = page(meter.snapshot()).decode()
    assert total(text, "attribution_queue_rows") == 7
    assert total(text, "attribution_batch_rows_count") == 2
    assert total(text, "attribution_batch_rows_sum") == 8
    assert total(text, "attribution_batch_wait_seconds_sum") == 0.75
    assert total(text, "attribution_compute_duration_seconds_sum", stage="batch") == 0.75
    silent = NoMeter()
    assert [silent.queued(7), silent.batch(3, 0.25, 0.5), silent.shed("queue"), silent.expired("run")] == [None] * 4


def test_events_of_the_rollout_are_counted():
    metrics = Metrics()
    log = Log(lambda line: None, metrics)
    log.event("rollout", state="current", how="loaded", took_ms=1500.0)
    log.event("rollout", state="current", how="kept", took_ms=1.0)
    log.event("rollout", state="failed", reason="x")
    log.event("draining")
    text = page(metrics.snapshot()).decode()
    assert {r: total(text, "attribution_model_reload_total", result=r) for r in ("loaded", "kept", "failed")} == {
        "loaded": 1, "kept": 1, "failed": 1,
    }  # fmt: skip
    assert total(text, "attribution_model_reload_duration_seconds_sum") == pytest.approx(1.501)


def counted(values: list[int]) -> Snapshot:
    """Of a process that saw these."""
    registry = CollectorRegistry()
    counter = Counter("c", "c", ["sign"], registry=registry)
    histogram = Histogram("h_seconds", "h", registry=registry, buckets=(1, 2, 4))
    gauge = Gauge("g", "g", registry=registry)
    info = Gauge("attribution_model_info", "i", ["model"], registry=registry)
    for value in values:
        counter.labels("odd" if value % 2 else "even").inc(value)
        histogram.observe(value)
        gauge.inc(value)
        info.labels("m").set(1)
    return taken(registry)


def numbers(snapshot: Snapshot) -> dict:
    return {(s.name, s.labels): s.value for family in snapshot.values() for s in family.samples}


SEEN = st.lists(st.integers(0, 6), max_size=8)


@given(st.lists(SEEN, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_processes_together_count_what_one_would_have_counted(parts, rng):
    """merged(parts) = of all at once; in any order; in any grouping; as they travel."""
    snapshots = [decoded(encoded(counted(part))) for part in parts]
    whole = numbers(counted([value for part in parts for value in part]))
    assert numbers(merged(snapshots)) == whole
    rng.shuffle(snapshots)
    cut = rng.randrange(len(snapshots) + 1)
    assert numbers(merged([merged(snapshots[:cut]), merged(snapshots[cut:])])) == whole
    assert read(page(merged(snapshots)).decode()) == {(n, frozenset(has)): v for (n, has), v in whole.items()}


def test_nothing_merged_is_nothing():
    assert merged([]) == {}
    assert numbers(merged([counted([1, 2]), {}])) == numbers(counted([1, 2]))


def worker(folder: Path, rows: int) -> subprocess.Popen:
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    say(process, rows)
    return process


def say(process: subprocess.Popen, rows: int) -> None:
    assert process.stdin and process.stdout
    process.stdin.write(f"{rows}\n")
    process.stdin.flush()
    assert process.stdout.readline() == "done\n"


def until(board: Board, name: str, value: float) -> None:
    """A process writes every so often."""
    for _ in range(400):
        if total(board.page().decode(), name) == value:
            return
        threading.Event().wait(0.02)
    raise AssertionError(f"{name} is {total(board.page().decode(), name)}, not {value}")


def test_each_process_shows_all_and_counters_outlive_a_killed_one(tmp_path):
    meter = Metrics()
    board = Board(meter.snapshot, tmp_path)
    meter.batch(1, 0, 0)
    meter.queued(1)
    first, second = worker(tmp_path, 10), worker(tmp_path, 100)
    try:
        until(board, "attribution_batch_rows_sum", 111)
        until(board, "attribution_queue_rows", 111)
        other = Board(Metrics().snapshot, tmp_path)
        assert total(other.page().decode(), "attribution_batch_rows_sum") >= 110
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
        for looking in (board, other, board):
            text = looking.page().decode()
            assert total(text, "attribution_batch_rows_count") >= 2  # never fewer than were seen
            assert total(text, "attribution_queue_rows") in (100, 101)  # nothing waits in a dead process
        assert total(board.page().decode(), "attribution_batch_rows_sum") == 111
        third = worker(tmp_path, 1000)
        until(board, "attribution_batch_rows_sum", 1111)
        third.kill()
        third.wait()
        other.stop()
        assert total(board.page().decode(), "attribution_batch_rows_sum") == 1111
        assert len(list(tmp_path.glob("*.json"))) == 3  # past, this one, the second: files do not grow
    finally:
        for process in (first, second):
            process.kill()
            process.wait()
    board.stop()


def test_a_fold_that_was_cut_short_counts_nobody_twice(tmp_path):
    process = worker(tmp_path, 10)
    board = Board(Metrics().snapshot, tmp_path)
    until(board, "attribution_batch_rows_sum", 10)
    process.kill()
    process.wait()
    (left,) = [path for path in tmp_path.glob("*.json") if path.stem.startswith(f"{process.pid}-")]
    raw = left.read_bytes()
    assert total(board.page().decode(), "attribution_batch_rows_sum") == 10
    left.write_bytes(raw)  # as if stopped between the two writes
    for _ in range(2):
        assert total(board.page().decode(), "attribution_batch_rows_sum") == 10
    board.stop()


def test_many_threads_lose_no_count(tmp_path):
    meter = Metrics(["m"])
    log = Log(lambda line: None, meter)

    def work() -> None:
        for _ in range(500):
            with log.request("http", "prediction", "r") as entry:
                entry.asked(1, "m", None)
            meter.batch(1, 0, 0)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    text = page(meter.snapshot()).decode()
    assert total(text, "attribution_requests_total") == 2000
    assert total(text, "attribution_batch_rows_count") == 2000
    assert total(text, "attribution_inflight") == 0


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


def test_the_debug_page_shows_stacks_versions_and_slow_requests_and_no_values(watched):
    secret = 0.123456789
    watched.http.post(
        "/v1/attributions", json={"feature_vector": {"id": "row-7", "values": tiny.ROW | {"busy": secret}}}
    )
    reply = watched.http.get("/debug")
    found = reply.json()
    assert found["versions"][0]["version"] == watched.version
    assert any(name.startswith("rollout") for name in found["threads"])
    assert found["gauges"]["attribution_queue_rows"] == 0
    assert [one["duration_ms"] for one in found["slowest"]] == sorted(
        (one["duration_ms"] for one in found["slowest"]), reverse=True
    )
    assert str(secret) not in reply.text
    assert "row-7" not in reply.text


def test_there_is_no_debug_page_unless_it_is_asked_for(served):
    assert served.http.get("/debug").status_code == 404
    assert served.http.get("/metrics").status_code == 200
    assert served.http.post("/metrics").status_code == 404


def test_metrics_have_an_address_of_their_own_or_none(tmp_path):
    registry, _ = tiny.publish(tmp_path)
    log: list[bytes] = []
    settings = Settings(metrics_http="127.0.0.1:0", debug_page=True)
    with running(registry, tiny.NAME, settings, write=log.append) as at:
        own = next(json.loads(line)["http"] for line in log if b'"metrics"' in line)
        assert "attribution_model_info" in httpx.get(own).text
        assert httpx.get(own.replace("/metrics", "/debug")).json()["versions"]
        assert httpx.get(own.replace("/metrics", "/other")).status_code == 404
        assert httpx.get(at.http + "/metrics").status_code == 404
        assert httpx.get(at.http + "/debug").status_code == 404
    with pytest.raises(httpx.ConnectError):
        httpx.get(own)
    with running(registry, tiny.NAME, Settings(metrics=False), write=log.append) as at:
        assert httpx.get(at.http + "/metrics").status_code == 404
    with running(registry, tiny.NAME, Settings(allow_anonymous=True), http="0.0.0.0:0", write=log.append) as at:
        inside = at.http.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(inside + "/v2/health/ready").status_code == 200
        assert httpx.get(inside + "/metrics").status_code == 404  # shown to others only where it is said


def test_an_address_of_its_own_answers_while_the_server_is_stuck(tmp_path):
    registry, _ = tiny.publish(tmp_path)
    stuck, free, log = threading.Event(), threading.Event(), []

    def write(line: bytes) -> None:
        log.append(line)
        if b'"request"' in line:  # on the loop itself
            stuck.set()
            free.wait(30)

    settings = Settings(metrics_http="127.0.0.1:0", debug_page=True)
    with running(registry, tiny.NAME, settings, write=write) as at:
        own = next(json.loads(line)["http"] for line in log if b'"metrics"' in line)
        asking = threading.Thread(target=lambda: httpx.post(at.http + "/v1/predictions", json=BODY, timeout=40))
        asking.start()
        try:
            assert stuck.wait(20)
            stacks = httpx.get(own.replace("/metrics", "/debug"), timeout=10).json()["threads"]
            assert any("test_metrics.py" in line for line in stacks[next(n for n in stacks if "ascribe-serve" in n)])
            assert total(httpx.get(own, timeout=10).text, "attribution_requests_total") == 1
        finally:
            free.set()
            asking.join()


def test_a_metrics_address_that_cannot_be_had_stops_the_start(served, tmp_path):
    taken_at = json.loads(next(line for line in served.log if b'"ready"' in line))["http"].removeprefix("http://")
    settings = Settings(metrics_http=taken_at)
    with pytest.raises(ServiceError, match="ASCRIBE_METRICS_HTTP"), running(served.registry, tiny.NAME, settings):
        pass
    (tmp_path / "file").write_text("")
    settings = Settings(metrics_dir=tmp_path / "file" / "below")
    with pytest.raises(ServiceError, match="ASCRIBE_METRICS_DIR"), running(served.registry, tiny.NAME, settings):
        pass


def test_two_servers_of_one_folder_are_one_view(tmp_path):
    registry, _ = tiny.publish(tmp_path)
    settings = Settings(metrics_dir=tmp_path / "counts")
    write = lambda _: None  # noqa: E731
    with running(registry, tiny.NAME, settings, write=write) as one, running(registry, tiny.NAME, settings, write=write) as two:  # noqa: E501  # fmt: skip
        for at in (one, two, two):
            assert httpx.post(at.http + "/v1/predictions", json=BODY).status_code == 200

        def seen(at: object) -> float:
            return total(httpx.get(at.http + "/metrics").text, "attribution_requests_total", code="ok")  # type: ignore[attr-defined]

        for at in (one, two):
            for _ in range(400):
                if seen(at) == 3:
                    break
                threading.Event().wait(0.02)
            assert seen(at) == 3
        info = read(httpx.get(one.http + "/metrics").text)
        assert [v for (name, _), v in info.items() if name == "attribution_model_info"] == [1.0]
