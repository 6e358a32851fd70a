"""What the first release promises of accuracy, at reduced size; `make bench` measures at full size."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import r2_score

import ascribe
from ascribe.core.conditional import Gaussian, Independent
from ascribe.train.dataset import split
from ascribe.train.pipeline import TrainOptions, _fit_power, prepare
from ascribe.train.watch import Watcher
from benchmarks import gaussian
from benchmarks.power import FEATURES, ROOT, TARGET, UNITS


@pytest.fixture(scope="module")
def fitted():
    """EmSHAP on 5,000 rows of the equicorrelated Gaussian, rho .5, 8 features."""
    return ascribe.fit_conditional(gaussian.sample(gaussian.ROWS, 0), seed=0)


def test_emshap_is_near_the_exact_sampler_and_far_from_the_marginal_game(fitted):
    X = gaussian.sample(30, 1)
    phi = gaussian.truth(X)
    train = gaussian.sample(gaussian.ROWS, 0)
    floor = gaussian.mae(Gaussian(np.zeros(gaussian.N), gaussian.C, train, quasi=False), X, phi, 2)
    marginal = gaussian.mae(Independent(train), X, phi, 2)
    error = gaussian.mae(fitted, X, phi, 2)
    assert error <= 1.2 * floor
    assert error <= 0.3 * marginal


def test_sixteen_completions_with_a_control_are_better_than_the_exact_samplers_sixty_four(fitted):
    """What of f a polynomial of the scores can follow is not left to chance; the error stated is then about the error
    that is left, beside that of the fit itself.
    """
    X = gaussian.sample(30, 1)
    phi = gaussian.truth(X)
    train = gaussian.sample(gaussian.ROWS, 0)
    floor = gaussian.mae(Gaussian(np.zeros(gaussian.N), gaussian.C, train, quasi=False), X, phi, 2)
    a = ascribe.explain(gaussian.f, X, conditional=fitted, samples=16)
    assert np.abs(a.values - phi).mean() <= 0.5 * floor
    assert np.abs(a.values - phi).mean() <= 0.02
    many = ascribe.explain(gaussian.f, X, conditional=fitted, samples=512)
    off = np.sqrt(np.mean((a.values - many.values) ** 2) / np.mean(a.stderr**2))
    assert 0.6 <= off <= 1.5


def test_hidden_values_cannot_reach_a_completion(fitted):
    rng = np.random.default_rng(0)
    X = gaussian.sample(3, 5)
    S = rng.random((12, gaussian.N)) < 0.5
    Z, weight = fitted.draw(X, S, 16, np.random.default_rng(1))
    for poison in (np.nan, 1e6, -1e6):
        for k, seen in enumerate(S):
            spoilt = np.where(seen, X, poison)
            Z_k, weight_k = fitted.draw(spoilt, S[k : k + 1], 16, np.random.default_rng(1))
            alone, weight_alone = fitted.draw(X, S[k : k + 1], 16, np.random.default_rng(1))
            assert Z_k.tobytes() == alone.tobytes()
            assert weight_k.tobytes() == weight_alone.tobytes()
    assert np.isfinite(Z).all()
    assert np.isfinite(weight).all()


def test_a_row_alone_and_in_a_batch_have_the_same_bits(fitted):
    X = gaussian.sample(5, 6)
    together = ascribe.explain(gaussian.f, X, conditional=fitted, samples=16)
    for i in range(len(X)):
        alone = ascribe.explain(gaussian.f, X[i : i + 1], conditional=fitted, samples=16)
        assert alone.values.tobytes() == together.values[i : i + 1].tobytes()
        assert alone.stderr.tobytes() == together.stderr[i : i + 1].tobytes()


@pytest.mark.parametrize("name", ["xeon_e5_2650", "opteron6140"])
def test_the_family_that_serves_is_not_behind_plain_boosting(name, tmp_path):
    """Time-ordered within workload, first 70 % trains; R2 on the rest, against plain boosting on the same rows."""
    data = ROOT / "examples" / "data" / f"{name}.parquet"
    options = TrainOptions(data, TARGET, tmp_path, tuple(FEATURES), "seq", ("source", "workload"), UNITS)
    cleaned, _ = prepare(options, Watcher())
    rows = split(cleaned.rows, FEATURES, TARGET, "seq", ("source", "workload"))
    power, report = _fit_power(rows, options, "cpu", Watcher())
    both = rows.training
    plain = HistGradientBoostingRegressor(random_state=0).fit(both.X, both.y).predict(rows.holdout.X)
    assert set(report) == {"power_mlp", "power_xgboost"}
    assert report[power.family]["holdout"]["r2"] >= r2_score(rows.holdout.y, plain) - 0.01
