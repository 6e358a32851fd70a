"""Rows of many requests in one call: each caller gets its own rows, a bad one fails alone, nobody waits for nothing.

The engine here is arithmetic on the rows, so that every answer can be told from every other.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ascribe.serve.batcher import Batcher
from ascribe.serve.faults import DeadlineError, ShedError
from ascribe.serve.tickets import Kind

POISON = -1.0


class Engine:
    """Keeps its calls; a row x becomes 3 x[0] + the kind's number; a poisonous row raises for its whole call."""

    def __init__(self, pause_s: float = 0.0) -> None:
        self.calls: list[int] = []
        self.rows: list[list[float]] = []
        self.pause_s, self.gate = pause_s, threading.Event()
        self.gate.set()

    def run(self, number: int) -> Callable[[np.ndarray, Callable[[], None]], np.ndarray]:
        def run(X: np.ndarray, step: Callable[[], None]) -> np.ndarray:
            self.gate.wait(60)
            self.calls.append(len(X))
            self.rows.append(X[:, 0].tolist())
            time.sleep(self.pause_s)
            step()
            if (X[:, 0] == POISON).any():
                raise ValueError("poison")
            return 3 * X[:, 0] + number

        return run

    def kind(self, number: int = 0, most: int = 64, row_s: float = 0.0) -> Kind:
        return Kind(number, self.run(number), cut, join, most, row_s)


def cut(answer: np.ndarray, first: int, end: int) -> np.ndarray:
    return answer[first:end].copy()


def join(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts)


def rows(*numbers: float) -> np.ndarray:
    return np.array(numbers, float)[:, None]


def with_batcher(work: Callable[[Batcher], Any], slots: int = 2, max_rows: int = 10_000, **more: Any) -> Any:
    async def main() -> Any:
        with ThreadPoolExecutor(slots) as pool:
            batcher = Batcher(pool, slots, max_rows, **more)
            found = await work(batcher)
            await asyncio.wait_for(batcher.idle(), 60)
            assert batcher.rows_waiting == 0
            assert not batcher._callers
            assert not batcher._own_s
            return found

    return asyncio.run(main())


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 3),  # caller
            st.integers(0, 2),  # kind
            st.integers(1, 40),  # rows
            st.integers(0, 3),  # when
            st.sampled_from(["ask", "ask", "ask", "poison", "leave"]),
        ),
        min_size=1,
        max_size=25,
    ),
    st.integers(1, 3),
    st.integers(1, 16),
    st.integers(1, 7),
)
def test_every_answer_is_the_unbatched_one(asked, slots, most, quantum):
    engine = Engine()

    async def one(batcher: Batcher, i: int, caller: int, number: int, count: int, when: int, how: str) -> str:
        await asyncio.sleep(when / 2000)
        X = rows(*(1000 * i + np.arange(count)))
        if how == "poison":
            X[count // 2] = POISON
        ask = asyncio.ensure_future(batcher.submit(engine.kind(number, most), X, str(caller)))
        if how == "leave":
            await asyncio.sleep(0)
            ask.cancel()
        try:
            answer = await ask
        except ValueError:
            return "failed"
        except asyncio.CancelledError:
            return "left"
        assert np.array_equal(answer.value, 3 * X[:, 0] + number)
        return "answered"

    async def work(batcher: Batcher) -> list[str]:
        return await asyncio.gather(*(one(batcher, i, *request) for i, request in enumerate(asked)))

    found = with_batcher(work, slots, quantum=quantum)
    wanted = {"ask": {"answered"}, "poison": {"failed"}, "leave": {"left", "answered"}}
    for request, end in zip(asked, found, strict=True):
        assert end in wanted[request[-1]]
    assert max(engine.calls) <= most


def test_nothing_waits_while_a_thread_is_free():
    engine = Engine()

    async def work(batcher: Batcher) -> None:
        for i in range(5):
            await batcher.submit(engine.kind(), rows(i))

    with_batcher(work)
    assert engine.calls == [1] * 5


def test_what_gathers_meanwhile_is_one_call():
    engine = Engine()
    engine.gate.clear()

    async def work(batcher: Batcher) -> list[float]:
        asks = [asyncio.ensure_future(batcher.submit(engine.kind(), rows(i), str(i))) for i in range(20)]
        await asyncio.sleep(0.02)
        engine.gate.set()
        return [float((await ask).value[0]) for ask in asks]

    assert with_batcher(work, slots=1) == [3.0 * i for i in range(20)]
    assert engine.calls == [1, 19]


def test_kinds_never_share_a_call():
    engine = Engine()
    engine.gate.clear()

    async def work(batcher: Batcher) -> None:
        asks = [asyncio.ensure_future(batcher.submit(engine.kind(i % 2), rows(i), str(i))) for i in range(9)]
        await asyncio.sleep(0.02)
        engine.gate.set()
        for i, ask in enumerate(asks):
            assert (await ask).value.tolist() == [3 * i + i % 2]

    with_batcher(work, slots=1)
    assert engine.calls == [1, 4, 4]


def test_a_long_request_is_cut_and_others_have_their_turn():
    """A row that comes while 200 wait is answered after one more piece of them, of its own caller's or another's."""
    engine, order = Engine(pause_s=0.001), []

    async def work(batcher: Batcher) -> None:
        async def ask(name: str, X: np.ndarray, caller: str) -> None:
            answer = await batcher.submit(engine.kind(most=10), X, caller)
            assert np.array_equal(answer.value, 3 * X[:, 0])
            order.append(name)

        long = asyncio.ensure_future(ask("long", rows(*range(200)), "a"))
        await asyncio.sleep(0)
        await asyncio.gather(ask("own", rows(1007), "a"), ask("other", rows(1008), "b"), long)

    with_batcher(work, slots=1, quantum=10)
    assert order[-1] == "long"
    assert {1007.0, 1008.0} <= {x for call in engine.rows[:4] for x in call}


def test_a_request_that_chooses_by_its_rows_together_stays_whole():
    engine = Engine()

    async def work(batcher: Batcher) -> None:
        await asyncio.gather(*(batcher.submit(engine.kind(most=0), rows(*range(n)), str(n)) for n in (3, 100, 50)))

    with_batcher(work, slots=1, quantum=4)
    assert sorted(engine.calls) == [3, 50, 100]


def test_too_much_is_shed_with_a_hint_and_an_idle_server_takes_anything():
    engine = Engine()
    engine.gate.clear()

    async def work(batcher: Batcher) -> None:
        kind = engine.kind(most=1, row_s=0.5)
        first = asyncio.ensure_future(batcher.submit(kind, rows(*range(50))))  # more than may wait, but nobody waits
        await asyncio.sleep(0)
        with pytest.raises(ShedError, match="rows wait, about") as caught:
            await batcher.submit(kind, rows(1))
        assert 1 < caught.value.retry_s <= 30
        assert batcher.crowd() > 1
        engine.gate.set()
        assert len((await first).value) == 50

    with_batcher(work, slots=1, max_rows=10)


def test_seconds_of_waiting_are_bounded_too():
    engine = Engine()
    engine.gate.clear()

    async def work(batcher: Batcher) -> None:
        asks = [asyncio.ensure_future(batcher.submit(engine.kind(most=1, row_s=1.0), rows(i))) for i in range(4)]
        await asyncio.sleep(0)
        with pytest.raises(ShedError):
            await batcher.submit(engine.kind(most=1, row_s=0.001), rows(1))
        engine.gate.set()
        await asyncio.gather(*asks)

    with_batcher(work, slots=1, max_wait_s=2.5)


def test_what_could_only_be_answered_too_late_is_refused_at_once():
    engine, now = Engine(), [100.0]
    engine.gate.clear()

    async def work(batcher: Batcher) -> None:
        kind = engine.kind(most=1, row_s=1.0)
        asks = [asyncio.ensure_future(batcher.submit(kind, rows(i), "a")) for i in range(7)]  # one runs, six wait
        await asyncio.sleep(0)
        with pytest.raises(ShedError, match="rows wait, about") as caught:
            await batcher.submit(kind, rows(7), "a", deadline=106.9)  # its end: 100 + 6 + 1
        assert caught.value.retry_s == pytest.approx(6.0)
        asks.append(asyncio.ensure_future(batcher.submit(kind, rows(8), "a", deadline=107.1)))
        # callers take turns: who has nothing here waits for one row of the other, not for all
        asks.append(asyncio.ensure_future(batcher.submit(kind, rows(9), "b", deadline=102.1)))
        await asyncio.sleep(0)
        with pytest.raises(ShedError):
            await batcher.submit(kind, rows(10), "b", deadline=103.9)
        engine.gate.set()
        assert [float(one.value[0]) for one in await asyncio.gather(*asks)] == [3.0 * i for i in (*range(7), 8, 9)]

    with_batcher(work, slots=1, clock=lambda: now[0])


def test_waits_that_are_longer_than_latencies_say_are_learnt():
    engine = Engine(pause_s=0.004)

    async def work(batcher: Batcher) -> None:
        kind = engine.kind(most=1, row_s=0.001)
        for _ in range(12):
            await asyncio.gather(*(batcher.submit(kind, rows(i)) for i in range(6)))
        engine.gate.clear()
        asks = [asyncio.ensure_future(batcher.submit(kind, rows(i))) for i in range(11)]
        await asyncio.sleep(0)
        assert batcher.wait_s() > 0.025  # ten wait: 10 ms by latencies, 40 ms and more by the clock
        engine.gate.set()
        await asyncio.gather(*asks)

    with_batcher(work, slots=1)


@pytest.mark.parametrize(("left_at", "learns"), [(101.993, True), (101.0, False)])
def test_a_wait_that_a_caller_gave_up_at_its_end_is_learnt_too(left_at, learns):
    """The caller's end comes a little before the deadline that its library told; who leaves early says nothing."""
    engine, now = Engine(), [100.0]
    engine.gate.clear()

    async def work(batcher: Batcher) -> None:
        kind = engine.kind(most=1, row_s=0.5)
        first, second = (asyncio.ensure_future(batcher.submit(kind, rows(i))) for i in range(2))
        await asyncio.sleep(0)
        gone = asyncio.ensure_future(batcher.submit(kind, rows(2), deadline=102.0))
        await asyncio.sleep(0)
        told = batcher.wait_s()
        now[0] = left_at
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        alone = batcher.wait_s()  # one row waits, where there were two
        assert alone > 0.5 * told if learns else alone == 0.5 * told
        engine.gate.set()
        await asyncio.gather(first, second)

    with_batcher(work, slots=1, clock=lambda: now[0])


def test_rows_whose_time_is_up_are_never_computed():
    engine, now = Engine(), [100.0]
    engine.gate.clear()

    async def work(batcher: Batcher) -> None:
        first = asyncio.ensure_future(batcher.submit(engine.kind(), rows(1)))
        late = asyncio.ensure_future(batcher.submit(engine.kind(), rows(2), "b", deadline=101.0))
        later = asyncio.ensure_future(batcher.submit(engine.kind(), rows(3), "c", deadline=103.0))
        await asyncio.sleep(0)
        now[0] = 102.0
        engine.gate.set()
        assert (await first).value.tolist() == [3]
        assert (await later).value.tolist() == [9]
        with pytest.raises(DeadlineError):
            await late

    with_batcher(work, slots=1, clock=lambda: now[0])
    assert sum(engine.calls) == 2


def test_who_leaves_takes_the_rows_along():
    engine = Engine()
    engine.gate.clear()

    async def work(batcher: Batcher) -> None:
        first = asyncio.ensure_future(batcher.submit(engine.kind(), rows(1)))
        gone = [asyncio.ensure_future(batcher.submit(engine.kind(), rows(*range(30)), str(i))) for i in range(3)]
        await asyncio.sleep(0)
        for ask in gone:
            ask.cancel()
        await asyncio.sleep(0)
        assert batcher.rows_waiting == 0
        engine.gate.set()
        await first

    with_batcher(work, slots=1)
    assert engine.calls == [1]


def test_answers_are_copies():
    engine = Engine()
    engine.gate.clear()

    async def work(batcher: Batcher) -> list[np.ndarray]:
        asks = [asyncio.ensure_future(batcher.submit(engine.kind(), rows(i, i + 1), str(i))) for i in range(4)]
        await asyncio.sleep(0.01)
        engine.gate.set()
        return [(await ask).value for ask in asks]

    found = with_batcher(work, slots=1)
    assert not any(np.shares_memory(a, b) for i, a in enumerate(found) for b in found[:i])
    assert all(a.base is None or len(a.base) == len(a) for a in found)


def test_many_rows_through_random_batches():
    """`benchmarks/batching.py` does a million."""
    from benchmarks.batching import soak

    held = soak(20_000)
    assert held["crossed"] == held["different"] == 0
    assert held["rows"] >= 20_000
