"""Importance: closed forms, scikit-learn, Shapley by definition, and the law that SAGE sums to the gap of the loss."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.conditional import Gaussian
from ascribe.core.errors import CapabilityError, InputError, SchemaError
from ascribe.core.explainers import explain
from ascribe.core.explainers.conditional_shap import conditional_game
from ascribe.core.features import Feature
from ascribe.core.games import MarginalGame
from ascribe.core.importance import LOSSES, dependence, interactions, mean_abs, permutation_importance, sage
from ascribe.core.importance.losses import loss_of
from ascribe.core.model import Model
from ascribe.core.options import Options
from tests.laws.brute import by_orders

NAMES = ("a", "b", "c", "d")
FEATURES = tuple(Feature(name) for name in NAMES)
WEIGHTS = np.array([2.0, -1.0, 0.5, 0.0])
COV = 0.6 * np.ones((4, 4)) + 0.4 * np.eye(4)


def drawn(b, seed, cov=None):
    X = np.random.default_rng(seed).standard_normal((b, 4))
    return X if cov is None else X @ np.linalg.cholesky(cov).T


def curved(Z):
    return Z @ WEIGHTS + Z[:, 0] * Z[:, 1] + np.sin(2 * Z[:, 2])


LINEAR = Model(FEATURES, lambda Z: Z @ WEIGHTS, unit="W")
CURVED = Model(FEATURES, curved, drawn(40, 9), unit="W")


def noisy(X, seed=1):
    return curved(X) + 0.5 * np.random.default_rng(seed).standard_normal(len(X))


def test_permutation_covers_the_closed_form():
    """Independent standard columns: shuffling one adds 2 w^2 to a squared loss. 95 % intervals hold it about so often,
    with the noise of y, of the rows and of the shuffling in them.
    """
    held = np.zeros(4)
    for seed in range(300):
        X = drawn(80, seed)
        y = X @ WEIGHTS + np.random.default_rng([seed, 1]).standard_normal(80)
        low, high = permutation_importance(LINEAR, X, y, repeats=3, seed=seed).interval()
        held += (low <= 2 * WEIGHTS**2) & (high >= 2 * WEIGHTS**2)
    assert ((held[:3] / 300 > 0.88) & (held[:3] / 300 < 0.99)).all()
    assert held[3] == 300  # a feature that is not used is worth nothing, without error


def test_permutation_is_scikit_learns():
    inspection = pytest.importorskip("sklearn.inspection")
    from sklearn.base import BaseEstimator, RegressorMixin

    class Asked(RegressorMixin, BaseEstimator):
        def fit(self, X, y):
            return self

        def predict(self, X):
            return curved(X)

    X = drawn(300, 3)
    y = noisy(X)
    ours = permutation_importance(CURVED, X, y, repeats=40)
    theirs = inspection.permutation_importance(
        Asked(), X, y, scoring="neg_mean_squared_error", n_repeats=40, random_state=0
    )
    noise = theirs.importances_std / np.sqrt(40)
    assert (abs(ours.values - theirs.importances_mean * 300 / 299) <= 6 * noise + 1e-12).all()
    assert (ours.unit, ours.loss, ours.rows) == ("W^2", "squared", 300)
    assert ours.told["loss"] == pytest.approx(np.mean((y - curved(X)) ** 2))


def test_groups_are_shuffled_together_and_rows_never_keep_their_own():
    X = drawn(2, 0)
    one = permutation_importance(LINEAR, X, repeats=7, groups={"ab": ("a", "b")})
    assert one.features == ("ab", "c", "d")
    gap = ((X[0] - X[1])[:2] @ WEIGHTS[:2]) ** 2
    assert one.values[0] == pytest.approx(gap)  # of two rows there is one way: they change places
    assert one.order == (0, 1, 2)


def test_mean_abs_of_an_attribution():
    X = drawn(50, 4)
    X[7] = np.nan
    a = explain(replace(CURVED, predict=lambda Z: Z @ WEIGHTS), X, "kernel_shap")
    told = mean_abs(a)
    parts = abs(WEIGHTS * (np.delete(X, 7, axis=0) - CURVED.background.mean(axis=0)))
    assert told.values == pytest.approx(parts.mean(axis=0), abs=1e-9)
    assert told.stderr == pytest.approx(parts.std(axis=0, ddof=1) / 7, abs=1e-9)
    assert (told.rows, told.unit, told.method) == (49, "W", "mean_abs")
    low, high = told.interval(0.5)
    assert ((low < told.values) & (told.values < high))[:3].all()
    with pytest.raises(InputError, match="two answered rows"):
        mean_abs(explain(CURVED, X[7:9], "kernel_shap"))


def losses(loss):
    X = drawn(25, 5)
    if loss != "log":
        return CURVED, X, noisy(X)
    model = replace(CURVED, predict=lambda Z: 1 / (1 + np.exp(-curved(Z))))
    return model, X, (noisy(X) > 0).astype(float)


@pytest.mark.parametrize("law", ["marginal", "conditional"])
@pytest.mark.parametrize("loss", LOSSES)
def test_sage_sums_to_the_gap_of_the_loss(loss, law):
    model, X, y = losses(loss)
    if law == "conditional":
        model = replace(model, conditional=Gaussian.fit(drawn(500, 6, COV)))
    told = sage(model, X, y, loss, Options(samples=16), passes=2, tolerance=0.0)
    game = (
        conditional_game(model, Options(samples=16))
        if law == "conditional"
        else MarginalGame(model.predict, model.background)
    )
    cost = LOSSES[loss]
    gap = cost(y, np.full(25, game.base_value)).mean() - cost(y, model.predict(X)).mean()
    assert told.whole == pytest.approx(gap)
    assert told.values.sum() == pytest.approx(gap)
    assert told.told["passes"] == 2


def test_sage_is_shapley_of_the_loss_by_definition():
    X = drawn(12, 7)
    y = noisy(X)
    game = MarginalGame(curved, CURVED.background)

    def v(members):
        S = np.isin(np.arange(4), list(members))[None]
        if len(members) in (0, 4):
            f = curved(X) if members else np.full(12, game.base_value)
        else:
            f = np.array([game.values(x, S).v[0] for x in X])
        return -float(((y - f) ** 2).mean())

    truth = by_orders(v, 4)
    told = sage(CURVED, X, y, passes=150, tolerance=0.0)
    assert (abs(told.values - truth) <= 4 * told.noise + 1e-12).all()
    assert told.noise.max() < 0.03 * np.ptp(truth)
    few = sage(CURVED, X, y, passes=6, tolerance=0.0, options=Options(seed=3))
    assert few.noise == pytest.approx(told.noise * np.sqrt(150 / 6), rel=0.6)
    assert (few.stderr >= few.noise * 0.5).all()


def test_losses_are_scikit_learns():
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    y, f = rng.integers(0, 2, 50).astype(float), rng.random(50)
    for name, theirs in (
        ("squared", metrics.mean_squared_error), ("absolute", metrics.mean_absolute_error), ("log", metrics.log_loss)
    ):  # fmt: skip
        assert loss_of(name, y, f)(y, f).mean() == pytest.approx(theirs(y, f), rel=1e-12)
    assert loss_of("log", y, f)(1.0, np.array([0.0]))[0] == pytest.approx(-np.log(1e-15))
    for wrong_y, wrong_f in ((-y, f), (2 * y, f), (y, f - 1), (y, f + 1)):
        with pytest.raises(InputError, match="of probabilities"):
            loss_of("log", wrong_y, wrong_f)


def test_sage_of_a_linear_gaussian_world():
    """v(S) = Var E(f | X_S) = a' C_S (C_SS)^-1 C_S' a: what conditional SAGE is in the limit of all rows."""

    def v(members):
        S = sorted(members)
        if not S:
            return 0.0
        gain = COV[:, S] @ np.linalg.solve(COV[np.ix_(S, S)], COV[S])
        return float(WEIGHTS @ gain @ WEIGHTS)

    truth = by_orders(v, 4)
    law = Gaussian(np.zeros(4), COV, drawn(4000, 8, COV))
    model = replace(LINEAR, conditional=law, base_value=0.0)
    told = sage(model, drawn(600, 10, COV), options=Options(samples=64), passes=4, tolerance=0.01)
    assert (abs(told.values - truth) <= 4 * told.stderr + 0.02 * truth.max()).all()
    assert truth[3] > 0.2  # not used by the model, and yet it tells
    alone = sage(replace(LINEAR, background=drawn(300, 11, COV)), drawn(200, 10, COV), passes=2)
    assert alone.values[3] == pytest.approx(0)  # the marginal game pays only what is used


def test_sage_stops_when_it_knows():
    X = drawn(30, 12)
    steps = []
    rough = sage(CURVED, X, noisy(X), tolerance=0.2, step=steps.append)
    fine = sage(CURVED, X, noisy(X), tolerance=0.02)
    assert rough.told["passes"] < fine.told["passes"] <= 32
    assert fine.noise.max() <= 0.02 * np.ptp(fine.values)
    assert steps == sorted(steps) and 0 < steps[0] < steps[-1] <= 1
    groups = sage(CURVED, X, noisy(X), options=Options(groups={"all": NAMES}), passes=2)
    assert groups.values == pytest.approx([groups.whole])


@pytest.mark.parametrize("feature", ["a", "c"])
def test_dependence_is_scikit_learns(feature):
    sklearn = pytest.importorskip("sklearn.inspection")
    ensemble = pytest.importorskip("sklearn.ensemble")
    X = drawn(80, 13)
    held = ensemble.RandomForestRegressor(5, random_state=0).fit(X, noisy(X))
    grid = np.linspace(-1, 1, 7)
    j = NAMES.index(feature)
    ours = dependence(Model(FEATURES, held.predict), X, [feature], [grid])
    theirs = sklearn.partial_dependence(held, X, [j], kind="both", custom_values={j: grid}, method="brute")
    assert ours.mean == pytest.approx(theirs["average"][0])
    assert ours.curves == pytest.approx(theirs["individual"][0])
    assert ours.stderr == pytest.approx(theirs["individual"][0].std(axis=0, ddof=1) / np.sqrt(80))


def test_dependence_of_two_and_grids_by_themselves():
    X = drawn(30, 14)
    X[:, 3] = np.arange(30) % 3
    two = dependence(CURVED, X, ["a", "b"], points=5)
    assert two.curves.shape == (30, 5, 5)
    a, b = (g[:, None] if k == 0 else g[None] for k, g in enumerate(two.grids))
    rest = (X[:, 2] * 0.5 + np.sin(2 * X[:, 2])).mean()
    assert two.mean == pytest.approx(2 * a - b + a * b + rest)
    assert dependence(CURVED, X, ["d"]).grids[0].tolist() == [0, 1, 2]
    with pytest.raises(SchemaError, match="'e' is no feature"):
        dependence(CURVED, X, ["e"])
    with pytest.raises(InputError, match="one feature or of two different"):
        dependence(CURVED, X, ["a", "a"])


def test_interactions_find_the_product_alone():
    X = drawn(60, 15)
    told: list[int] = []
    H = interactions(CURVED, X, step=lambda: told.append(1))
    assert pytest.approx(H.T) == H
    assert not H.diagonal().any()
    assert len(told) == 6
    assert H[0, 1] > 0.2
    others = [H[i, j] for i in range(4) for j in range(i + 1, 4) if (i, j) != (0, 1)]
    assert max(others) < 1e-6
    own = interactions(CURVED, X, ["a", "b"], relative=False)
    product = (X[:, 0] - X[:, 0].mean()) * (X[:, 1] - X[:, 1].mean())
    assert own[0, 1] == pytest.approx(np.sqrt(np.mean((product - product.mean()) ** 2)))


def test_features_that_are_not_read_do_not_interact():
    """But for rounding nothing of theirs moves, and rounding over rounding is no share."""
    X = drawn(60, 15)
    for read in (lambda Z: 0.1 + Z[:, 0] * Z[:, 1], lambda Z: 0.3 + 0.1 * np.sin(Z[:, 0])):
        H = interactions(Model(FEATURES, read), X)
        assert not H[2:].any() and not H[:, 2:].any()

    def placed(Z):  # float32, and the last digit hangs on the place in the batch, as in a graph
        return (0.1 + Z[:, 0]).astype(np.float32) * (1 + 1e-7 * (np.arange(len(Z)) % 7)).astype(np.float32)

    assert not interactions(Model(FEATURES, placed), X)[1:, 1:].any()


def test_dependence_needs_two_rows():
    X = drawn(2, 5)
    told = dependence(LINEAR, X, ["a"], points=3)
    assert told.grids[0][[0, -1]].tolist() == sorted(X[:, 0].tolist())
    with pytest.raises(InputError, match="two rows at least"):
        dependence(LINEAR, X[:1], ["a"])


def test_a_grid_of_categories_holds_categories_and_a_grid_holds_something():
    asked: list[float] = []

    def by_rack(Z):
        asked.extend(Z[:, 0].tolist())
        return Z[:, 0] % 2

    racks = Feature("rack", categories=tuple(f"r{k}" for k in range(40)), missing=True)
    X = np.column_stack([np.arange(80) % 35, drawn(80, 3)[:, 0]]).astype(float)
    told = dependence(Model((racks, Feature("b")), by_rack), X, ["rack"])
    assert len(told.grids[0]) == 20 and told.grids[0][[0, -1]].tolist() == [0, 34]
    assert set(asked) <= set(range(35))
    X[:, 0] = np.nan
    for wrong, word in (({}, "no row holds a number for rack"), ({"points": 1}, "points is at least 2"),
                        ({"grids": [np.array([])]}, "one at least"),
                        ({"grids": [np.ones(1), np.ones(1)]}, "one at least")):  # fmt: skip
        with pytest.raises(InputError, match=word):
            dependence(Model((racks, Feature("b")), by_rack), X, ["rack"], **wrong)
    with pytest.raises(InputError, match="rows is at least 2"):
        interactions(CURVED, drawn(9, 1), rows=1)


def test_what_cannot_be_asked():
    X = drawn(10, 16)
    with pytest.raises(CapabilityError, match="neither"):
        sage(LINEAR, X)
    with pytest.raises(InputError, match="no loss 'huber'"):
        permutation_importance(LINEAR, X, loss="huber")
    with pytest.raises(InputError, match="of probabilities"):
        permutation_importance(LINEAR, X, loss="log")
    with pytest.raises(InputError, match="one number a row"):
        permutation_importance(LINEAR, X, np.zeros(3))
    with pytest.raises(InputError, match="two rows"):
        sage(CURVED, np.full((3, 4), np.nan))
    with pytest.raises(InputError, match="passes is at least 2"):
        sage(CURVED, X, passes=1)
    with pytest.raises(InputError, match="repeats is at least 1"):
        permutation_importance(LINEAR, X, repeats=0)
    y = np.where(np.arange(10) == 3, np.nan, 1.0)
    assert permutation_importance(LINEAR, X, y).rows == 9
