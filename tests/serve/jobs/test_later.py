"""Predictions now, attributions later: by id, for a while, from whichever process is asked."""

from __future__ import annotations

import asyncio
import time

import grpc
import pytest

from ascribe.core.errors import CapabilityError, InputError, NotFound
from ascribe.serve.access.callers import Caller
from ascribe.serve.faults import ShedError
from ascribe.serve.jobs.later import Later
from ascribe.serve.jobs.place import Place
from ascribe.serve.messages import AttributionAsked, AttributionResponse, PredictionAsked, PredictionResponse
from ascribe.serve.observe.log import Log
from ascribe.serve.rows import Row
from ascribe.serve.settings import Settings
from ascribe.serve.wire import attribution_pb2 as pb

from .. import tiny

BODY = {"feature_vector": [{"id": "a", "values": tiny.ROW, "measured_w": 100.0}]}


def test_the_prediction_comes_with_an_id_and_the_attribution_under_it(served):
    answer = served.http.post("/v1/predictions", params={"explain": "later"}, json=BODY | {"tier": "exact"})
    told = answer.json()
    found = served.http.get(f"/v1/attributions/{told['attribution_id']}", params={"wait_s": 10})
    assert found.status_code == 200 and found.json()["ready"]
    late = found.json()["response"]
    now = served.http.post("/v1/attributions", json=BODY | {"tier": "exact"}).json()
    assert late["attributions"] == now["attributions"]
    assert late["request_id"] == told["request_id"]
    assert late["attributions"][0]["prediction"] == told["predictions"][0]["prediction"]


def test_it_works_by_grpc_and_across_the_doors(served):
    row = pb.FeatureVector(names=list(tiny.ROW), values=list(tiny.ROW.values()))
    asked = pb.PredictionRequest(feature_vector=[row], explain="later", tier="accurate")
    name = served.stub.GetPrediction(asked).attribution_id
    late = served.stub.GetAttributionById(pb.AttributionByIdRequest(attribution_id=name, wait_s=10))
    assert late.ready and late.response.tier == "accurate"
    by_rest = served.http.get(f"/v1/attributions/{name}").json()["response"]
    assert by_rest["attributions"][0]["attribution_shares"] == dict(late.response.attributions[0].attribution_shares)


def test_without_the_word_nothing_is_explained(served):
    assert served.http.post("/v1/predictions", json=BODY).json()["attribution_id"] == ""
    answer = served.http.post("/v1/predictions", params={"explain": "soon"}, json=BODY)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")


@pytest.mark.parametrize("wish", [{"target_stderr": -1}, {"target_stderr": 0}, {"max_latency_ms": -5}])
def test_a_wish_that_nothing_can_meet_is_refused_at_once(served, wish):
    answer = served.http.post("/v1/predictions", json=BODY | {"explain": "later"} | wish)
    assert (answer.status_code, f"{next(iter(wish))} is a positive number" in answer.json()["detail"]) == (400, True)


def test_what_cannot_be_explained_is_predicted_and_says_why_later(served):
    told = served.http.post("/v1/predictions", json=BODY | {"explain": "later", "tier": "balanced"}).json()
    assert told["predictions"][0]["status"] == "ok"
    answer = served.http.get(f"/v1/attributions/{told['attribution_id']}", params={"wait_s": 10})
    assert (answer.status_code, answer.json()["code"]) == (422, "precondition")


def test_unknown_ids_are_not_found(served):
    for name in ("nothing", f"{round(time.time() * 1000):011x}-" + "0" * 32):
        assert served.http.get(f"/v1/attributions/{name}").status_code == 404
        with pytest.raises(grpc.RpcError) as caught:
            served.stub.GetAttributionById(pb.AttributionByIdRequest(attribution_id=name))
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    assert served.http.get(f"/v1/attributions/{name}", params={"wait_s": "nan"}).status_code == 400


ANSWER = AttributionResponse("m", "v1", "", "", "", "", "", "", 0, 0, 0, "W", "", [], 0.0, "r", 0.0, {}, [])


class Room:
    """Predicts at once; explains when it is let."""

    def __init__(self) -> None:
        self.go = asyncio.Event()

    async def predict(
        self, asked: PredictionAsked, rows: list[Row], caller: Caller, within_s: float | None
    ) -> PredictionResponse:
        return PredictionResponse("m", "v1", "", "W", "", "r", {}, [])

    async def explain(self, asked: AttributionAsked, rows: list[Row], caller: Caller) -> AttributionResponse:
        await self.go.wait()
        if asked.tier == "balanced":
            raise CapabilityError("no such tier")
        return ANSWER


class Slow(Room):
    """Others come while it predicts."""

    async def predict(
        self, asked: PredictionAsked, rows: list[Row], caller: Caller, within_s: float | None
    ) -> PredictionResponse:
        await asyncio.sleep(0.01)
        if asked.tier == "none":
            raise CapabilityError("no prediction")
        return await super().predict(asked, rows, caller, within_s)


def later_of(room: Room, place: str | None = None, **settings: object) -> Later:
    return Later(Place(place), Settings(**settings), room.predict, room.explain, Log(lambda line: None))


async def asked(later: Later, tier: str = "exact", caller: Caller | None = None) -> str:
    wish = PredictionAsked(explain="later", tier=tier)
    return (await later.predict(wish, [Row()], *([caller] if caller else []))).attribution_id


def test_the_prediction_waits_for_no_explanation():
    async def main() -> None:
        room = Room()
        later = later_of(room)
        name = await asked(later)
        assert not (await later.get(name)).ready
        assert not (await later.get(name, wait_s=0.02)).ready
        room.go.set()
        assert (await later.get(name, wait_s=10)).response == ANSWER
        assert (await later.get(name)).response == ANSWER

    asyncio.run(main())


def test_only_so_many_are_kept_and_only_so_long():
    async def main() -> None:
        room = Room()
        later = later_of(room, max_later=2, later_keep_s=900.0)
        first, second = await asked(later), await asked(later)
        with pytest.raises(ShedError, match="2 attributions are unfinished"):
            await asked(later)
        room.go.set()
        assert (await later.get(first, 10)).ready and (await later.get(second, 10)).ready
        third = await asked(later)
        with pytest.raises(NotFound, match="cleaned away"):
            await later.get(first)
        assert (await later.get(second)).ready and (await later.get(third, 10)).ready
        later._held[third].at_s -= 1000.0  # a quarter of an hour goes by
        fourth = await asked(later)
        with pytest.raises(NotFound):
            await later.get(third)
        assert (await later.get(fourth, 10)).ready

    asyncio.run(main())


def test_they_are_bounded_in_rows_too():
    async def main() -> None:
        room = Room()
        later = later_of(room, max_later_rows=5)
        wish = PredictionAsked(explain="later")
        first = (await later.predict(wish, [Row()] * 3)).attribution_id
        with pytest.raises(ShedError, match="1 attributions are unfinished"):
            await later.predict(wish, [Row()] * 3)
        room.go.set()
        assert (await later.get(first, 10)).ready
        many = (await later.predict(wish, [Row()] * 9)).attribution_id  # alone it may be larger
        with pytest.raises(NotFound):
            await later.get(first)
        assert (await later.get(many, 10)).ready

    asyncio.run(main())


@pytest.mark.parametrize("bound", [{"max_later": 2}, {"max_later_rows": 2}])
def test_the_bound_holds_for_those_that_come_at_once(bound):
    async def main() -> None:
        room = Slow()
        later = later_of(room, **bound)
        told = await asyncio.gather(*(asked(later) for _ in range(40)), return_exceptions=True)
        assert [type(one) for one in told].count(ShedError) == 38
        room.go.set()
        for name in told[:2]:
            assert (await later.get(name, 10)).ready

    asyncio.run(main())


def test_a_prediction_that_fails_keeps_no_place():
    async def main() -> None:
        room = Slow()
        later = later_of(room, max_later=1)
        for _ in range(3):
            with pytest.raises(CapabilityError):
                await asked(later, "none")
        assert await asked(later)

    asyncio.run(main())


def test_another_process_and_no_other_caller_has_it(tmp_path):
    async def main() -> None:
        room, place = Room(), str(tmp_path)
        maker, other = later_of(room, place), later_of(room, place)
        me, you = Caller("me"), Caller("you")
        name, failed = await asked(maker, caller=me), await asked(maker, "balanced", caller=me)
        assert not (await other.get(name, caller=me)).ready
        with pytest.raises(NotFound):
            await maker.get(name, caller=you)
        room.go.set()
        assert (await other.get(name, 10, me)).response == ANSWER
        with pytest.raises(CapabilityError, match="no such tier"):
            await other.get(failed, 10, me)
        for later in (maker, other):
            with pytest.raises(NotFound):
                await later.get(name, 10, you)
        old = f"{round(time.time() * 1000) - 3_600_000:011x}-" + "0" * 32
        with pytest.raises(NotFound):
            await other.get(old, 10, me)
        (tmp_path / "later" / name).write_bytes(b'{"caller": "\xff')  # of a machine that lost power
        with pytest.raises(NotFound):
            await other.get(name, 10, me)

    asyncio.run(main())


def test_an_unknown_word_is_refused_before_anything_is_done():
    async def main() -> None:
        with pytest.raises(InputError, match="use 'later'"):
            await later_of(Room()).predict(PredictionAsked(explain="now"), [Row()])

    asyncio.run(main())
