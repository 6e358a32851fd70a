"""The room of jobs alone, before a model of plain words: shared by processes, by versions and by callers."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from ascribe.core.errors import CapabilityError, NotFound
from ascribe.serve.access.callers import Caller
from ascribe.serve.faults import DeadlineError, InvalidRowsError, ShedError
from ascribe.serve.jobs.messages import JobCard
from ascribe.serve.jobs.place import Place
from ascribe.serve.jobs.records import Records
from ascribe.serve.jobs.room import Jobs
from ascribe.serve.messages import Attribution, AttributionAsked, AttributionResponse
from ascribe.serve.observe.log import Log
from ascribe.serve.rows import Row
from ascribe.serve.settings import Settings


class Room:
    """What answers rows here: one number a row, by the version that is now served."""

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
    async with asyncio.timeout(60):
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


@pytest.mark.parametrize("damaged", [b"", b"{", b'{"id": "\xff"}', b'{"asked": ' + 9999 * b"[", None])
@pytest.mark.parametrize("what", ["record/{}", "rows/{}/000000", "lease/{}", "end/{}"])
def test_what_cannot_be_read_of_a_job_holds_up_no_other(tmp_path, what, damaged):
    async def main() -> None:
        jobs = jobs_of(str(tmp_path), Room())
        broken = await jobs.submit(AttributionAsked(), [Row("a", None, 1.0)])
        file = tmp_path / what.format(broken.id)
        if damaged is None:
            file.unlink(missing_ok=True)
        else:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(damaged)
        good = await jobs.submit(AttributionAsked(), [Row("a", None, 1.0)])
        jobs.start()
        assert (await until_ended(jobs, good.id)).state == "done"
        async with asyncio.timeout(60):  # an end is told before its job is cleared away
            while list((tmp_path / "open").iterdir()):
                await asyncio.sleep(0.01)
        if what.startswith(("rows", "end")) and damaged is not None:
            card = await jobs.card(broken.id)
            assert card.state == "failed" and "damaged: submit it again" in card.reason
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
        async with asyncio.timeout(60):
            while not (await works.card(card.id, who)).ended:
                await asyncio.sleep(0.01)
        assert room.callers == [who] * 3
        await works.stop()

    asyncio.run(main())


class Abreast(Room):
    """A row of `a` is answered once `b` has asked, too, and the other way round."""

    def __init__(self) -> None:
        super().__init__()
        self.came = {name: asyncio.Event() for name in "ab"}

    async def explain(self, asked: AttributionAsked, rows: list[Row], caller: Caller) -> AttributionResponse:
        if caller.name in self.came:
            self.came[caller.name].set()
            for event in self.came.values():
                await event.wait()
        return await super().explain(asked, rows, caller)


def test_callers_jobs_go_side_by_side_and_one_whose_rate_is_spent_holds_up_no_other():
    async def main() -> None:
        room = Abreast()
        jobs = jobs_of(None, room)
        rows = [Row(str(i), None, 1.0) for i in range(640)]
        first = await jobs.submit(AttributionAsked(), rows, Caller("spent"))
        second = await jobs.submit(AttributionAsked(), rows, Caller("spent"))
        others = [(await jobs.submit(AttributionAsked(), rows, Caller(name)), Caller(name)) for name in "ab"]
        jobs.start()
        async with asyncio.timeout(60):  # for ever, if one had to end before another began
            for card, who in others:
                while not (await jobs.card(card.id, who)).ended:
                    await asyncio.sleep(0.01)
        seen = [caller.name for caller in room.callers if caller.name != "spent"]
        assert sorted(seen) == ["a"] * 10 + ["b"] * 10
        assert (await jobs.card(first.id, Caller("spent"))).state == "running"
        assert (await jobs.card(second.id, Caller("spent"))).state == "queued"  # one at a time of each caller
        await jobs.cancel(first.id, Caller("spent"))
        async with asyncio.timeout(60):
            while (await jobs.card(second.id, Caller("spent"))).state != "running":
                await asyncio.sleep(0.01)
        await jobs.stop()

    asyncio.run(main())


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
