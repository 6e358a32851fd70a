"""Plain forecasters against what they say they are, and what none of them may read."""

import numpy as np
import pytest
import torch

from ascribe.core.errors import InputError
from ascribe.core.forecast import Series, Window, origins, rows, targets, window_of
from ascribe.core.forecast.measures import coverage, mae
from ascribe.train.families.boosted_lags import BoostedOptions
from ascribe.train.families.ridge_lags import RidgeOptions, _weights
from ascribe.train.forecasting.band import offsets
from ascribe.train.forecasting.families import FORECAST_FAMILIES
from ascribe.train.forecasting.past import KINDS, Past
from tests.train.forecasting.series import DAY, weekly

PLAIN = ("persistence", "yesterday", "last_week", "seasonal_mean", "ridge_lags", "boosted_lags")
FAST = {
    "ridge_lags": RidgeOptions(windows=500),
    "boosted_lags": BoostedOptions(((8, 0.1),), 30, windows=300, rows=3000),
}
UNTIL = 42 * DAY


def fitted(name, series, window, until=UNTIL):
    return FORECAST_FAMILIES[name](series, window, until, seed=3, options=FAST.get(name))


@pytest.fixture(scope="module")
def told():
    series = weekly()
    window = window_of(series, 7 * DAY, DAY)
    at = origins(series, window, UNTIL, series.steps, 5)
    return series, window, at, {name: fitted(name, series, window) for name in PLAIN}


def test_the_table_has_them():
    assert set(PLAIN) <= set(FORECAST_FAMILIES)


@pytest.mark.parametrize(
    ("name", "back"), [("persistence", None), ("yesterday", DAY), ("last_week", 7 * DAY)], ids=lambda v: str(v)
)
def test_the_past_is_repeated(told, name, back):
    series, window, at, models = told
    f, _ = models[name].ask(rows(series, window, at))
    steps = at[:, :1] + np.arange(window.horizon)
    wanted = series.values[(at[:, :1] - 1).repeat(window.horizon, 1) if back is None else steps - back, at[:, 1:]]
    assert f == pytest.approx(wanted, rel=1e-5)


def test_the_mean_of_the_days(told):
    series, window, at, models = told
    f, _ = models["seasonal_mean"].ask(rows(series, window, at))
    steps = at[:, :1] + np.arange(window.horizon)
    wanted = np.mean([series.values[steps - k * DAY, at[:, 1:]] for k in range(1, 8)], axis=0)
    assert f == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("horizon", [5, 30], ids=["part of a day", "days"])
def test_another_horizon(horizon):
    series = weekly()
    window = window_of(series, 8 * DAY + 5, horizon)
    at = origins(series, window, UNTIL, series.steps, 7)
    f, _ = fitted("yesterday", series, window).ask(rows(series, window, at))
    steps = at[:, :1] - DAY + np.arange(horizon) % DAY
    assert f == pytest.approx(series.values[steps, at[:, 1:]], rel=1e-5)
    f, q = fitted("ridge_lags", series, window).ask(rows(series, window, at))
    assert f.shape == (len(at), horizon) and q.shape == (len(at), horizon, 2)


def test_what_is_learnt_beats_what_is_repeated_and_bands_cover(told):
    series, window, at, models = told
    X, y = rows(series, window, at), targets(series, window, at)
    size = np.abs(y[:, :1]) * 0 + np.where(at[:, 1:] == 1, 100.0, 1.0)
    missed = {}
    for name, model in models.items():
        f, q = model.ask(X)
        missed[name] = float(mae(y / size, f / size))
        assert (q[:, :, 0] <= q[:, :, 1]).all()
        assert 0.8 < coverage(y, q[:, :, 0], q[:, :, 1]) < 0.99, name
    assert missed["ridge_lags"] < 0.9 * min(missed[name] for name in PLAIN[:4])
    assert missed["boosted_lags"] < min(missed[name] for name in PLAIN[:3])


@pytest.mark.parametrize("name", PLAIN)
def test_nothing_after_the_end_of_training_changes_a_fit(told, name):
    series, window, at, models = told
    values, observed = series.values.copy(), series.observed.copy()
    values[UNTIL:], observed[UNTIL::3] = 1e9, False
    poisoned = Series(series.names, series.start_s, series.step_s, values, observed, series.local_s, series.exogenous)
    X = rows(series, window, at)
    for mine, other in zip(models[name].ask(X), fitted(name, poisoned, window).ask(X), strict=True):
        assert np.array_equal(mine, other)
    values[UNTIL - 1] *= 3  # and the test can fail: the last step of training does
    poisoned = Series(
        series.names, series.start_s, series.step_s, values, series.observed, series.local_s, series.exogenous
    )
    assert not np.array_equal(models[name].ask(X)[1], fitted(name, poisoned, window).ask(X)[1])


@pytest.mark.parametrize("name", PLAIN[:5])
def test_the_module_says_what_ask_says_and_in_any_batch(told, name):
    series, window, at, models = told
    X = rows(series, window, at)
    f, q = models[name].ask(X)
    with torch.no_grad():
        one = [models[name].module(torch.tensor(X[k : k + 1], dtype=torch.float32)) for k in range(3)]
    assert np.concatenate([part[0].numpy() for part in one]) == pytest.approx(f[:3], rel=1e-5)
    assert np.concatenate([part[1].numpy() for part in one]) == pytest.approx(q[:3], rel=1e-5)


def test_kinds_of_days_are_those_of_the_calendar(told):
    series, window, at, _ = told
    kinds = Past(window).kinds(torch.tensor(rows(series, window, at))).numpy()
    steps = at[:, :1] + np.arange(window.horizon)
    weekday = (series.local_s[steps] // 86400 + 3) % 7
    assert (kinds.argmax(axis=2) == np.array(KINDS)[weekday]).all()
    assert (kinds.sum(axis=2) == 1).all()


def test_the_ridge_without_iterations_is_scikit_learns():
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(0)
    Z = np.concatenate([rng.normal(size=(60, 2, 4)), np.ones((60, 2, 1))], axis=2)
    y = rng.normal(size=(60, 2))
    y[:9, 1] = np.nan
    found = _weights(Z, y, 0.1, 0)
    for t in range(2):
        there = np.isfinite(y[:, t])
        peer = Ridge(alpha=0.1 * there.sum()).fit(Z[there, t, :4], y[there, t])
        assert found[t, :4] == pytest.approx(peer.coef_, abs=1e-6)
        assert found[t, 4] == pytest.approx(peer.intercept_, abs=1e-6)


def test_iterated_weights_come_near_least_absolute_error():
    from scipy.optimize import linprog

    rng = np.random.default_rng(1)
    z = np.concatenate([rng.normal(size=(80, 3)), np.ones((80, 1))], axis=1)
    y = z @ np.array([1.0, -2.0, 0.5, 3.0]) + rng.laplace(size=80)
    y[:6] += 60
    c = np.concatenate([np.zeros(8), np.ones(80)])
    A = np.block([[-z, z, -np.eye(80)], [z, -z, -np.eye(80)]])
    least = linprog(c, A_ub=A, b_ub=np.concatenate([-y, y]), bounds=(0, None)).fun
    plain, iterated = (np.abs(y - z @ _weights(z[:, None], y[:, None], 0.0, k)[0]).sum() for k in (0, 8))
    assert iterated < 1.03 * least < plain


def test_offsets_are_those_of_split_conformal_prediction():
    residual = np.random.default_rng(0).normal(size=(99, 2))
    found = offsets(residual)
    assert found[0].tolist() == [np.sort(residual[:, 0])[4], np.sort(residual[:, 0])[94]]
    held = residual.copy()
    held[:, 1] = np.nan
    assert np.isfinite(offsets(held)).all()


def test_too_little_is_refused():
    series = weekly(days=20)
    with pytest.raises(InputError, match="less than a day"):
        fitted("yesterday", series, window_of(series, DAY - 1, 3), series.steps)
    with pytest.raises(InputError, match="--context 7d"):
        fitted("last_week", series, window_of(series, 2 * DAY, 3), series.steps)
    with pytest.raises(InputError, match="give more data"):
        fitted("yesterday", series, window_of(series, 7 * DAY, 6 * DAY), 14 * DAY)


def test_a_dead_series_is_forecast_as_it_is(told):
    series, window, at, models = told
    flat = rows(series, window, at[:4]).reshape(4, *window.shape)
    flat[:, :, 0] = np.array([0.0, 0.0, 5.0, 5.0])[:, None]
    for name in PLAIN:
        f, q = models[name].ask(flat.reshape(4, -1))
        assert f == pytest.approx(np.broadcast_to(flat[:, :1, 0], f.shape), abs=0.1), name
        assert np.isfinite(q).all()


@pytest.mark.parametrize("name", ["ridge_lags", "boosted_lags"])
def test_a_window_without_a_calendar(name):
    series = weekly()
    window = Window(7 * DAY, DAY, series.step_s, ("value", "observed"))
    at = origins(series, window, UNTIL, series.steps, 7)
    X, y = rows(series, window, at), targets(series, window, at)
    size = np.where(at[:, 1:] == 1, 100.0, 1.0)
    f, _ = fitted(name, series, window).ask(X)
    last, _ = fitted("yesterday", series, window).ask(X)
    assert mae(y / size, f / size) < mae(y / size, last / size)
