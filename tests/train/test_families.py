"""Power families: fitted without a look at the validation rows, then again on all of the training part."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from ascribe.bundle.runtime import graph_predict
from ascribe.train.dataset import Dataset, Part
from ascribe.train.families.power_mlp import PowerMlpOptions, fit_power_mlp
from ascribe.train.families.power_xgboost import PowerXgboostOptions, fit_power_xgboost
from ascribe.train.fitted import FittedPower
from ascribe.train.loop import Loop
from ascribe.train.power_families import POWER_FAMILIES

from .worlds import crossed

FITS = {
    "power_xgboost": (fit_power_xgboost, PowerXgboostOptions(trees=60, learning_rate=0.2, patience=10)),
    "power_mlp": (fit_power_mlp, PowerMlpOptions(hidden=(16,), loop=Loop(epochs=12, batch=64, lr=1e-2))),
}
each = pytest.mark.parametrize("name", FITS)


def data(shift: float = 0.0) -> Dataset:
    """watts = 100 + 20 x0 + 10 per 1e9 of x3 + noise; `shift` W more on the validation rows."""
    X = crossed(700)
    y = 100 + 20 * (X[:, 0] - 5) + X[:, 3] / 1e8 + np.random.default_rng(5).standard_normal(700)
    parts = [Part(X[a:b], y[a:b], np.arange(a, b)) for a, b in ((0, 350), (350, 500), (500, 700))]
    parts[1] = replace(parts[1], y=parts[1].y + shift)
    return Dataset(*parts)


def fitted(name: str, table: Dataset, seed: int = 0, **more):
    fit, options = FITS[name]
    return fit(table, seed, "cpu", None, options=options, **more)


def test_trees_come_first():
    assert list(POWER_FAMILIES) == ["power_xgboost", "power_mlp"] == list(FITS)


@lru_cache
def plain(name: str) -> FittedPower:
    """Fitted once for all that is asked of it."""
    return fitted(name, data())


@each
def test_it_learns_and_its_graph_predicts(name):
    table, power = data(), plain(name)
    assert power.family == name
    found = graph_predict(power.graph, name)(table.holdout.X)
    assert np.abs(found - table.holdout.y).mean() < 0.35 * np.abs(table.holdout.y - table.training.y.mean()).mean()
    assert np.abs(power.validation - table.validation.y).mean() < 8


@each
def test_a_target_in_a_small_unit_is_learnt_as_well(name):
    """Watts as megawatts."""
    table = data()
    small = Dataset(*(replace(part, y=part.y / 1e6) for part in (table.fit, table.validation, table.holdout)))
    power = fitted(name, small)
    wanted = graph_predict(plain(name).graph, name)(table.holdout.X)
    assert 1e6 * graph_predict(power.graph, name)(table.holdout.X) == pytest.approx(wanted, abs=2)
    assert 1e6 * power.validation == pytest.approx(plain(name).validation, abs=2)


@each
def test_validation_predictions_are_by_a_fit_that_had_not_seen_those_rows(name):
    """Fifty watts more on the validation rows: the scouting fit misses them, the graph that serves knows of them."""
    table = data(shift=50.0)
    power = fitted(name, table)
    served = graph_predict(power.graph, name)(table.validation.X)
    assert (table.validation.y - power.validation).mean() == pytest.approx(50, abs=6)
    assert (table.validation.y - served).mean() < 42


@each
def test_held_out_rows_change_nothing(name):
    table = data()
    table.holdout.X[:] = 0
    table.holdout.y[:] = 1e6
    assert fitted(name, table).graph == plain(name).graph


@each
def test_the_same_seed_gives_the_same_graph(name):
    one, two, other = plain(name), fitted(name, data()), fitted(name, data(), seed=1)
    assert one.graph == two.graph != other.graph
    assert one.validation.tolist() == two.validation.tolist()
    assert one.options == two.options


def test_statistics_inside_the_network_are_those_of_the_training_part():
    table = data()
    X = table.training.X
    found = plain("power_mlp").scaling
    assert found["low"] == pytest.approx(np.quantile(X, 0.005, axis=0), rel=1e-5, abs=1e-6)
    assert found["high"] == pytest.approx(np.quantile(X, 0.995, axis=0), rel=1e-5)
    assert set(found) == {"low", "high", "centre", "width", "mean", "sd"}


def test_a_small_table_can_still_be_split():
    table = data()
    small = Dataset(*(Part(p.X[:60], p.y[:60], p.row[:60]) for p in (table.fit, table.validation, table.holdout)))
    power = fitted("power_xgboost", small)
    assert power.options["min_child_weight"] == 1
    assert graph_predict(power.graph, "trees")(small.fit.X).std() > 5


def test_progress_ends_at_one():
    told: list[float] = []
    fit, options = FITS["power_xgboost"]
    fit(data(), 0, "cpu", lambda done, text: told.append(done), options=options)
    assert told[-1] == 1
    assert all(0 <= done <= 1 for done in told)
