"""Jobs at both doors: accepted, explained in the background, fetched by id, taken up after a restart."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import grpc
import httpx
import numpy as np
import pytest

from ascribe.serve.access.keys import line, new_key
from ascribe.serve.wire import attribution_pb2 as pb
from tests.waiting import until

from .. import tiny
from ..asking import doors
from ..conftest import Served, open_server

RUN = "import sys; from ascribe.serve.app import run; run(*sys.argv[1:])"
STALLED = (  # before the fourth chunk is written
    """
import time
from ascribe.serve.jobs.records import Records
write = Records.write
Records.write = lambda self, job, version, k, answer: (k == 3 and time.sleep(600), write(self, job, version, k, answer))
"""
    + RUN
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from open_server(tmp_path_factory.mktemp("jobs"), max_rows=8, max_job_rows=1000)


def vectors(count: int) -> list[dict[str, object]]:
    drawn = np.random.default_rng(count).uniform([0.1, 1.0, 2.0], [0.9, 3.5, 15.0], (count, 3))
    return [{"id": str(i), "values": row.tolist()} for i, row in enumerate(drawn)]


def ended(http: httpx.Client, job: str, headers: dict[str, str] | None = None) -> dict:
    """The job's card once it has ended."""

    def card() -> dict:
        held = http.get(f"/v1/jobs/{job}", headers=headers).json()
        return held if held["state"] not in ("queued", "running") else {}

    return until(card, "the job goes on and on")


def test_a_job_is_accepted_and_its_result_is_that_of_single_requests(server):
    rows = vectors(50)
    rows[7] = {"id": "7", "values": [5.0, 2.0, 8.0]}
    answer = server.http.post("/v1/jobs", json={"feature_vector": rows, "tier": "exact", "request_id": "mine"})
    assert answer.status_code == 202
    card = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{card['id']}"
    assert (card["state"], card["total"], card["request_id"]) == ("queued", 50, "mine")
    card = ended(server.http, card["id"])
    assert (card["state"], card["done"], card["version"]) == ("done", 50, server.version)
    found = []
    while len(found) < 50:
        page = server.http.get(f"/v1/jobs/{card['id']}/result", params={"offset": len(found), "limit": 7}).json()
        assert (page["model"], page["tier"], page["unit"]) == (tiny.NAME, "exact", "W")
        assert 0 < len(page["attributions"]) <= 7
        found += page["attributions"]
    assert [row["id"] for row in found] == [row["id"] for row in rows]
    assert found[7]["status"] == "invalid" and "busy" in found[7]["reason"]
    for i in (0, 6, 8, 49):
        alone = server.http.post("/v1/attributions", json={"feature_vector": rows[i], "tier": "exact"}).json()
        assert alone["attributions"][0] == found[i]


def test_grpc_runs_a_job_too_and_streams_its_result(server):
    rows = vectors(20)
    sent = [pb.FeatureVector(id=str(row["id"]), values=row["values"]) for row in rows]
    card = server.stub.StartAttributionJob(pb.AttributionRequest(feature_vector=sent, tier="accurate"))
    assert ended(server.http, card.id)["state"] == "done"
    told = server.stub.GetAttributionJob(pb.AttributionJobRequest(id=card.id))
    assert (told.state, told.done, told.total) == ("done", 20, 20)
    asked = pb.AttributionJobResultRequest(id=card.id, offset=3, limit=10)
    pages = list(server.stub.GetAttributionJobResult(asked))
    assert [row.id for page in pages for row in page.attributions] == [str(i) for i in range(3, 13)]
    every = list(server.stub.GetAttributionJobResult(pb.AttributionJobResultRequest(id=card.id)))
    assert sum(len(page.attributions) for page in every) == 20
    by_rest = server.http.get(f"/v1/jobs/{card.id}/result", params={"limit": 1}).json()["attributions"][0]
    assert dict(every[0].attributions[0].attribution_shares) == by_rest["attribution_shares"]


def test_what_cannot_be_a_job_is_refused_at_once(server):
    for body, status in (
        ({"feature_vector": vectors(1001)}, 413),
        ({"feature_vector": []}, 400),
        ({"feature_vector": vectors(1), "model": "other"}, 404),
        ({"feature_vector": vectors(1), "output": "other"}, 404),
        ({"feature_vector": vectors(1), "budget": 1}, 400),
        ({"feature_vector": vectors(1), "request_id": "a b"}, 400),
        ({"feature_vector": vectors(1), "target_stderr": -1.0}, 400),
        ({"feature_vector": vectors(1), "target_stderr": 0}, 400),
        ({"feature_vector": vectors(1), "max_latency_ms": -1}, 400),
        ({"feature_vector": vectors(1), "tier": "exact", "method": "lime"}, 400),
        ({"feature_vector": vectors(1), "tier": "exact", "max_latency_ms": 5}, 400),
        ({"feature_vector": vectors(1), "tier": "balanced"}, 422),
        ({"feature_vector": vectors(1), "method": "other"}, 400),
        ({"feature_vector": vectors(1), "method": "tree_shap"}, 422),
        ({"feature_vector": vectors(1), "options": {"steps": 8}}, 400),
        ({"feature_vector": vectors(1), "space": "log-odds"}, 404),
    ):
        assert server.http.post("/v1/jobs", json=body).status_code == status, body
    for path in ("0" * 32, "..%2F..%2Fetc", "x" * 300):
        assert server.http.get(f"/v1/jobs/{path}").status_code == 404
    with pytest.raises(grpc.RpcError) as caught:
        server.stub.GetAttributionJob(pb.AttributionJobRequest(id="nothing"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_job_that_cannot_be_done_fails_with_its_reason(server):
    for body, words in (
        ({"feature_vector": vectors(3), "groups": {"a": ["busy", "no such"]}}, "no such"),
        ({"feature_vector": [{"values": [1]}] * 30}, "none of the 30 rows can be answered; row 0: 1 values"),
    ):
        card = ended(server.http, server.http.post("/v1/jobs", json=body).json()["id"])
        assert card["state"] == "failed" and words in card["reason"]
        answer = server.http.get(f"/v1/jobs/{card['id']}/result")
        assert answer.status_code == 422 and words in answer.json()["detail"]


def test_a_cancelled_job_ends_and_one_that_ended_stays(server):
    slow = {"feature_vector": vectors(1000), "samples": 4096, "estimator": "exact"}
    job = server.http.post("/v1/jobs", json=slow).json()["id"]
    assert server.http.get(f"/v1/jobs/{job}/result").status_code == 202
    with pytest.raises(grpc.RpcError) as caught:
        list(server.stub.GetAttributionJobResult(pb.AttributionJobResultRequest(id=job)))
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert server.http.delete(f"/v1/jobs/{job}").json()["state"] == "cancelled"
    assert server.stub.CancelAttributionJob(pb.AttributionJobRequest(id=job)).state == "cancelled"
    assert server.http.get(f"/v1/jobs/{job}/result").status_code == 422
    next_one = server.http.post("/v1/jobs", json={"feature_vector": vectors(9)}).json()["id"]
    assert ended(server.http, next_one)["state"] == "done"
    assert server.http.delete(f"/v1/jobs/{next_one}").json()["state"] == "done"
    assert len(server.http.get(f"/v1/jobs/{next_one}/result").json()["attributions"]) == 8  # of one answer, at most


def test_a_killed_process_leaves_its_job_to_the_next_which_does_not_begin_again(tmp_path):
    registry, version = tiny.publish(tmp_path)
    place = tmp_path / "jobs"
    settings = {"ASCRIBE_JOBS": str(place), "ASCRIBE_JOBS_LEASE_S": "1", "ASCRIBE_POLL_S": "0.2"}

    def started(program: str) -> tuple[subprocess.Popen[str], httpx.Client]:
        command = [sys.executable, "-c", program, registry, tiny.NAME, "127.0.0.1:0", "127.0.0.1:0"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **settings})
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        threading.Thread(target=process.stdout.read, daemon=True).start()  # or the pipe fills: each question is a line
        return process, httpx.Client(base_url=ready["http"])

    first, http = started(STALLED)
    try:
        body = {"feature_vector": vectors(900), "samples": 64, "estimator": "exact"}
        job = http.post("/v1/jobs", json=body).json()["id"]
        done = until(lambda: (count := http.get(f"/v1/jobs/{job}").json()["done"]) >= 192 and count)
    finally:
        first.send_signal(signal.SIGKILL)
        first.wait()
    out = place / "out" / job / version
    written = {path.name: path.stat().st_mtime_ns for path in out.iterdir() if path.name.isdigit()}
    assert (done, len(written)) == (192, 3)
    second, http = started(RUN)
    try:
        # what the killed process had counted and not yet recorded is counted again when its lease is over
        assert ended(http, job)["done"] == 900
        assert {name: (out / name).stat().st_mtime_ns for name in written} == written
        last = http.get(f"/v1/jobs/{job}/result", params={"offset": 890}).json()["attributions"]
        assert [row["id"] for row in last] == [str(i) for i in range(890, 900)]
    finally:
        second.terminate()
        second.wait(60)
    assert second.returncode == 0


def test_a_jobs_rows_count_against_the_rate_of_its_key_and_are_its_own(tmp_path):
    names = {"first": ([], 0.25), "second": ([], 0.25), "operator": (["admin"], None)}
    given = {name: new_key() for name in names}
    keys = tmp_path / "keys.toml"
    keys.write_text("\n".join(line(name, given[name], *names[name]) for name in names))
    with doors(tmp_path, api_keys=keys, burst_s=240.0, max_rows=8) as asked:
        as_ = {name: {"x-api-key": key} for name, key in given.items()}
        sent = asked.http.post("/v1/jobs", json={"feature_vector": vectors(60), "tier": "exact"}, headers=as_["first"])
        path = f"/v1/jobs/{sent.json()['id']}"
        card = ended(asked.http, sent.json()["id"], as_["first"])
        assert (card["state"], card["done"]) == ("done", 60)
        body = {"feature_vector": vectors(8)}  # a row in 4 seconds, 240 seconds' worth at once: the job took them all
        codes = [asked.http.post("/v1/attributions", json=body, headers=as_[name]).status_code for name in names]
        assert codes == [429, 200, 403]
        codes = [asked.http.get(f"{path}/result", headers=as_[name]).status_code for name in names]
        assert codes == [200, 404, 200]
        request = pb.AttributionJobRequest(id=card["id"])
        told = [asked.called("GetAttributionJob", request, x_api_key=given[name]) for name in names]
        assert told == [grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.OK]
        assert asked.http.delete(path, headers=as_["second"]).status_code == 404
        events = [json.loads(one) for one in asked.log]
        assert [e["caller"] for e in events if e["event"] == "job"] == ["first"]


def test_odd_bytes_are_refused_or_become_statuses_and_never_a_fault_of_ours(server):
    good = '{"id": "a", "values": [0.5, 2.0, 8.0]}'

    def body(values: str, more: str = "") -> str:
        return f'{{"feature_vector": [{{"values": {values}}}, {good}]{more}}}'

    for text, wanted in (
        (body("[0.5, 2.0, 8.0]", ', "labels": {"\\ud800": "x"}'), {400}),
        (body('["\\ud800", 2, 8]'), {400}),
        (body(f"[1{'0' * 400}, 2, 3]"), {202}),
        (body(f"[1{'0' * 6000}, 2, 3]"), {202, 400}),
        (body(f"{'[' * 500}1{']' * 500}"), {202, 400}),
        (body("[1, 2, 3]", f', "seed": 1{"0" * 30}'), {400, 413}),
    ):
        sent = server.http.post("/v1/jobs", content=text, headers={"content-type": "application/json"})
        assert sent.status_code in wanted, (text[:80], sent.text)
        if sent.status_code == 202:
            card = ended(server.http, sent.json()["id"])
            assert card["state"] == "done", card
            found = server.http.get(f"/v1/jobs/{card['id']}/result").json()["attributions"]
            assert [one["status"] for one in found] == ["invalid", "ok"]
    wrong = pb.AttributionRequest(feature_vector=[pb.FeatureVector(values=[0.5, 2, 8])], target_stderr=float("nan"))
    with pytest.raises(grpc.RpcError) as caught:
        server.stub.StartAttributionJob(wrong)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
