"""A row of recent samples against the row that training would have cut."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascribe.core.errors import InputError
from ascribe.core.forecast import Series, rows, window_of
from ascribe.core.forecast.context import Samples, latest_plain, of_latest, of_samples
from ascribe.core.forecast.gaps import Rules
from ascribe.core.forecast.mending import mend
from ascribe.core.forecast.rows import reach

STEP, T = 3600, 24 * 21
NOW = STEP * T
HOLE = (np.arange(T) >= T - 30) & (np.arange(T) < T - 20)  # one is held, from T - 24 on a day before is known


def local(utc_s):
    return np.asarray(utc_s, np.int64) + 7200


def series_of(values, exogenous=()):
    at = STEP * np.arange(len(values), dtype=np.int64)
    names = tuple(f"s{j}" for j in range(values.shape[1]))
    done = mend(names, 0, STEP, values, local(at), Rules())
    extra = np.stack([values * 2] * len(exogenous), axis=2) if exogenous else np.zeros((*values.shape, 0))
    return Series(names, 0, STEP, done.values, done.observed, local(at), extra, exogenous, "b")


def wave(seed=0, s=2):
    k = np.arange(T)[:, None]
    return 100 + 30 * np.sin(2 * np.pi * k / 24) + np.random.default_rng(seed).normal(size=(T, s))


def sent(values, j=0, first=0, last=T, **extra):
    at = STEP * np.arange(first, last, dtype=float)
    more = {name: column[first:last, j] for name, column in extra.items()}
    return Samples(f"s{j}", at, values[first:last, j], more)


@given(st.data())
def test_online_is_what_training_sees(data):
    """Gaps and frozen counters anywhere, any origin: with the history of training the row is the same to the bit."""
    values = wave(data.draw(st.integers(0, 50)))
    for _ in range(data.draw(st.integers(0, 3))):
        first, length = data.draw(st.integers(0, T - 2)), data.draw(st.integers(1, 20))
        values[first : first + length] = data.draw(st.sampled_from([np.nan, 0.0]))
    i = data.draw(st.integers(24 * 8, T))
    window = window_of(series_of(values), 24 * 3, 24, derived=data.draw(st.sampled_from([(), ("lag_1d",)])))
    values[i - 1] = 77.0  # so that the last sample says where the forecast begins
    series = series_of(values)
    told = of_samples([sent(values, j, last=i) for j in (0, 1)], window, local, NOW)
    for j in (0, 1):
        part = slice(i - reach(window), i)
        if not np.isfinite(series.values[part, j]).all() or series.observed[i - window.context : i, j].mean() < 0.5:
            assert told.status[j] == "invalid" and told.reasons[j] and not told.rows[j].any()
            continue
        assert told.status[j] == "ok", told.reasons
        assert told.start_s[j] == STEP * i
        assert told.rows[j].tobytes() == rows(series, window, np.array([[i, j]])).tobytes()
        assert told.measured[j] == series.observed[i - window.context : i, j].mean()


def test_order_repeats_and_jitter_do_not_matter():
    values, window = wave(), window_of(series_of(wave()), 48, 24)
    plain = of_samples([sent(values)], window, local, NOW)
    rng = np.random.default_rng(3)
    order = rng.permutation(np.concatenate([np.arange(T), rng.choice(T, 30)]))
    late = Samples("s0", STEP * order + 100.0 * (order % 3 == 0), values[order, 0], {})
    again = of_samples([late], window, local, NOW)
    assert plain.rows.tobytes() == again.rows.tobytes() and plain.start_s.tolist() == again.start_s.tolist() == [NOW]
    assert {m.kind for m in again.mends} == {"duplicate", "snapped", "order"}


def test_samples_at_or_after_the_start_are_not_looked_at():
    values, window = wave(), window_of(series_of(wave()), 48, 24)
    start = STEP * 400
    plain = of_samples([sent(values, last=400)], window, local, NOW, start_s=start)
    poisoned = values.copy()
    poisoned[400:] = 1e9
    assert of_samples([sent(poisoned)], window, local, NOW, start_s=start).rows.tobytes() == plain.rows.tobytes()
    quiet = of_samples(
        [sent(values, last=398)], window, local, NOW, start_s=start
    )  # the last two hours are not there yet
    assert quiet.status[0] == "ok" and quiet.measured[0] == 46 / 48
    seen = quiet.rows.reshape(48, 8)
    assert (seen[-2, 0], seen[-1, 0]) == (values[397, 0], values[399 - 168, 0]) and seen[-3:, 1].tolist() == [1, 0, 0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda v: sent(v, first=T - 30), "30 steps before the forecast, 48 are the context: send older samples too"),
        (lambda v: Samples("s0", np.array([NOW + 9e3]), np.array([1.0]), {}), "1 of 1 times lie in the future"),
        (lambda v: Samples("s0", np.full(9, -7e10), v[:9, 0], {}), "9 of 9 times lie before the year 1"),
        (lambda v: Samples("s0", np.array([]), np.array([]), {}), "no sample before the first step"),
        (lambda v: Samples("s0", np.array([0.0, np.nan]), np.array([1.0, 2.0]), {}), "a time or a value is no number"),
        (lambda v: Samples("s0", np.array([0.0, 1.0]), np.array([1.0, np.inf]), {}), "a time or a value is no number"),
        (lambda v: sent(np.where(np.arange(T)[:, None] % 4 > 0, np.nan, v), last=T - 3), "25% of its context was"),
        (lambda v: sent(np.where(HOLE[:, None], np.nan, v), first=T - 48), "5 of 48 steps of its context are unknown"),
    ],
    ids=["short", "future", "before", "none", "time", "infinite", "holes", "unknown"],
)  # fmt: skip
def test_a_bad_series_is_a_status_and_the_others_are_answered(change, words):
    values, window = wave(), window_of(series_of(wave()), 48, 24)
    told = of_samples([change(values), sent(values, 1)], window, local, NOW)
    assert told.status.tolist() == ["invalid", "ok"]
    assert words in told.reasons[0] and told.reasons[0].startswith("s0: ")
    assert told.rows[1].any() and not told.rows[0].any()


def test_broken_arrays_are_refused():
    window = window_of(series_of(wave()), 48, 24)
    with pytest.raises(InputError, match="send one value for each time"):
        of_samples([Samples("s0", np.array([0.0, 1.0]), np.array([1.0]), {})], window, local, NOW)
    window = window_of(series_of(wave(), ("load",)), 48, 24)
    two = np.array([0.0, 1.0])
    with pytest.raises(InputError, match=r"2 times and values of load of shape \(1,\)"):
        of_samples([Samples("s0", two, two, {"load": two[:1]})], window, local, NOW)


def test_exogenous_columns_are_needed_where_the_model_reads_them():
    values = wave()
    series = series_of(values, ("load",))
    window = window_of(series, 48, 24)
    told = of_samples([sent(values, 0, load=values * 2), sent(values, 1)], window, local, NOW)
    assert told.status.tolist() == ["ok", "invalid"] and "no values of load, which the model reads" in told.reasons[1]
    assert told.rows[0].tobytes() == rows(series, window, np.array([[T, 0]])).tobytes()


def test_what_lies_beside_the_lake_gives_the_row_of_training():
    values = wave(s=3)
    values[-10:-5] = np.nan
    values[-24 * 10 :, 2] = np.nan  # dead
    series = series_of(values, ("load",))
    filled = Series(series.names, 0, STEP, series.values, series.observed, series.local_s,
                    np.nan_to_num(series.exogenous), ("load",), "b")  # fmt: skip
    window = window_of(filled, 72, 24, derived=("lag_1d",))
    held = [json.loads(json.dumps(latest_plain(filled, j, reach(window)))) for j in range(3)]
    told = of_latest(held, window, local)
    assert told.status.tolist() == ["ok", "ok", "invalid"] and "0% of its context was measured" in told.reasons[2]
    assert told.rows[:2].tobytes() == rows(filled, window, np.array([[T, 0], [T, 1]])).tobytes()
    assert told.start_s.tolist() == [NOW, NOW, 0]
    short = of_latest([latest_plain(filled, 0, 40)], window, local)
    assert short.status[0] == "invalid" and "40 steps are known, 72 are the context" in short.reasons[0]
