"""Measures of forecasts against scikit-learn's, against loops, and by hand."""

import tracemalloc

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_absolute_percentage_error, mean_pinball_loss

from ascribe.core.errors import InputError
from ascribe.core.forecast import measures
from ascribe.core.forecast.paired import by_moment, ratio


@pytest.fixture(scope="module")
def told():
    rng = np.random.default_rng(3)
    y = rng.gamma(2.0, 50.0, size=(40, 7))
    y[rng.random(y.shape) < 0.15] = np.nan
    y[5] = np.nan
    f = np.nan_to_num(y, nan=80.0) + rng.normal(0, 20, y.shape)
    return y, f


def pairs(y, f, step=None):
    """Measured targets, one by one."""
    return [
        (y[i, j], f[i, j]) for i in range(y.shape[0]) for j in range(y.shape[1])
        if y[i, j] == y[i, j] and step in (None, j)
    ]  # fmt: skip


@pytest.mark.parametrize("step", [None, 0, 6], ids=str)
def test_against_scikit_learn(told, step):
    y, f = told
    true, said = (np.array(side) for side in zip(*pairs(y, f, step), strict=True))

    def mine(measure):
        return measure(y, f) if step is None else measure(y, f, steps=True)[step]

    assert mine(measures.mae) == pytest.approx(mean_absolute_error(true, said), rel=1e-12)
    assert mine(measures.mape) == pytest.approx(mean_absolute_percentage_error(true, said), rel=1e-12)
    symmetric = sum(2 * abs(a - b) / (abs(a) + abs(b)) for a, b in zip(true, said, strict=True)) / len(true)
    assert mine(measures.smape) == pytest.approx(symmetric, rel=1e-12)
    levels = np.array([0.05, 0.5, 0.95])
    q = f[:, :, None] + np.array([-30.0, 1.0, 25.0])
    losses = [mean_pinball_loss(true, said + by, alpha=a) for a, by in zip(levels, (-30.0, 1.0, 25.0), strict=True)]
    loss = measures.pinball(y, q, levels, steps=step is not None)
    assert (loss if step is None else loss[step]) == pytest.approx(np.mean(losses), rel=1e-12)


def test_mase_is_mae_of_each_series_over_its_own_scale(told):
    y, f = told
    scale = np.where(np.arange(40) % 2 == 0, 5.0, 20.0)
    by_hand = np.mean([abs(y[i, j] - f[i, j]) / scale[i] for i in range(40) for j in range(7) if y[i, j] == y[i, j]])
    assert measures.mase(y, f, scale) == pytest.approx(by_hand, rel=1e-12)
    dead = np.where(np.arange(40) < 20, 0.0, 20.0)  # series that never changed have no scale
    assert measures.mase(y, f, dead) == pytest.approx(measures.mae(y[20:], f[20:]) / 20.0, rel=1e-12)


def test_season_scale_against_a_loop_and_of_a_repetition():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(50, 3))
    values[7, 0] = np.nan
    by_hand = [
        np.mean([abs(a - b) for a, b in zip(column[12:], column[:-12], strict=True) if a == a and b == b])
        for column in values.T
    ]
    assert measures.season_scale(values, 12) == pytest.approx(by_hand, rel=1e-12)
    repeated = np.tile(np.arange(12.0), 4)[:, None]
    assert measures.season_scale(repeated, 12).tolist() == [0.0]
    assert np.isnan(measures.season_scale(np.full((30, 1), np.nan), 12)).all()


def test_zero_targets_are_left_out_of_mape_and_counted():
    y, f = np.array([[0.0, 10.0], [np.nan, 0.0]]), np.array([[4.0, 5.0], [1.0, 1.0]])
    assert measures.mape(y, f) == 0.5
    assert measures.zeros(y) == 2
    assert np.isnan(measures.mape(np.zeros((2, 2)), f))
    assert measures.smape(np.zeros((1, 1)), np.zeros((1, 1))) == 0.0


def test_bounds_are_inside_and_width_counts_the_same_targets():
    y = np.array([[1.0, 2.0, 3.0, np.nan]])
    low, high = np.array([[1.0, 2.5, 0.0, 0.0]]), np.array([[2.0, 3.0, 3.0, 99.0]])
    assert measures.coverage(y, low, high) == pytest.approx(2 / 3)
    assert measures.coverage(y, low, high, steps=True)[:3].tolist() == [1.0, 0.0, 1.0]
    assert np.isnan(measures.coverage(y, low, high, steps=True)[3])
    assert measures.width(y, low, high) == pytest.approx((1.0 + 0.5 + 3.0) / 3)


def test_pinball_is_least_at_the_true_quantile():
    rng = np.random.default_rng(1)
    y = rng.exponential(size=(4000, 1))
    tries = np.linspace(1.5, 4.5, 61)
    losses = [float(measures.pinball(y, np.full((4000, 1, 1), q), np.array([0.95]))) for q in tries]
    assert tries[int(np.argmin(losses))] == pytest.approx(np.quantile(y, 0.95), abs=0.05)


def test_nothing_measured_is_nan():
    y = np.full((2, 3), np.nan)
    for measure in (measures.mae, measures.mape, measures.smape):
        assert np.isnan(measure(y, np.zeros((2, 3))))
        assert measure(y, np.zeros((2, 3)), steps=True).shape == (3,)


def test_by_moment_adds_series_of_one_time():
    assert by_moment(np.array([[1.0, np.nan], [2.0, 3.0], [4.0, 4.0]]), np.array([9, 3, 9])).tolist() == [5.0, 9.0]


def test_an_interval_of_many_moments_is_drawn_in_parts():
    a, b = np.random.default_rng(2).gamma(2.0, size=(2, 9000))
    m, block, draws = len(a), 400, 300
    starts = np.random.default_rng(0).integers(0, m, size=(draws, -(-m // block)))
    loop = [np.concatenate([np.arange(s, s + block) % m for s in row])[:m] for row in starts]
    wanted = np.quantile([a[at].sum() / b[at].sum() for at in loop], (0.025, 0.975))
    tracemalloc.start()
    found = ratio(a, b, block, draws)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (found.low, found.high) == pytest.approx(tuple(wanted), rel=1e-12)
    assert peak < 80e6 < draws * m * 8 * 4  # a year of 5-minute origins would be gigabytes


def test_ratio_of_a_constant_factor_has_no_width():
    b = np.random.default_rng(0).gamma(2.0, size=60)
    found = ratio(0.8 * b, b, 5)
    assert (found.low, found.value, found.high) == pytest.approx((0.8, 0.8, 0.8))
    assert found.blocks == 12


def test_ratio_interval_covers_as_it_says():
    """Errors that go together over four moments: blocks cover about 95 %, single origins far less."""
    rng = np.random.default_rng(7)
    hits = {1: 0, 12: 0}
    for k in range(200):
        noise = np.repeat(rng.normal(0, 0.3, 60), 4)
        b = np.full(240, 1.0)
        a = np.exp(noise - 0.045)  # mean 1
        for block in hits:
            found = ratio(a, b, block, draws=300, seed=k)
            hits[block] += found.low <= 1.0 <= found.high
    assert hits[12] > 165  # 20 blocks are few: a little narrow
    assert hits[1] < 150


def test_ratio_refuses_what_is_not_paired():
    with pytest.raises(InputError, match="same origins"):
        ratio(np.ones(3), np.ones(4), 1)
    assert np.isnan(ratio(np.ones(3), np.zeros(3), 1).value)
