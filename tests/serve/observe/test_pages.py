"""The pages beside the doors: metrics and debug, and where they are shown."""

from __future__ import annotations

import json
import threading

import httpx
import pytest

from ascribe.core.errors import ServiceError
from ascribe.serve.app import running
from ascribe.serve.settings import Settings

from .. import tiny
from .reading import total

BODY = {"feature_vector": {"values": tiny.ROW}}


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
            free.wait(240)  # longer than whoever asks below is patient

    settings = Settings(metrics_http="127.0.0.1:0", debug_page=True)
    with running(registry, tiny.NAME, settings, write=write) as at:
        own = next(json.loads(line)["http"] for line in log if b'"metrics"' in line)
        asking = threading.Thread(target=lambda: httpx.post(at.http + "/v1/predictions", json=BODY, timeout=300))
        asking.start()
        try:
            assert stuck.wait(60)
            stacks = httpx.get(own.replace("/metrics", "/debug")).json()["threads"]
            assert any("test_pages.py" in line for line in stacks[next(n for n in stacks if "ascribe-serve" in n)])
            assert total(httpx.get(own).text, "attribution_requests_total") == 1
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
