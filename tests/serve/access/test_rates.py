"""Rows a second of each caller: the bucket by itself, and before both doors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascribe.serve.access.callers import ANYBODY, Caller
from ascribe.serve.access.keys import line, new_key
from ascribe.serve.access.rates import FEW, Rates
from ascribe.serve.faults import ShedError

from ..asking import ROW, doors


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def let_in(rates: Rates, caller: Caller, rows: int) -> bool:
    try:
        rates.take(caller, rows)
    except ShedError:
        return False
    return True


def test_without_a_rate_everything_goes_in():
    assert all(let_in(Rates(), ANYBODY, 10**9) for _ in range(3))


def test_a_caller_that_has_used_up_its_rate_is_told_when_to_come_again():
    clock = Clock()
    rates = Rates(10.0, clock=clock)
    rates.take(ANYBODY, 8)
    with pytest.raises(ShedError, match="rate of 10 rows a second") as caught:
        rates.take(ANYBODY, 7)
    assert caught.value.retry_s == pytest.approx(0.5)
    clock.now += 0.49
    assert not let_in(rates, ANYBODY, 7)
    clock.now += 0.02
    assert let_in(rates, ANYBODY, 7)


@given(st.lists(st.tuples(st.floats(0, 3), st.integers(1, 40)), min_size=1, max_size=60), st.integers(1, 4))
def test_no_caller_gets_more_than_its_rate_and_one_burst_and_one_request(steps, workers):
    """rows let in by time t <= burst + rate t + the last request, whatever comes when."""
    clock, rate = Clock(), 20.0
    rates, taken = Rates(rate, 0.5, workers, clock), 0
    start = clock.now
    for wait, rows in steps:
        clock.now += wait
        if let_in(rates, ANYBODY, rows):
            taken += rows
            allowed = max(1.0, rate * 0.5 / workers) + rate / workers * (clock.now - start) + rows
            assert taken <= allowed + 1e-6


@given(st.integers(1, 500))
def test_who_waits_as_long_as_told_is_let_in(rows):
    clock = Clock()
    rates = Rates(7.0, clock=clock)
    assert let_in(rates, ANYBODY, 7)
    for _ in range(3):
        with pytest.raises(ShedError) as caught:
            rates.take(ANYBODY, rows)
        clock.now += caught.value.retry_s + 1e-6
        assert let_in(rates, ANYBODY, rows)


def test_a_request_larger_than_the_bucket_is_let_in_and_paid_for_afterwards():
    clock = Clock()
    rates = Rates(10.0, clock=clock)
    assert let_in(rates, ANYBODY, 100)
    clock.now += 9.0
    assert not let_in(rates, ANYBODY, 1)
    clock.now += 0.2
    assert let_in(rates, ANYBODY, 1)


def test_callers_have_buckets_of_their_own_and_rates_are_shared_by_workers():
    clock = Clock()
    rates = Rates(8.0, workers=4, clock=clock)
    a, b, fast = Caller("a"), Caller("b"), Caller("fast", rate_per_s=400.0)
    assert [let_in(rates, a, 2), let_in(rates, a, 1), let_in(rates, b, 2), let_in(rates, fast, 100)] == [1, 0, 1, 1]
    assert not let_in(rates, fast, 1)


def test_buckets_of_callers_that_left_are_forgotten_and_of_others_are_not():
    clock = Clock()
    rates = Rates(10.0, clock=clock)
    for k in range(FEW):
        rates.take(Caller(f"early{k}"), 10)
    clock.now += 2.0
    rates.take(Caller("late"), 10)
    assert len(rates._buckets) == 1
    rng = np.random.default_rng(0)
    for k in range(3 * FEW):
        rates.take(Caller(f"now{k}"), int(rng.integers(1, 11)))
    assert not let_in(rates, Caller("late"), 1)
    assert len(rates._buckets) == 3 * FEW + 1


def test_a_key_over_its_rate_is_shed_by_both_doors_while_another_is_answered(tmp_path):
    slow, fast, path = new_key(), new_key(), tmp_path / "keys.toml"
    path.write_text(line("slow", slow, [], 0.001) + "\n" + line("fast", fast, []))
    with doors(tmp_path, api_keys=path) as asked:
        assert asked.posted(x_api_key=slow).status_code == 200  # one bucket, whichever door and verb
        assert (asked.predict(x_api_key=slow), asked.explain(x_api_key=slow)) == (429, 429)
        assert asked.predict(x_api_key=fast) == asked.explain(x_api_key=fast) == 200
        refused = asked.posted(x_api_key=slow)
        assert refused.json()["code"] == "shed"
        assert 900 < int(refused.headers["retry-after"]) <= 1000  # seconds until there is a row's worth
        bad = asked.http.post("/v1/predictions", json={"feature_vector": [ROW], "model": "other"},
                              headers={"x-api-key": slow})  # fmt: skip
        assert bad.status_code == 404


def test_a_rate_of_the_server_holds_for_whom_nothing_else_is_said(tmp_path):
    with doors(tmp_path, rate_per_s=0.5, burst_s=4) as asked:
        body = {"feature_vector": [ROW] * 2}
        assert asked.http.post("/v1/predictions", json=body).status_code == 200
        assert asked.http.post("/v1/predictions", json=body).status_code == 429
