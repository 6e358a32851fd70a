"""Priority: the urgent first among a caller's requests, nobody for ever, no turn of another caller's taken."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ascribe.serve.turns import PATIENCE, Turns, rank

from .test_batcher import Engine, rows, with_batcher


@pytest.mark.parametrize(("priority", "wanted"), [(0, 1), (1, 0), (2, 1), (3, 2), (2**32 - 1, 2)])
def test_one_is_first_and_zero_is_as_usual(priority, wanted):
    assert rank(priority) == wanted


@settings(max_examples=300)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(1, 4)), min_size=1, max_size=30),  # rank, turns that it needs
    st.lists(st.integers(0, 2), max_size=150),  # ranks that come while turns are had
)
def test_each_has_its_first_turn_in_time_and_the_urgent_before_the_usual(first, later):
    """`before`: how many others stood there when it came. Against a list that is searched from end to end."""
    turns: Turns[int] = Turns()
    ranks: list[int] = []
    left: dict[int, int] = {}
    since: list[int] = []  # who waits, the longest wait for a turn first
    came_at: dict[int, tuple[int, int]] = {}

    def come(one_rank: int, needs: int, turn: int) -> None:
        name = len(ranks)
        ranks.append(one_rank)
        came_at[name] = (turn, len(since))
        left[name] = needs
        since.append(name)
        turns.add(name, one_rank)

    for one_rank, needs in first:
        come(one_rank, needs, 0)
    turn, arriving = 0, iter(later)
    while since:
        found = turns.next(lambda _: True)
        assert found is not None
        if turn % PATIENCE == PATIENCE - 1:
            assert found == since[0]
        else:
            best = min(ranks[name] for name in since)
            assert found == next(name for name in since if ranks[name] == best)
        if found in came_at:
            at, before = came_at.pop(found)
            assert turn - at < PATIENCE * (before + 1)
        since.remove(found)
        left[found] -= 1
        if left[found]:
            since.append(found)
        turns.had(found, left[found] > 0)
        turn += 1
        if (one_rank := next(arriving, None)) is not None:
            come(one_rank, 1, turn)
    assert not turns and turns.next(lambda _: True) is None and not came_at


def test_the_dead_are_forgotten_and_whoever_leaves_is_gone():
    turns: Turns[str] = Turns()
    for name, one_rank in (("dead", 0), ("usual", 1), ("leaves", 1)):
        turns.add(name, one_rank)
    assert turns.next(lambda name: name != "dead") == "usual"
    assert turns.remove("leaves") and not turns.remove("leaves") and not turns.remove("dead")
    assert len(turns) == 1


def order_of(asked: list[tuple[str, str, int, int]], slots: int = 1) -> list[str]:
    """Names as their last rows are answered, of (name, caller, priority, rows) that came while the thread was busy."""
    engine = Engine()
    done: list[str] = []

    async def work(batcher: Any) -> None:
        engine.gate.clear()
        busy = asyncio.ensure_future(batcher.submit(engine.kind(99), rows(0), "nobody"))
        await asyncio.sleep(0)

        async def ask(i: int, name: str, caller: str, priority: int, count: int) -> None:
            X = rows(*(1000 * i + np.arange(count)))
            found = await batcher.submit(engine.kind(i, most=4), X, caller, None, priority)
            assert np.array_equal(found.value, 3 * X[:, 0] + i)
            done.append(name)

        asks = [asyncio.ensure_future(ask(i, *one)) for i, one in enumerate(asked)]
        await asyncio.sleep(0.01)
        engine.gate.set()
        await asyncio.gather(busy, *asks)

    with_batcher(work, slots, quantum=4)
    return done


def test_the_urgent_overtakes_its_callers_own_and_takes_no_turn_from_another():
    own = [("later", "a", 3, 4), ("usual", "a", 0, 4), ("urgent", "a", 1, 4)]
    assert order_of(own) == ["urgent", "usual", "later"]
    greedy = [(f"a{i}", "a", 1, 4) for i in range(5)] + [(f"b{i}", "b", 3, 4) for i in range(5)]
    assert order_of(greedy) == [f"{caller}{i}" for i in range(5) for caller in "ab"]


def test_an_endless_stream_of_urgent_requests_does_not_starve_the_others():
    asked = [("last", "a", 7, 4), ("usual", "a", 0, 4)] + [(f"u{i}", "a", 1, 4) for i in range(40)]
    done = order_of(asked)
    assert done.index("last") < PATIENCE and done.index("usual") < 2 * PATIENCE
    assert [name for name in done if name[0] == "u" and name != "usual"] == [f"u{i}" for i in range(40)]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from([0, 1, 2, 3, 9]), st.integers(1, 11)), min_size=1, max_size=20
    ),
    st.integers(1, 3),
)
def test_nothing_is_lost_or_crossed_whatever_the_priorities(asked, slots):
    named = [(str(i), *one) for i, one in enumerate(asked)]
    assert sorted(order_of(named, slots)) == sorted(name for name, *_ in named)
