"""The ratio of waits against the quantile of the very numbers that it heard."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.serve.pace import LEAST, MOST, Pace


@pytest.mark.parametrize("spread", [0.1, 0.5])
def test_it_settles_at_the_quantile(spread):
    took = np.random.default_rng(0).lognormal(0.5, spread, 20_000)
    pace, seen = Pace(), []
    for one in took:
        pace.learn(1.0, one)
        seen.append(pace.ratio)
    within = np.mean(took[2000:] <= np.array(seen[1999:-1]))
    assert within == pytest.approx(0.98, abs=0.003)
    assert np.median(seen[2000:]) == pytest.approx(np.quantile(took, 0.98), rel=0.25)


def test_it_counts_in_expected_seconds_and_stays_within_bounds():
    slow, fast, short = Pace(), Pace(), Pace()
    for _ in range(5000):
        slow.learn(1.0, 1000.0)
        fast.learn(1.0, 0.0)
        short.learn(0.01, 0.02)
    assert (slow.ratio, fast.ratio) == (MOST, LEAST)
    assert 2.0 <= short.ratio < 2.3
