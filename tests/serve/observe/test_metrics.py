"""What is counted, and under which labels."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from ascribe.serve.observe.log import Entry, Log
from ascribe.serve.observe.meter import NoMeter
from ascribe.serve.observe.metrics import MOST_VERSIONS, MOST_WORDS, OTHER, Metrics
from ascribe.serve.observe.snapshots import page
from ascribe.serve.wire import attribution_pb2 as pb

from .. import tiny
from .reading import read, total

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
    metrics = Metrics()
    for i in range(3 * MOST_WORDS):
        metrics.shed(f"reason {i}")
        metrics.expired(f"stage {i}")
    found = read(page(metrics.snapshot()).decode())
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
    assert [silent.queued(7), silent.batch(3, 0.25, 0.5)] == [None] * 2


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
