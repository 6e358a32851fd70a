"""Jobs: accepted, explained in the background, fetched by id; shared by processes, taken up after a restart."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx
import numpy as np
import pytest

from ascribe.core.errors import CapabilityError, NotFound
from ascribe.serve.access.callers import Caller
from ascribe.serve.access.keys import line, new_key
from ascribe.serve.faults import DeadlineError, InvalidRowsError, ShedError
from ascribe.serve.jobs.messages import JobCard
from ascribe.serve.jobs.place import Place
from ascribe.serve.jobs.records import Records
from ascribe.serve.jobs.room import Jobs
from ascribe.serve.messages import Attribution, AttributionAsked, AttributionResponse
from ascribe.serve.observe.log import Log
from ascribe.serve.rows import Row
from ascribe.serve.settings import Settings
from ascribe.serve.wire import attribution_pb2 as pb

from .. import tiny
from ..asking import doors
from ..conftest import Served, open_server

RUN = "import sys; from ascribe.serve.app import run; run(*sys.argv[1:])"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from open_server(tmp_path_factory.mktemp("jobs"), max_rows=8, max_job_rows=1000)


def vectors(count: int) -> list[dict[str, object]]:
    drawn = np.random.default_rng(count).uniform([0.1, 1.0, 2.0], [0.9, 3.5, 15.0], (count, 3))
    return [{"id": str(i), "values": row.tolist()} for i, row in enumerate(drawn)]


def ended(http: httpx.Client, job: str, within_s: float = 30) -> dict:
    """The job's card once it has ended."""
    until = time.monotonic() + within_s
    while (card := http.get(f"/v1/jobs/{job}").json())["state"] in ("queued", "running"):
        assert time.monotonic() < until, card
        time.sleep(0.05)
    return card


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
    ):
        assert server.http.post("/v1/jobs", json=body).status_code == status, body
    for path in ("0" * 32, "..%2F..%2Fetc", "x" * 300):
        assert server.http.get(f"/v1/jobs/{path}").status_code == 404
    with pytest.raises(grpc.RpcError) as caught:
        server.stub.GetAttributionJob(pb.AttributionJobRequest(id="nothing"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_job_that_cannot_be_done_fails_with_its_reason(server):
    for body, words in (
        ({"feature_vector": vectors(3), "tier": "balanced"}, "no tier 'balanced'"),
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
    command = [sys.executable, "-c", RUN, registry, tiny.NAME, "127.0.0.1:0", "127.0.0.1:0"]

    def started() -> tuple[subprocess.Popen[str], httpx.Client]:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **settings})
        assert process.stdout
        return process, httpx.Client(base_url=json.loads(process.stdout.readline())["http"], timeout=20)

    first, http = started()
    try:
        body = {"feature_vector": vectors(900), "samples": 1024, "estimator": "exact"}
        job = http.post("/v1/jobs", json=body).json()["id"]
        while not (done := http.get(f"/v1/jobs/{job}").json()["done"]):
            time.sleep(0.01)
    finally:
        first.send_signal(signal.SIGKILL)
        first.communicate()
    out = place / "out" / job / version
    written = {path.name: path.stat().st_mtime_ns for path in out.iterdir() if path.name.isdigit()}
    assert done and len(written) < 15
    second, http = started()
    try:
        assert http.get(f"/v1/jobs/{job}").json()["done"] >= done
        assert ended(http, job)["done"] == 900
        assert {name: (out / name).stat().st_mtime_ns for name in written} == written
        last = http.get(f"/v1/jobs/{job}/result", params={"offset": 890}).json()["attributions"]
        assert [row["id"] for row in last] == [str(i) for i in range(890, 900)]
    finally:
        second.terminate()
        second.communicate(timeout=20)
    assert second.returncode == 0


class Room:
    """What answers rows in the tests below: one number a row, by the version that is now served."""

    def __init__(self) -> None:
        self.version, self.calls, self.asked_of = "v1", 0, []
        self.callers: list[Caller] = []

    def of(self, asked: AttributionAsked) -> str:
        if asked.version not in (None, self.version):
            raise NotFound(f"no version {asked.version}")
        return self.version

    async def explain(self, asked: AttributionAsked, rows: list[Row], caller: Caller) -> AttributionResponse:
        await asyncio.sleep(0)
        self.callers.append(caller)
        if caller.name == "spent":
            raise ShedError("spent has used up its rate", 0.05)
        version = self.of(asked)
        self.calls += 1
        self.asked_of.append([row.id for row in rows])
        for row in rows:
            if row.values == "breaks the model":
                raise RuntimeError("boom")
            if row.values == "takes long":
                raise DeadlineError("not done within 60 s")
        if all(row.values == "bad" for row in rows):
            raise InvalidRowsError(["no number"] * len(rows))
        found = [Attribution(row.id, "ok", "", row.values) for row in rows]
        return AttributionResponse(
            "m", version, "", "", "", "", "", "exact", 0, 0, 0, "W", "", [], 0.0, "", 0.0, {}, found
        )


def jobs_of(place: str | None, room: Room, **settings: object) -> Jobs:
    chosen = Settings(poll_s=0.05, **settings)
    return Jobs(Place(place), chosen, room.explain, room.of, Log(lambda line: None))


async def until_ended(jobs: Jobs, job: str) -> JobCard:
    async with asyncio.timeout(20):
        while not (card := await jobs.card(job)).ended:
            await asyncio.sleep(0.01)
    return card


def test_a_row_that_breaks_the_model_or_takes_too_long_fails_alone():
    async def main() -> None:
        room = Room()
        jobs = jobs_of(None, room)
        jobs.start()
        values = {3: "breaks the model", 70: "takes long", 71: "bad"}
        rows = [Row(str(i), None, values.get(i, float(i))) for i in range(100)]
        card = await until_ended(jobs, (await jobs.submit(AttributionAsked(), rows)).id)
        answer = await jobs.result(card.id)
        assert isinstance(answer, AttributionResponse)
        assert {i: row.status for i, row in enumerate(answer.attributions) if row.status != "ok"} == {
            3: "invalid", 70: "invalid", 71: "invalid",
        }  # fmt: skip
        assert [row.prediction for row in answer.attributions if row.status == "ok"] == [
            float(i) for i in range(100) if i not in values
        ]
        assert "60 s" in answer.attributions[70].reason and "boom" not in answer.attributions[3].reason
        await jobs.stop()

    asyncio.run(main())


def test_a_version_that_is_swapped_meanwhile_does_not_mix_with_the_next():
    async def main() -> None:
        room = Room()
        jobs = jobs_of(None, room)
        rows = [Row(str(i), None, float(i)) for i in range(640)]
        free = await jobs.submit(AttributionAsked(), rows)
        tied = await jobs.submit(AttributionAsked(version="v1"), rows)
        jobs.start()
        while room.calls < 3:
            await asyncio.sleep(0)
        room.version = "v2"
        card = await until_ended(jobs, free.id)
        assert (card.state, card.version) == ("done", "v2")
        pages = [await jobs.result(card.id, offset, 64) for offset in range(0, 640, 64)]
        assert {page.version for page in pages} == {"v2"}
        assert (await until_ended(jobs, tied.id)).state == "failed"
        await jobs.stop()

    asyncio.run(main())


def test_two_processes_share_the_work_and_answer_for_each_other(tmp_path):
    async def main() -> None:
        room, place = Room(), str(tmp_path)
        one, two = jobs_of(place, room), jobs_of(place, room)
        rows = [Row(str(i), None, float(i)) for i in range(256)]
        ids = [(await one.submit(AttributionAsked(), rows)).id for _ in range(6)]
        one.start(), two.start()
        for job in ids:
            assert (await until_ended(two, job)).state == "done"
        firsts = [ids[0] for ids in room.asked_of]
        assert sorted(firsts) == sorted(["0", "64", "128", "192"] * 6)  # each chunk by one of them
        await one.stop()
        await two.stop()

    asyncio.run(main())


def test_a_process_without_the_model_leaves_the_job_to_one_that_has_it(tmp_path):
    async def main() -> None:
        room, other = Room(), Room()
        other.of = lambda asked: (_ for _ in ()).throw(NotFound("no model 'm' here"))
        has, lacks = jobs_of(str(tmp_path), room), jobs_of(str(tmp_path), other)
        lacks.start()
        card = await has.submit(AttributionAsked(model="m"), [Row("a", None, 1.0)])
        await asyncio.sleep(0.3)
        assert (await has.card(card.id)).state in ("queued", "running")
        has.start()
        assert (await until_ended(has, card.id)).state == "done"
        assert other.calls == 0
        await has.stop()
        await lacks.stop()

    asyncio.run(main())


def test_a_record_that_cannot_be_read_holds_up_no_other_job(tmp_path):
    async def main() -> None:
        jobs = jobs_of(str(tmp_path), Room())
        broken = await jobs.submit(AttributionAsked(), [Row("a", None, 1.0)])
        gone = await jobs.submit(AttributionAsked(), [Row("a", None, 1.0)])
        (tmp_path / "record" / broken.id).write_bytes(b"{")
        (tmp_path / "record" / gone.id).unlink()
        good = await jobs.submit(AttributionAsked(), [Row("a", None, 1.0)])
        jobs.start()
        assert (await until_ended(jobs, good.id)).state == "done"
        assert not list((tmp_path / "open").iterdir())
        await jobs.stop()

    asyncio.run(main())


def test_the_queue_is_bounded_and_a_full_place_answers_with_the_wait():
    async def main() -> None:
        jobs = jobs_of(None, Room(), max_jobs=2)
        for _ in range(2):
            await jobs.submit(AttributionAsked(), [Row("a", None, 1.0)])
        with pytest.raises(ShedError, match="2 jobs wait already") as caught:
            await jobs.submit(AttributionAsked(), [Row("a", None, 1.0)])
        assert caught.value.retry_s > 0

    asyncio.run(main())


def test_another_caller_does_not_see_a_job():
    async def main() -> None:
        jobs = jobs_of(None, Room())
        card = await jobs.submit(AttributionAsked(), [Row("a", None, 1.0)], Caller("one"))
        assert (await jobs.card(card.id, Caller("one"))).state == "queued"
        for ask in (jobs.card, jobs.cancel):
            with pytest.raises(NotFound):
                await ask(card.id, Caller("two"))
        with pytest.raises(NotFound):
            await jobs.result(card.id, caller=Caller("two"))
        operator = Caller("operator", frozenset(("admin",)))
        assert (await jobs.card(card.id, operator)).state == "queued"
        await jobs.cancel(card.id, Caller("one"))
        with pytest.raises(CapabilityError, match="cancelled"):
            await jobs.result(card.id, caller=Caller("one"))

    asyncio.run(main())


def test_a_job_is_asked_by_its_caller_whichever_process_works_on_it(tmp_path):
    async def main() -> None:
        room, place = Room(), str(tmp_path)
        takes, works = jobs_of(place, room), jobs_of(place, room)
        who = Caller("one", frozenset(("explain", "metrics")), 7.5)
        card = await takes.submit(AttributionAsked(), [Row(str(i), None, 1.0) for i in range(130)], who)
        works.start()
        async with asyncio.timeout(20):
            while not (await works.card(card.id, who)).ended:
                await asyncio.sleep(0.01)
        assert room.callers == [who] * 3
        await works.stop()

    asyncio.run(main())


def test_callers_jobs_go_side_by_side_and_one_whose_rate_is_spent_holds_up_no_other():
    async def main() -> None:
        room = Room()
        jobs = jobs_of(None, room)
        rows = [Row(str(i), None, 1.0) for i in range(640)]
        first = await jobs.submit(AttributionAsked(), rows, Caller("spent"))
        second = await jobs.submit(AttributionAsked(), rows, Caller("spent"))
        others = [(await jobs.submit(AttributionAsked(), rows, Caller(name)), Caller(name)) for name in "ab"]
        jobs.start()
        async with asyncio.timeout(20):
            for card, who in others:
                while not (await jobs.card(card.id, who)).ended:
                    await asyncio.sleep(0.01)
        seen = [caller.name for caller in room.callers if caller.name != "spent"]
        assert sorted(seen) == ["a"] * 10 + ["b"] * 10
        assert "b" in seen[: seen.index("a") + 10] and seen != sorted(seen)  # in between each other
        assert (await jobs.card(first.id, Caller("spent"))).state == "running"
        assert (await jobs.card(second.id, Caller("spent"))).state == "queued"  # one at a time of each caller
        await jobs.cancel(first.id, Caller("spent"))
        async with asyncio.timeout(20):
            while (await jobs.card(second.id, Caller("spent"))).state != "running":
                await asyncio.sleep(0.01)
        await jobs.stop()

    asyncio.run(main())


def test_a_jobs_rows_count_against_the_rate_of_its_key_and_are_its_own(tmp_path):
    names = {"first": ([], 2.0), "second": ([], 2.0), "operator": (["admin"], None)}
    given = {name: new_key() for name in names}
    keys = tmp_path / "keys.toml"
    keys.write_text("\n".join(line(name, given[name], *names[name]) for name in names))
    with doors(tmp_path, api_keys=keys, burst_s=30.0, max_rows=8) as asked:
        as_ = {name: {"x-api-key": key} for name, key in given.items()}
        sent = asked.http.post("/v1/jobs", json={"feature_vector": vectors(60), "tier": "exact"}, headers=as_["first"])
        path = f"/v1/jobs/{sent.json()['id']}"
        until = time.monotonic() + 30
        while (card := asked.http.get(path, headers=as_["first"]).json())["state"] in ("queued", "running"):
            assert time.monotonic() < until, card
            time.sleep(0.05)
        assert (card["state"], card["done"]) == ("done", 60)
        body = {"feature_vector": vectors(8)}  # 2 rows a second, 30 seconds' worth at once: the job took them all
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


def test_rows_are_kept_as_they_were_judged_and_go_when_they_are_old(tmp_path):
    async def main() -> None:
        place = Place(str(tmp_path))
        jobs = Jobs(place, Settings(), Room().explain, Room().of, Log(lambda line: None))
        sent = [Row("a", ["x"], [float("nan")], {"x": "W"}, float("inf")), Row("b", None, [10**30, None, True, "7"])]
        card = await jobs.submit(AttributionAsked(), sent)
        records = Records(place.store)
        assert repr(records.rows(card.id, 0)) == repr(sent)
        await jobs.cancel(card.id)
        records.sweep(3600)
        assert records.ended(card.id)
        time.sleep(0.02)
        records.sweep(0.01)
        assert not [path for path in Path(tmp_path).rglob("*") if path.is_file()]
        with pytest.raises(NotFound, match="submit it again"):
            await jobs.card(card.id)

    asyncio.run(main())


def test_an_object_store_is_a_place_too(s3):
    async def main() -> None:
        room = Room()
        one, two = jobs_of(s3.uri, room), jobs_of(s3.uri, room)
        rows = [Row(str(i), None, float(i)) for i in range(100)]
        ids = [(await one.submit(AttributionAsked(), rows)).id for _ in range(3)]
        one.start(), two.start()
        for job in ids:
            assert (await until_ended(two, job)).state == "done"
            answer = await two.result(job, 60, 10)
            assert [row.id for row in answer.attributions] == [str(i) for i in range(60, 70)]
        assert sorted(ids[0] for ids in room.asked_of) == sorted(["0", "64"] * 3)
        await one.stop()
        await two.stop()

    asyncio.run(main())


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
