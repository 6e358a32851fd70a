"""Grids, gaps and outages: against loops that do it step by step, and against poisoned futures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascribe.core.errors import InputError
from ascribe.core.forecast.ago import ago
from ascribe.core.forecast.gaps import Rules
from ascribe.core.forecast.grid import grid, phase_of, step_of
from ascribe.core.forecast.mended import FOUND, Mend, merged, plain, told
from ascribe.core.forecast.mending import mend, remarks
from ascribe.core.forecast.outages import outages
from ascribe.core.forecast.shifts import shifts

STEP = 3600
RULES = Rules(short_s=2 * STEP, still_s=STEP, still_steps=4)


def wave(t, s=1, seed=0):
    """A daily wave with noise: no two neighbours are equal."""
    k = np.arange(t)[:, None]
    return 100 + 30 * np.sin(2 * np.pi * k / 24 + np.arange(s)) + np.random.default_rng(seed).normal(size=(t, s))


def mended(values, rules=RULES, local=None):
    at = STEP * np.arange(len(values), dtype=np.int64)
    return mend([f"s{j}" for j in range(values.shape[1])], 0, STEP, values, at if local is None else local, rules)


@given(st.data())
def test_shuffled_repeated_and_jittered_samples_give_the_same_grid(data):
    t, s = 30, 3
    values = wave(t, s)
    time = 1_000_000_000 // STEP * STEP + STEP * np.arange(t)
    which, at, value = np.tile(np.arange(s), t), np.repeat(time, s).astype(float), values.ravel()
    gone = data.draw(st.sets(st.integers(0, t * s - 1), max_size=20)) - {0, t * s - 1}
    kept = np.array([i for i in range(t * s) if i not in gone])
    twice = np.array(data.draw(st.lists(st.sampled_from(kept.tolist()), max_size=15)), int)
    order = np.random.default_rng(data.draw(st.integers(0, 99))).permutation(np.concatenate([kept, twice]))
    jitter = data.draw(st.floats(-0.49, 0.49)) * STEP * (order % 2)
    plainly = grid("abc", which[kept], at[kept], value[kept], STEP)
    again = grid("abc", which[order], at[order] + jitter, value[order], STEP)
    expected = values.copy().ravel()
    expected[list(gone)] = np.nan
    assert plainly.values.tobytes() == again.values.tobytes() == expected.reshape(t, s).tobytes()
    told_of = {kind: sum(m.count for m in again.mends if m.kind == kind) for kind in ("duplicate", "snapped")}
    assert told_of == {"duplicate": len(twice), "snapped": int((np.abs(jitter) >= 0.5).sum())}


@given(st.permutations([3.0, 0.1, 0.2, 0.1]))
def test_samples_that_differ_are_averaged_whatever_their_order(values):
    held = grid(["a"], np.zeros(4, int), np.full(4, 60.0), np.array(values), 60)
    assert held.values.tobytes() == np.array([[np.mean([0.1, 0.2, 3.0])]]).tobytes()
    assert sorted((m.count, m.rule) for m in held.mends) == [
        (1, "the same again: counted once"), (2, "another value: their mean")]  # fmt: skip


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 3), st.integers(0, 5)), min_size=1))
def test_each_step_is_the_mean_of_its_different_samples(samples):
    """One, two or many of a step: cell by cell."""
    which, step, value = (np.array(column) for column in zip(*samples, strict=True))
    held = grid(["a", "b"], which, 60.0 * step, value.astype(float), 60).values
    for t, j in np.ndindex(held.shape):
        own = {v for w, s, v in samples if (w, s) == (j, t + step.min())}
        assert held[t, j] == pytest.approx(np.mean(list(own)) if own else np.nan, nan_ok=True)


def test_order_is_told_by_series():
    held = grid(["a", "b"], np.array([0, 1, 0, 0, 1]), np.array([60.0, 60, 180, 120, 120]), np.arange(5.0), 60)
    assert [(m.series, m.from_s, m.count) for m in held.mends if m.kind == "order"] == [("a", 120, 1)]
    np.testing.assert_array_equal(held.values, [[0, 1], [3, 4], [2, np.nan]])


def test_the_step_is_found_and_a_wrong_one_is_named():
    time = np.delete(300.0 * np.arange(100), [5, 6, 50])
    which = np.zeros(len(time), int)
    assert (
        step_of(time, which) == step_of(time, which, 300) == step_of(time + 7 * (np.arange(97) % 3), which, 300) == 300
    )
    with pytest.raises(InputError, match=r"the data has a step of 5min .98% of neighbours., not 1min: say --step 5min"):
        step_of(time, which, 60)
    with pytest.raises(InputError, match=r"a step of 5min .* not 1h"):
        step_of(time, which, 3600)
    with pytest.raises(InputError, match="no series has two different times"):
        step_of(np.array([5.0, 5.0]), np.array([0, 1]))
    assert phase_of(time + 120, 300) == 120
    assert phase_of(300.0 * np.arange(50) + 5.9 * np.arange(50), 300) == 0


def test_a_grid_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match="too many: take the last days with --last"):
        grid(["a"], np.zeros(2, int), np.array([0.0, 1.7e9]), np.ones(2), 1)


@given(st.data())
def test_gaps_are_filled_as_the_rule_says_step_by_step(data):
    t = 24 * 16
    values = wave(t)
    for _ in range(data.draw(st.integers(1, 4))):
        first = data.draw(st.integers(0, t - 1))
        values[first : first + data.draw(st.integers(1, 60))] = np.nan
    done = mended(values)
    measured = np.isfinite(values[:, 0])
    for k in range(t):
        if measured[k]:
            expected = values[k, 0]
        elif any(k - d >= 0 and measured[k - d] for d in (1, 2)):
            expected = next(values[k - d, 0] for d in (1, 2) if k - d >= 0 and measured[k - d])
        else:
            expected = next((values[k - d, 0] for d in (168, 24) if k >= d and measured[k - d]), np.nan)
        np.testing.assert_array_equal(done.values[k, 0], expected)
    np.testing.assert_array_equal(done.observed[:, 0], measured)
    assert sum(m.count for m in done.mends if m.kind == "gap") == (~measured).sum()


@given(st.data())
def test_nothing_after_a_step_decides_about_it(data):
    t = 24 * 20
    values = wave(t, 2, seed=3)
    for _ in range(data.draw(st.integers(0, 5))):
        j, first = data.draw(st.integers(0, 1)), data.draw(st.integers(0, t - 2))
        length = data.draw(st.integers(1, 40))
        values[first : first + length, j] = data.draw(st.sampled_from([np.nan, 0.0, values[first, j]]))
    until = data.draw(st.integers(1, t - 1))
    poisoned = values.copy()
    poisoned[until:] = data.draw(st.sampled_from([np.nan, 0.0, 1e300, poisoned[until - 1, 0]]))
    one, other = mended(values), mended(poisoned)
    assert one.values[:until].tobytes() == other.values[:until].tobytes()
    assert one.observed[:until].tobytes() == other.observed[:until].tobytes()
    short = mended(values[:until])
    assert one.values[:until].tobytes() == short.values.tobytes()


def test_a_counter_that_stands_still_is_not_believed_and_an_idle_one_is():
    values = wave(24 * 10)
    values[100:130] = 0.0
    masked = outages(values[:, 0], 4, 24)
    assert np.flatnonzero(masked).tolist() == list(range(104, 130))
    done = mended(values)
    assert not done.observed[104:130].any() and done.observed[100:104].all()
    np.testing.assert_array_equal(done.values[104:124], values[80:100])  # a day before: there is no week yet
    assert (done.values[124:128] == 0).all()  # a day before these the zeros were still believed
    assert np.isnan(done.values[128:130]).all()  # and before these they were not
    idle = np.where(np.arange(240) % 40 < 20, 0.0, np.arange(240.0))  # 20 of 40 steps are zeros from the start
    assert not outages(idle, 4, 24).any()
    assert not outages(np.full(240, 7.0), 4, 24).any()  # constant from the start


def test_a_week_ago_is_the_same_time_on_the_wall():
    offset = np.where(np.arange(24 * 20) >= 24 * 10 + 1, 3600, 0)  # clocks go forward at 01:00 of day 10
    local = STEP * np.arange(24 * 20) + offset
    before = ago(0, STEP, local, 7 * 86400)
    k = np.flatnonzero(before >= 0)
    far = k[k != 408]  # a week after the hour that was left out; every other one has its like
    assert (local[far] - local[before[far]] == 7 * 86400).all()
    assert (before < np.arange(len(local))).all()
    assert ago(0, 7000, local, 86400).max() == -1  # a day is no number of such steps


def test_shifts_are_found_where_they_were_made():
    day, rng = 24, np.random.default_rng(1)
    weekly = np.where(np.arange(60 * day) // day % 7 < 5, 100.0, 60.0)
    values = weekly + rng.normal(0, 5, 60 * day)
    seen = np.ones(len(values), bool)
    assert shifts(values, seen, day) == []
    values[30 * day :] *= 3
    (found,) = shifts(values, seen, day)
    assert abs(found[0] - 30 * day) <= 2 * day
    assert 80 < found[1] < 110 and 240 < found[2] < 330
    assert shifts(values[: 10 * day], seen[: 10 * day], day) == []


def test_dead_constant_and_shifted_series_are_told():
    values = wave(24 * 40, 5)
    values[:, 1] = 7.0
    values[24 * 20 :, 2] = np.nan
    values[:, 3] = np.nan
    values[24 * 20 :, 4] += 500
    done = mended(values)
    found = remarks([f"s{j}" for j in range(5)], 0, STEP, done.values, done.observed)
    assert [(m.series, m.kind) for m in found] == [("s1", "constant"), ("s2", "dead"), ("s3", "dead"), ("s4", "shift")]
    assert all(m.count == (m.to_s - m.from_s) / STEP + 1 for m in found if m.kind != "shift")
    assert found[1].from_s == 24 * 20 * STEP and abs(found[3].from_s - 24 * 20 * STEP) <= 86400


def test_records_are_merged_told_and_kept():
    same = [Mend("gap", name, 0, 7200, 3, "the last value") for name in "abc"]
    more = [Mend("outage", "a", 9, 9, 1, "x"), Mend("gap", "b", 3600, 3600, 1, "the last value")]
    both = merged([*more, *same], "abc")
    assert [(m.kind, m.series, m.count) for m in both] == [
        ("gap", "all 3 series", 9),
        ("gap", "b", 1),
        ("outage", "a", 1),
    ]
    assert told(both)[0] == "gap: all 3 series, 1970-01-01T00:00:00Z to 1970-01-01T02:00:00Z, 9: the last value"
    assert told(both, 1) == [str(both[0]), "gap: 1 more, 1 in all", str(both[2])]
    assert plain(both, 1) == {
        "counts": {"gap": 10, "outage": 1}, "left_out": 2,
        "records": [{"kind": "gap", "series": "all 3 series", "from": "1970-01-01T00:00:00Z",
                     "to": "1970-01-01T02:00:00Z", "count": 9, "rule": "the last value"}],
    }  # fmt: skip
    assert len(set(FOUND)) == len(FOUND)
