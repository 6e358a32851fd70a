"""Rows of the last minutes in the state: once each, in order, and no more than half an hour of them."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.bundle.recent import KEEP_S, Follow, Rows, Trail
from ascribe.bundle.state import State
from ascribe.core.errors import RegistryError

US = 1_000_000
START = 1_790_000_000 * US


class Clock:
    def __init__(self) -> None:
        self.us = START

    def __call__(self) -> int:
        return self.us


def rows(t_us: int, *watts: float | None) -> Rows:
    count = len(watts)
    return Rows(["a", "b"], [f"n {i}/<x>" for i in range(count)], [t_us] * count, list(watts), [[1.5, None]] * count)


@pytest.fixture
def place(tmp_path):
    return State(str(tmp_path / "state"))


def test_each_row_once_and_as_it_was(place):
    clock = Clock()
    trail, follow = Trail(place, "w", clock), Follow(place, clock)
    assert follow.new() == []
    for k in range(5):
        clock.us = START + k * 2 * US
        trail.put([rows(clock.us, 1.0, None), rows(clock.us, 3.0)])
        found = follow.new()
        assert [r.t_us for r in found] == [[clock.us] * 2, [clock.us]]
        assert found[0].power_w == [1.0, None]
        assert found[0].X == [[1.5, None]] * 2
        assert follow.new() == []


def test_not_a_number_is_nothing(place):
    trail = Trail(place, "w", Clock())
    trail.put([Rows(["a"], ["n"], [1], [float("nan")], np.array([[np.nan]]).tolist())])
    (found,) = Follow(place, Clock()).new()
    assert (found.power_w, found.X) == ([None], [[None]])


def test_several_writers_whose_clocks_differ(place):
    ahead, behind, clock = Clock(), Clock(), Clock()
    one, other, follow = Trail(place, "one", ahead), Trail(place, "other", behind), Follow(place, clock)
    seen = []
    for k in range(30):
        ahead.us = clock.us = START + k * 2 * US
        behind.us = ahead.us - 20 * US
        one.put([rows(k, 1.0)])
        seen += follow.new()
        other.put([rows(1000 + k, 2.0)])
        seen += follow.new()
    assert sorted(r.t_us[0] for r in seen) == [*range(30), *range(1000, 1030)]


def test_old_pieces_go_whoever_wrote_them(place):
    clock = Clock()
    for k in range(40):
        clock.us = START + k * US
        Trail(place, f"w{k}", clock).put([rows(k, 1.0)])
    clock.us = START + round(KEEP_S * US) + 30 * US
    trail = Trail(place, "late", clock)
    for _ in range(10):
        clock.us += 1
        trail.put([rows(1, 1.0)])
    names = place.names("recent")
    assert len(names) == 9 + 10
    assert sum(name.endswith("late") for name in names) == 10
    assert len(Follow(place, clock).new()) == 9 + 10


def test_a_reader_that_starts_looks_back_half_an_hour(place):
    clock = Clock()
    trail = Trail(place, "w", clock)
    trail.put([rows(1, 1.0)])
    clock.us += round(KEEP_S * US) + 1
    place.put([rows(2, 1.0)], "recent", f"{clock.us:016d}-w")
    assert [r.t_us for r in Follow(place, clock).new()] == [[2]]


def test_what_is_no_piece_is_said(place):
    clock = Clock()
    place.put({"x": 1}, "recent", f"{clock.us + 1:016d}-w")
    with pytest.raises(RegistryError, match="remove it"):
        Follow(place, clock).new()


def test_names_after_a_name(place):
    for name in ("1", "2", "3"):
        place.put(0, "recent", name)
    assert place.names("recent", after="25") == ["3"]


def test_the_same_on_an_object_store(s3):
    state, clock = State(f"{s3.uri}/state"), Clock()
    trail, follow = Trail(state, "w", clock), Follow(state, clock)
    for k in range(4):
        clock.us = START + k * 2 * US
        trail.put([rows(k, 1.0)])
        assert [r.t_us for r in follow.new()] == [[k]]
    assert state.names("recent", after=f"{START + 1:016d}") == [f"{START + k * 2 * US:016d}-w" for k in (1, 2, 3)]


def test_piece_by_piece_and_the_newest_before(place):
    clock = Clock()
    trail, follow = Trail(place, "w", clock), Follow(place, clock)
    for k in range(10):
        clock.us = START + k * 2 * US
        trail.put([rows(k, 1.0)])
    assert [r.t_us for r in follow.newest(2)] == [[8], [9]]
    found, left = [], []
    while not left or left[-1]:
        found += [r.t_us[0] for r in follow.new(4)]
        left.append(follow.left)
    assert (found, left) == (list(range(10)), [6, 2, 0])
