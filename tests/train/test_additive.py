"""Additive families: their terms are their graph's, xgboost's own contributions and ridge's closed form."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import xgboost
from sklearn.linear_model import Ridge

from ascribe.bundle.runtime import graph_predict
from ascribe.core.errors import BundleError
from ascribe.train.dataset import Dataset, split
from ascribe.train.families.additive import terms_of_stumps
from ascribe.train.power_families import ADDITIVE_FAMILIES, POWER_FAMILIES

NAMES = ["a", "b", "c"]


def data(count=2500, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.uniform(-2, 2, (count, 3)) * [1, 1e9, 1] + [0, 3e9, 0]  # b counts in the billions
    y = 50 + np.sin(2 * X[:, 0]) * 4 + 3 * (X[:, 1] - 3e9) / 1e9 + 0.3 * rng.standard_normal(count)
    return split(pl.DataFrame(dict(zip(NAMES, X.T, strict=True)) | {"y": y, "row": np.arange(count)}), NAMES, "y")


@pytest.fixture(scope="module")
def table():
    return data()


@pytest.fixture(scope="module", params=sorted(ADDITIVE_FAMILIES))
def fitted(request, table):
    return ADDITIVE_FAMILIES[request.param](table, 0)


def test_families_are_apart():
    assert set(ADDITIVE_FAMILIES) == {"additive", "linear"}
    assert not set(ADDITIVE_FAMILIES) & set(POWER_FAMILIES)


def test_the_terms_are_the_graph(fitted, table):
    rows = table.holdout.X
    told = graph_predict(fitted.graph, "made")(rows)
    assert fitted.terms.intercept + fitted.terms.parts(rows).sum(axis=1) == pytest.approx(told, rel=2e-5)
    assert fitted.terms.parts(table.training.X).mean(axis=0) == pytest.approx(np.zeros(3), abs=1e-6)
    assert fitted.validation.shape == table.validation.y.shape


def test_a_target_in_a_small_unit_has_the_same_terms(fitted, table):
    small = Dataset(*(replace(part, y=part.y / 1e6) for part in (table.fit, table.validation, table.holdout)))
    other = ADDITIVE_FAMILIES[fitted.family](small, 0)
    rows = table.holdout.X
    assert 1e6 * other.terms.parts(rows) == pytest.approx(fitted.terms.parts(rows), abs=0.05)
    assert 1e6 * graph_predict(other.graph, "made")(rows) == pytest.approx(
        graph_predict(fitted.graph, "made")(rows), abs=0.1
    )


def test_linear_is_ridges_closed_form(table):
    fitted = ADDITIVE_FAMILIES["linear"](table, 0)
    X, y = table.training.X, table.training.y
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    theirs = Ridge(alpha=fitted.options["alpha"] * len(X)).fit(Z, y)
    assert fitted.terms.slopes * X.std(axis=0) == pytest.approx(theirs.coef_, rel=1e-6)
    assert fitted.terms.intercept == pytest.approx(theirs.intercept_)
    assert fitted.terms.slopes[1] * 1e9 == pytest.approx(3, abs=0.1)


def test_the_line_of_a_feature_far_from_zero_is_not_moved(table):
    """Single precision cannot hold such a mean: what it is rounded by is not to be in every prediction."""

    def far(part):
        return replace(part, X=np.float32(part.X + np.array([1.1e6, 0, 0])).astype(float), y=3 * part.X[:, 0])

    fitted = ADDITIVE_FAMILIES["linear"](Dataset(far(table.fit), far(table.validation), far(table.holdout)), 0)
    rows = far(table.holdout).X
    told = graph_predict(fitted.graph, "linear")(rows)
    assert fitted.terms.intercept + fitted.terms.parts(rows).sum(axis=1) == pytest.approx(told, abs=1e-5)


def test_additive_finds_the_curves(table):
    fitted = ADDITIVE_FAMILIES["additive"](table, 0)
    at = np.linspace(-1.8, 1.8, 30)
    rows = np.column_stack([at, 3e9 + at * 1e9, at])
    parts = fitted.terms.parts(rows)
    wave = np.sin(2 * at) * 4
    assert np.abs(parts[:, 0] - wave - (parts[:, 0] - wave).mean()).mean() < 0.5
    assert np.ptp(parts[:, 2]) < 0.6  # c tells nothing
    linear = ADDITIVE_FAMILIES["linear"](table, 0)
    miss = [np.mean((table.validation.y - f.validation) ** 2) for f in (fitted, linear)]
    assert miss[0] < 0.2 * miss[1]


def test_terms_are_xgboosts_own_contributions(table):
    """`pred_contribs` of trees of depth one, centred by cover there and by the rows here: they differ by a constant."""
    X, y = table.training.X.astype(np.float32), table.training.y
    booster = xgboost.train({"max_depth": 1, "eta": 0.3, "tree_method": "hist"}, xgboost.DMatrix(X, y), 60)
    terms = terms_of_stumps(booster, X.astype(float))
    theirs = booster.predict(xgboost.DMatrix(X[:200]), pred_contribs=True)
    away = terms.parts(X[:200].astype(float)) - theirs[:, :3]
    assert away - away.mean(axis=0) == pytest.approx(np.zeros_like(away), abs=1e-4)
    deep = xgboost.train({"max_depth": 2}, xgboost.DMatrix(X, y), 3)
    with pytest.raises(BundleError, match="depth one"):
        terms_of_stumps(deep, X.astype(float))
