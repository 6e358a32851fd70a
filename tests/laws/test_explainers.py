"""Laws of explanations, over the table of explainers: one model that offers everything, every explainer on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.adjusted.learnt import Reading
from ascribe.core.amortized import Amortized
from ascribe.core.attribution import STATUS, Attribution
from ascribe.core.compiled import ROWS, Compiled
from ascribe.core.conditional import Gaussian
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.explainers import EXPLAINERS, Explainer, available, explain
from ascribe.core.explainers.conditional_shap import conditional_game
from ascribe.core.features import Feature
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.reference import reference_game
from ascribe.core.rows_of import cut, joined
from ascribe.core.trees import Trees
from ascribe.core.trees import predict as predict_trees

from .brute import by_orders, on
from .test_inside_explainers import NEEDS as INSIDE

NAMES = ("load", "clock", "heat", "idle")
BACKGROUND = np.random.default_rng(0).standard_normal((40, 4)) @ np.array(
    [[1, 0.6, 0, 0], [0, 0.8, 0, 0.3], [0, 0, 1, 0], [0, 0, 0.2, 1]]
)
X = np.array([[0.3, -1.0, 0.7, 0.1], [1.5, 0.2, -0.4, -1.1], [-0.6, 0.9, 0.0, 2.0], [0.1, 0.1, 0.4, -0.3]])
FEW = Options(samples=16, seed=2)


def predict(rows: np.ndarray) -> np.ndarray:
    pairs = rows[:, 0] * rows[:, 1] + np.sin(rows[:, 2]) * rows[:, 3]
    return 5.0 + rows @ [1.0, -2.0, 0.5, 0.0] + pairs + 0.5 * rows[:, 0] * rows[:, 1] * rows[:, 3]


def learnt(rows: np.ndarray) -> np.ndarray:
    """What a network might answer: near the parts of f, not efficient by itself. float32, as graphs are."""
    return (rows * np.array([1.0, -2.0, 0.5, 0.1])).astype(np.float32)


BASE = float(predict(BACKGROUND).mean())
ONE_PASS = Amortized(learnt, BASE, np.array([0.1, 0.2, 0.3, 0.4]), 0.9)
READING = Reading("odd", (0.2, 0.3, 0.4, 0.5), 0.05)


def graph(f: Callable[[np.ndarray], np.ndarray]) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """What a compiled graph does, as a function: single precision throughout, efficient as far as that goes."""

    def run(rows: np.ndarray) -> dict[str, np.ndarray]:
        assert rows.dtype == np.float32
        assert 1 <= len(rows) <= ROWS
        prediction = f(rows.astype(float)).astype(np.float32)
        e = learnt(rows)
        phi = e + ((prediction - np.float32(BASE)) - e.sum(axis=1))[:, None] / np.float32(4)
        one = np.ones(len(rows), np.float32)
        return {"prediction": prediction, "attribution": phi, "stderr": 0.1 + 0 * phi, "ess": 9 * one}

    return run


def compiled_of(f: Callable[[np.ndarray], np.ndarray]) -> dict[str, Compiled]:
    return {"balanced": Compiled(graph(f), BASE, "completions", "learnt", 14, 16, 3, {"parity": 1e-6})}


def forest() -> Trees:
    """Two trees over all four features, thresholds on no row; the second repeats a feature on a way."""
    split = [0, 1, 3, -1, -1, -1, -1, 2, 0, 0, -1, -1, -1, -1]
    threshold = [0.2, -0.1, 0.05, 0, 0, 0, 0, 0.31, -0.4, 1.1, 0, 0, 0, 0]
    left = [1, 3, 5, -1, -1, -1, -1, 8, 10, 12, -1, -1, -1, -1]
    right = [2, 4, 6, -1, -1, -1, -1, 9, 11, 13, -1, -1, -1, -1]
    value = [0, 0, 0, 1.5, -2.0, 0.7, 3.1, 0, 0, 0, -1.0, 2.2, 0.4, -3.3]
    cover = [40, 22, 18, 10, 12, 7, 11, 40, 25, 15, 9, 16, 8, 7]
    nodes = {"feature": split, "threshold": threshold, "left": left, "right": right, "cover": cover}
    return Trees(
        NAMES, np.array([0, 7, 14]), missing_left=np.full(14, True), value=np.array(value)[:, None],
        output=np.array([0, 0]), base=np.array([5.0]), **{name: np.array(held) for name, held in nodes.items()},
    )  # fmt: skip


FOREST = forest()


def of_trees(rows: np.ndarray) -> np.ndarray:
    return predict_trees(FOREST, rows)[:, 0]


def a_model(**changes: object) -> Model:
    features = tuple(Feature(name, "W", low=-50.0, high=50.0, seen_low=-10.0, seen_high=10.0) for name in NAMES)
    whole = Model(
        features, predict, BACKGROUND, Gaussian.fit(BACKGROUND), unit="W", output="power", version="7",
        amortized=ONE_PASS, reading=READING, compiled=compiled_of(changes.get("predict") or predict),
        trees=FOREST,
    )  # fmt: skip
    return replace(whole, **changes)


def check_efficiency(answer: Attribution) -> None:
    """values.sum = prediction - base in every row that was answered, to the digits that the method counts in; what does
    not add up says by how much.
    """
    within = {"compiled_shap": 1e-5}.get(answer.info.method, 1e-9)
    answered = ~np.isin(answer.status, ["invalid", "not_finite"])
    assert answered.any()
    gap = np.abs(answer.values.sum(axis=1) - (answer.prediction - answer.bases))[answered]
    if answer.info.method in LOCAL:
        assert answer.info.gaps["efficiency_gap"] == pytest.approx(gap.max(), abs=1e-9)
        return
    assert gap.max() <= within
    assert answer.info.gaps["efficiency_gap"] <= within


FIELDS = ("values", "stderr", "prediction", "ess")


def same_row(one: Attribution, i: int, two: Attribution, j: int) -> bool:
    """Bit for bit, NaN included."""
    return all(getattr(one, field)[i].tobytes() == getattr(two, field)[j].tobytes() for field in FIELDS)


def alike(one: Attribution, i: int, two: Attribution, j: int) -> bool:
    """The same row among other rows: bit for bit, but for a graph, which promises 1e-5 of the row's largest value."""
    if one.info.method != "compiled_shap":
        return same_row(one, i, two, j)
    within = 1e-5 * np.abs(one.values[i]).max()
    return all(np.allclose(getattr(one, field)[i], getattr(two, field)[j], rtol=0, atol=within) for field in FIELDS)


GAMES = {  # of those that play one by a plan that is named
    "conditional_shap": conditional_game,
    "kernel_shap": lambda model, options: reference_game(model, options, X[0]),
}
TREES = ("tree_shap", "tree_shap_interventional")  # they explain the model's trees, whatever it predicts
LOCAL = ("lime", "occlusion")  # values near the row: no shares of the prediction
DRAWN = (*GAMES, "permutation_shap", "lime")  # by a seed
SHAPLEY = (*GAMES, "amortized_shap", "compiled_shap", "permutation_shap", *TREES)
HERE = (*SHAPLEY, *LOCAL)
every_explainer = pytest.mark.parametrize("method", HERE)
every_game = pytest.mark.parametrize("method", GAMES)


def test_the_table_holds_what_these_laws_know():
    assert set(EXPLAINERS) == {*HERE, *INSIDE, "additive_terms"}  # test_terms has the laws of the last
    assert set(GAMES) == {name for name, row in EXPLAINERS.items() if row.planned}
    assert EXPLAINERS["tree_shap"].needs == {"trees"}
    assert EXPLAINERS["compiled_shap"].needs == {"compiled"}
    assert all(isinstance(row, Explainer) and row.needs and callable(row.answer) for row in EXPLAINERS.values())
    assert set(available(a_model())) == set(HERE)


@every_explainer
def test_needs_and_offers(method):
    needs = EXPLAINERS[method].needs
    for lacking in sorted(needs):
        poorer = a_model(**{lacking: None})
        assert method not in available(poorer)
        with pytest.raises(CapabilityError, match=f"^{method} needs {lacking}, which this model does not offer"):
            explain(poorer, X, method, FEW)
    bare = Model(a_model().features, **{need: getattr(a_model(), need) for need in needs})
    assert method in available(bare)
    check_efficiency(explain(bare, X, method, FEW))
    with pytest.raises(CapabilityError, match="it can be asked for: none"):
        explain(Model(a_model().features), X, method)


def test_an_unknown_method_is_told_the_known_ones():
    with pytest.raises(
        InputError,
        match="unknown method 'shap': use one of conditional_shap, kernel_shap, amortized_shap, compiled_shap, ",
    ):
        explain(a_model(), X, "shap")


@every_explainer
def test_rows_of_another_shape_are_refused(method):
    for wrong in (X[0], X[:, :3], X[None]):
        with pytest.raises(InputError, match=r"rows must be \(rows, 4\) in the order load, clock, heat, idle"):
            explain(a_model(), wrong, method, FEW)


@every_explainer
@pytest.mark.parametrize("estimator", ["auto", "exact", "permutation", "kernel", "learnt"])
@pytest.mark.parametrize("budget", [None, 16])
def test_efficiency(method, estimator, budget):
    answer = explain(a_model(), X, method, Options(estimator, budget, samples=16))
    check_efficiency(answer)
    assert answer.values.shape == answer.stderr.shape == (4, 4)
    wanted = of_trees(X) if method in TREES else predict(X)
    wanted = wanted.astype(np.float32) if method == "compiled_shap" else wanted
    assert answer.prediction == pytest.approx(wanted, abs=1e-6 if method == "compiled_shap" else 0)
    assert answer.status.tolist() == ["ok"] * 4
    assert answer.reasons == ("",) * 4
    assert (answer.stderr >= 0).all()
    assert answer.features == NAMES
    assert (answer.info.method, answer.info.output, answer.info.unit, answer.info.version) == (
        method, "power", "W", "7",
    )  # fmt: skip
    own = {"amortized_shap": (0,), "compiled_shap": (14,), "lime": (budget or 4096,), "occlusion": (6,)}
    own |= dict.fromkeys(TREES, (0,))
    assert answer.info.budget in own.get(method, range(9, 17))  # a graph keeps its own plan


@every_explainer
def test_the_check_of_efficiency_can_fail(method):
    answer = explain(a_model(), X, method, FEW)
    check_efficiency(answer)
    bent = answer.values.copy()
    bent[2, 1] += 1e-3 if method not in LOCAL else 1e3
    with pytest.raises(AssertionError):
        check_efficiency(replace(answer, values=bent))


@every_explainer
@pytest.mark.parametrize("estimator", ["exact", "kernel", "learnt"])
def test_a_row_alone_is_the_row_in_a_batch(method, estimator):
    options = Options(estimator, None if estimator == "exact" else 12, samples=24)
    batch = explain(a_model(), X, method, options)
    order = [2, 0, 3, 1]
    shuffled = explain(a_model(), X[order], method, options)
    doubled = explain(a_model(), np.vstack([X, X[::-1], X]), method, options)
    for i in range(len(X)):
        assert alike(batch, i, explain(a_model(), X[i : i + 1], method, options), 0)
        assert alike(batch, i, shuffled, order.index(i))
        assert alike(batch, i, doubled, i + 8)
    assert not alike(batch, 0, batch, 1)


@every_explainer
def test_no_rows_no_answers(method):
    answer = explain(a_model(), np.empty((0, 4)), method, FEW)
    assert len(answer) == 0
    assert answer.info.gaps["efficiency_gap"] == 0


@every_explainer
def test_a_row_that_is_not_a_number_fails_alone(method):
    good = explain(a_model(), X, method, FEW)
    bad = X.copy()
    bad[1, 2] = np.nan
    bad[3, :2] = np.inf, 51.0
    answer = explain(a_model(), bad, method, FEW)
    assert answer.status.tolist() == ["ok", "invalid", "ok", "invalid"]
    assert set(answer.status) <= set(STATUS)
    assert answer.reasons[1].startswith("heat = nan W must be a number in -50..50")
    assert answer.reasons[3].startswith("load = inf W must be a number in -50..50")
    assert "(+1 more)" in answer.reasons[3]
    assert "more" not in answer.reasons[1]
    for i in (1, 3):
        assert np.isnan(answer.values[i]).all()
        assert np.isnan(answer.stderr[i]).all()
        assert np.isnan(answer.prediction[i])
    for i in (0, 2):
        assert alike(good, i, answer, i)
    check_efficiency(answer)


@every_explainer
def test_a_row_outside_the_training_range_is_answered_and_marked(method):
    far = X.copy()
    far[2, 0] = 12.0
    answer = explain(a_model(), far, method, FEW)
    assert answer.status.tolist() == ["ok", "ok", "out_of_domain", "ok"]
    assert answer.reasons[2] == "load = 12 W outside the training range -10..10"
    assert np.isfinite(answer.values[2]).all()
    check_efficiency(answer)


@pytest.mark.parametrize("method", [method for method in HERE if method not in TREES])  # leaves are finite
def test_a_model_that_gives_no_number_for_a_row_fails_that_row_only(method):
    def moody(rows):
        return np.where(rows[:, 0] == X[1, 0], np.nan, predict(rows))

    good = explain(a_model(), X, method, FEW)
    answer = explain(a_model(predict=moody), X, method, FEW)
    assert answer.status.tolist() == ["ok", "not_finite", "ok", "ok"]
    assert "no finite number" in answer.reasons[1]
    assert np.isnan(answer.values[1]).all()
    assert np.isnan(answer.stderr[1]).all()
    for i in (0, 2, 3):
        assert alike(good, i, answer, i)
    check_efficiency(answer)


@every_explainer
def test_one_seed_one_answer(method):
    one, two = (explain(a_model(), X, method, Options(samples=16, seed=5)) for _ in range(2))
    assert all(same_row(one, i, two, i) for i in range(len(X)))
    if method not in DRAWN:
        return
    other = explain(a_model(), X, method, Options("kernel", 12, samples=16, seed=6))
    again = explain(a_model(), X, method, Options("kernel", 12, samples=16, seed=7))
    assert not any(same_row(other, i, again, i) for i in range(len(X)))


@every_explainer
def test_progress_is_told_once_per_row(method):
    calls = []
    explain(a_model(), X, method, FEW, step=lambda: calls.append(1))
    assert len(calls) == len(X)


@every_game
def test_groups_play_as_one(method):
    """The game on groups, by enumeration over all orders of the groups, from the explainer's own values."""
    groups = {"speed": ("clock", "load"), "heat": ("heat",)}
    options = Options("exact", samples=16, seed=1, groups=groups)
    model = a_model()
    answer = explain(model, X, method, options)
    assert answer.features == ("speed", "heat", "idle")
    assert answer.values.shape == (4, 3)
    check_efficiency(answer)
    game = GAMES[method](model, options)
    member = [[0, 1], [2], [3]]

    for i, x in enumerate(X):

        def v(present, x=x):
            columns = sorted(j for g in present for j in member[g])
            if len(columns) == 4:
                return float(predict(x[None])[0])
            if not columns:
                return game.base_value
            S = np.zeros((1, 4), dtype=bool)
            S[0, columns] = True
            return float(game.values(x, S).v[0])

        assert answer.values[i] == pytest.approx(by_orders(v, 3), abs=1e-10)
    alone = explain(model, X, method, replace(options, groups=None))
    assert np.abs(alone.values[:, :2].sum(axis=1) - answer.values[:, 0]).max() > 1e-3  # not the sum of its members


@every_game
def test_everything_in_one_group_takes_the_difference(method):
    answer = explain(a_model(), X, method, replace(FEW, groups={"all": NAMES}))
    assert answer.values[:, 0] == pytest.approx(predict(X) - answer.base_value, abs=1e-12)
    assert answer.stderr.tolist() == [[0.0]] * 4
    assert answer.status.tolist() == ["ok"] * 4


@every_game
def test_an_additive_model_of_independent_inputs(method):
    """f = sum of f_j, inputs independent: phi_j = f_j(x_j) - E f_j, in every game and from every estimator."""
    rng = np.random.default_rng(3)
    rows = rng.standard_normal((400, 4))
    rows = (rows - rows.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(rows.T, bias=True))).T  # exactly white
    parts = lambda Z: np.stack([2 * Z[:, 0], Z[:, 1] ** 2, -Z[:, 2], 0 * Z[:, 3]], axis=1)  # noqa: E731
    features = tuple(Feature(name) for name in NAMES)
    model = Model(features, lambda Z: parts(Z).sum(axis=1), rows, Gaussian(np.zeros(4), np.eye(4), rows))
    wanted = parts(X) - [0, 1, 0, 0]
    for estimator, budget in (("exact", None), ("kernel", 12), ("permutation", 12)):
        answer = explain(model, X, method, Options(estimator, budget, samples=1024))
        assert answer.values == pytest.approx(wanted, abs=0.02)


@every_explainer
def test_the_answer_does_not_depend_on_the_callers_array(method):
    mine = X.copy()
    answer = explain(a_model(), mine, method, FEW)
    assert np.array_equal(mine, X)
    assert np.array_equal(answer.data, X)
    whole = explain(a_model(), np.array([[2, 1, 2, 3]]), method, FEW)  # integers are numbers too
    check_efficiency(whole)


@every_explainer
def test_cut_into_rows_and_joined_again(method):
    """As a server does with the rows of several callers: each row keeps its own base, and its own gaps."""
    whole = explain(a_model(), X, method, FEW)
    parts = [cut(whole, 0, 1), cut(whole, 1, 3), cut(whole, 3, 4)]
    for first, part in zip((0, 1, 3), parts, strict=True):
        alone = explain(a_model(), X[first : first + len(part)], method, FEW)
        assert part.bases == pytest.approx(alone.bases, rel=1e-12)
        assert part.base_value == pytest.approx(alone.base_value, rel=1e-12)
        assert dict(part.info.gaps) == pytest.approx(dict(alone.info.gaps), abs=1e-6)
        check_efficiency(part)
    assert joined([whole]) is whole  # of one part nothing is lost, deviations neither
    again = joined(parts)
    assert again.bases.tolist() == whole.bases.tolist()
    assert again.base_value == whole.base_value
    assert all(same_row(again, i, whole, i) for i in range(len(X)))
    check_efficiency(again)


def test_permutation_shap_is_the_game_of_kernel_shap_by_random_orders():
    one = explain(a_model(), X, "permutation_shap", Options("kernel", 12, seed=4))
    two = explain(a_model(), X, "kernel_shap", Options("permutation", 12, seed=4))
    assert all(same_row(one, i, two, i) for i in range(len(X)))
    assert (one.info.method, one.info.estimator) == ("permutation_shap", "permutation")
    assert (one.stderr > 0).any()


def test_share_of_the_prediction():
    answer = explain(a_model(), X, "kernel_shap", FEW)
    total = answer.fraction.sum(axis=1) + answer.base_value / answer.prediction
    assert total == pytest.approx(np.ones(4), abs=1e-12)


def test_the_answer_says_which_game_it_played():
    kinds = {method: explain(a_model(), X, method, FEW).info for method in HERE}
    assert {method: info.game for method, info in kinds.items()} == {
        "conditional_shap": "conditional",
        "kernel_shap": "marginal",
        "amortized_shap": "conditional",
        "compiled_shap": "conditional",
        "permutation_shap": "marginal",
        "lime": "local linear",
        "occlusion": "occlusion",
        "tree_shap": "path-dependent",
        "tree_shap_interventional": "marginal",
    }
    assert kinds["conditional_shap"].value == "completions"
    assert kinds["conditional_shap"].samples == 16
    assert kinds["kernel_shap"].value == "background"
    assert kinds["kernel_shap"].samples == len(BACKGROUND)  # every background row completes once


def test_the_one_pass_explainer_says_what_it_is_worth():
    answer = explain(a_model(), X, "amortized_shap", FEW)
    assert (answer.info.tier, answer.info.estimator, answer.info.value) == ("fast", "amortized", "surrogate")
    assert answer.info.gaps["amortized_r2"] == 0.9
    assert answer.info.gaps["amortized_rmse"] == pytest.approx(np.sqrt(0.3 / 4))
    assert answer.stderr.tolist() == [[0.1, 0.2, 0.3, 0.4]] * 4
    rest = predict(X) - BASE - learnt(X).sum(axis=1)
    assert answer.values == pytest.approx(learnt(X) + rest[:, None] / 4, abs=1e-6)
    with pytest.raises(InputError, match="amortized_shap learnt single features: ask conditional_shap for groups"):
        explain(a_model(), X, "amortized_shap", replace(FEW, groups={"two": NAMES[:2]}))


def test_trees_play_the_marginal_game_that_the_kernel_plays():
    model = a_model(predict=of_trees)
    trees = explain(model, X, "tree_shap_interventional", FEW)
    kernel = explain(model, X, "kernel_shap", Options("exact"))
    assert trees.values == pytest.approx(kernel.values, abs=1e-12)
    assert trees.base_value == pytest.approx(kernel.base_value, abs=1e-12)
    assert trees.stderr.tolist() == [[0.0] * 4] * 4
    assert trees.info.samples == len(BACKGROUND)
    assert explain(model, X, "tree_shap", FEW).info.samples == 0  # no row stands for an absent feature
    assert np.abs(trees.values - explain(model, X, "tree_shap", FEW).values).max() > 0.1  # another game


@pytest.mark.parametrize("method", TREES)
def test_trees_refuse_groups_and_the_space_they_do_not_sum_in(method):
    with pytest.raises(InputError, match=f"{method} answers single features: ask kernel_shap or conditional_shap"):
        explain(a_model(), X, method, replace(FEW, groups={"two": NAMES[:2]}))
    model = a_model(trees=replace(FOREST, link="logistic"))
    answer = explain(model, X, method, FEW)
    assert (answer.info.unit, answer.info.space) == ("log-odds", "margin")
    with pytest.raises(InputError, match=f"{method} explains margins: choose space 'margin'"):
        explain(replace(model, space="probability"), X, method, FEW)


@pytest.mark.parametrize("method", TREES)
def test_trees_answer_rows_with_missing_values_where_the_features_allow_them(method):
    rows = X.copy()
    rows[1, 0] = np.nan
    features = tuple(replace(f, missing=f.name == "load") for f in a_model().features)
    answer = explain(a_model(features=features), rows, method, FEW)
    assert answer.status.tolist() == ["ok"] * 4
    assert answer.prediction == pytest.approx(of_trees(rows))
    check_efficiency(answer)
    rows[2, 1] = np.nan
    assert explain(a_model(features=features), rows, method, FEW).status.tolist() == ["ok", "ok", "invalid", "ok"]


def test_on_reads_values_by_members():
    S = np.array([[False, False], [True, False], [True, True]])
    assert on(lambda members: float(len(members)), S).tolist() == [0, 1, 2]
