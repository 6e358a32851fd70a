"""Energies stand in the queue of explanations: shed where it is full, given up in time, in turns with other callers."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ascribe.core.energy import Energy
from ascribe.core.features import Feature
from ascribe.core.model import Model
from ascribe.serve.access.callers import Caller
from ascribe.serve.faults import DeadlineError, ShedError
from ascribe.serve.messages import AttributionAsked, EnergyAsked
from ascribe.serve.rows import Row
from ascribe.serve.service import Service
from ascribe.serve.settings import Settings
from ascribe.serve.versions.leases import Lease, Versions
from ascribe.serve.wire import attribution_pb2 as pb
from tests.waiting import until

from .asking import CODES, ROW, VECTOR, doors
from .held import holding
from .observe.reading import total

ASKED = EnergyAsked(observed=[["a"], []])


class Held:
    """An energy model that waits until it is let, and says of which rows it was asked."""

    def __init__(self) -> None:
        self.began, self.go, self.rows = threading.Event(), threading.Event(), list[float]()
        self.name = "held"

    def energy(self, X: np.ndarray, S: np.ndarray) -> Energy:
        self.began.set()
        assert self.go.wait(60)
        self.rows.append(float(X[0, 1]))
        zeros = np.zeros((len(X), len(S)))
        wide = np.zeros((len(X), len(S), X.shape[1]))
        return Energy(zeros, zeros, wide, wide + 1.0, wide)


def room(held: Held, **settings: object) -> Service:
    features = (Feature("a"), Feature("b"))
    model = Model(
        features, predict=lambda X: X.sum(axis=1), background=np.zeros((2, 2)), base_value=0.0,
        conditional=held, version="1",  # type: ignore[arg-type]
    )  # fmt: skip
    versions = Versions()
    versions.swap(Lease("m", "production", "1", "0" * 64, model, np.zeros((1, 2))))
    return Service(versions, Settings(explain_threads=1, **settings), ThreadPoolExecutor(1))


def rows(*named: float) -> list[Row]:
    return [Row(values=[1.0, name]) for name in named]


async def begun(held: Held) -> None:
    assert await asyncio.to_thread(held.began.wait, 60)


def test_a_full_queue_sheds_them_and_the_others_are_answered():
    async def main() -> None:
        held = Held()
        service = room(held, max_queue_rows=8)
        first = asyncio.ensure_future(service.energy(ASKED, rows(*range(64))))
        await begun(held)
        second = asyncio.ensure_future(service.energy(ASKED, rows(*range(6))))
        await asyncio.sleep(0.01)
        with pytest.raises(ShedError, match="rows wait") as caught:
            await service.energy(ASKED, rows(*range(6)))
        assert caught.value.retry_s > 0
        held.go.set()
        assert [len((await one).energies) for one in (first, second)] == [64, 6]

    asyncio.run(main())


def test_rows_keep_their_order_and_a_bad_one_fails_alone():
    async def main() -> None:
        held = Held()
        held.go.set()
        answer = await room(held).energy(ASKED, [*rows(1, 2), Row("bad", values=[1.0]), *rows(3)])
        assert [one.status for one in answer.energies] == ["ok", "ok", "invalid", "ok"]
        assert held.rows == [1, 2, 3]
        assert set(answer.timings_ms) == {"check", "queue", "energy", "total"}

    asyncio.run(main())


def test_they_are_given_up_when_the_caller_no_longer_waits():
    async def main() -> None:
        held = Held()
        service = room(held)
        with pytest.raises(DeadlineError, match=r"not done within 1 s"):
            await service.energy(ASKED, rows(*range(50)), Caller("a"), 1.0)
        assert held.began.is_set()  # a second is long for a thread that only has to start
        held.go.set()
        await service.explaining.idle()
        assert len(held.rows) == 1

    asyncio.run(main())


def test_another_caller_has_its_turn_between_them():
    async def main() -> None:
        held = Held()
        service = room(held)
        many = asyncio.ensure_future(service.energy(ASKED, rows(*range(500)), Caller("a")))
        await begun(held)
        other = asyncio.ensure_future(service.attribute(AttributionAsked(method="kernel_shap"), rows(1), Caller("b")))
        await asyncio.sleep(0.01)
        held.go.set()
        await other
        assert not many.done()
        assert len((await many).energies) == 500

    asyncio.run(main())


def test_both_doors_say_when_to_come_again(tmp_path):
    body = {"feature_vector": [ROW], "observed": ["busy"]}
    asking = pb.EnergyRequest(feature_vector=[VECTOR], observed=[pb.Names(names=["busy"])])
    with (
        doors(tmp_path, explain_threads=1, max_queue_rows=1) as asked,
        holding() as held,
        ThreadPoolExecutor(2) as pool,
    ):
        first = pool.submit(asked.http.post, "/v1/energy", json=body)
        assert held.began.wait(60)
        second = pool.submit(asked.http.post, "/v1/energy", json=body)
        until(lambda: total(asked.http.get("/metrics").text, "attribution_queue_rows") == 1)
        assert CODES[asked.called("GetEnergy", asking)] == 429
        refused = asked.http.post("/v1/energy", json=body)
        assert (refused.status_code, refused.json()["code"]) == (429, "shed")
        assert int(refused.headers["retry-after"]) >= 1
        assert total(asked.http.get("/metrics").text, "attribution_shed_total", reason="queue") == 2
        held.go.set()
        assert {first.result().status_code, second.result().status_code} == {200}
