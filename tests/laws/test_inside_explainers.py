"""Laws of the methods that look inside a network, over a table of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.errors import CapabilityError, InputError, NotFound
from ascribe.core.explainers import EXPLAINERS, available, explain
from ascribe.core.gradient import Gradient
from ascribe.core.options import Options, Path
from ascribe.core.rows_of import cut, joined
from tests.core.slope_models import BACKGROUND, IMAGES, LINE, NAMES, TEXTS, VECTORS, X, f, image, slope, table, text

NEEDS = {
    "integrated_gradients": {"gradient"},
    "expected_gradients": {"gradient", "background"},
    "smooth_grad": {"gradient"},
    "saliency": {"gradient"},
    "input_x_gradient": {"gradient"},
    "grad_cam": {"predict", "layers"},
    "attention": {"predict", "attention"},
}
SLOPES = tuple(NEEDS)[:5]
ADDITIVE = ("integrated_gradients", "expected_gradients")
EXACT = Options(path=Path(tolerance=1e-6))
every_method = pytest.mark.parametrize("method", NEEDS)
every_slope = pytest.mark.parametrize("method", SLOPES)
additive = pytest.mark.parametrize("method", ADDITIVE)


def asked(method, **changes):
    """A model that offers the method, and rows of it."""
    return (replace(image(), **changes), IMAGES) if method == "grad_cam" else (table(**changes), X)


def same(one, i, two, j):
    return all(
        np.allclose(getattr(one, name)[i], getattr(two, name)[j], rtol=0, atol=1e-12) for name in ("values", "stderr")
    )


def test_the_table_of_explainers_holds_these():
    assert {name: EXPLAINERS[name].needs for name in NEEDS} == NEEDS
    assert set(NEEDS) - set(available(table())) == {"grad_cam"}
    assert {"grad_cam", "saliency"} <= set(available(image()))


@every_method
def test_needs_and_offers(method):
    for lacking in sorted(NEEDS[method]):
        model, rows = asked(method, **{lacking: None})
        assert method not in available(model)
        with pytest.raises(CapabilityError, match=f"^{method} needs {lacking}, which this model does not offer"):
            explain(model, rows, method)


@additive
def test_completeness_and_what_the_answer_says_of_it(method):
    options = replace(EXACT, path=Path(tolerance=1e-6, draws=4000))
    answer = explain(table(), X, method, options)
    gap = np.abs(answer.values.sum(axis=1) - answer.prediction + answer.base_value)
    assert answer.info.gaps["completeness_gap"] == pytest.approx(gap.max(), abs=1e-12)
    within = 1e-5 if method == "integrated_gradients" else 4 * np.sqrt((answer.stderr**2).sum(axis=1)).max()
    assert gap.max() <= within
    assert answer.additive
    assert answer.prediction == pytest.approx(f(X), abs=1e-12)
    base = f(BACKGROUND.mean(axis=0, keepdims=True))[0] if method == "integrated_gradients" else f(BACKGROUND).mean()
    assert answer.base_value == pytest.approx(base, abs=1e-12)


@every_method
def test_what_shares_nothing_out_claims_no_sum(method):
    model, rows = asked(method)
    answer = explain(model, rows, method)
    assert answer.additive == (method in ADDITIVE)
    assert np.isfinite(answer.base_value) == (method in ADDITIVE)
    assert (answer.info.method, answer.info.game) == (method, {
        "integrated_gradients": "baseline", "expected_gradients": "marginal", "grad_cam": "map",
        "attention": "attention",
    }.get(method, "slope"))  # fmt: skip
    assert set(cut(answer, 0, 2).info.gaps) == set(answer.info.gaps)


@every_slope
def test_dummy(method):
    """A column that f does not read has no value."""
    answer = explain(table(), X, method)
    assert answer.values[:, 3].tolist() == [0.0] * 4
    assert (np.abs(answer.values[:, :3]).max(axis=0) > 0.01).all()


@every_slope
def test_sensitivity(method):
    """Where row and baseline differ in one column and the predictions do too, that column has a value; of a path from a
    baseline it has the whole difference.
    """
    row = np.array([[0.0, 0.0, 0.7, 0.0]])
    line = Gradient(lambda Z, rows: (3 * np.tanh(Z[:, 2]), np.eye(4)[[2] * len(Z)] * 3 / np.cosh(Z[:, [2]]) ** 2))
    options = replace(EXACT, baseline=None if method == "expected_gradients" else np.zeros(4))
    answer = explain(table(gradient=line), row, method, options)
    assert answer.values[0, 2] != 0
    assert answer.values[0, [0, 1, 3]].tolist() == [0.0] * 3
    if method == "integrated_gradients":
        assert answer.values[0, 2] == pytest.approx(3 * np.tanh(0.7), abs=1e-6)


@every_slope
def test_implementation_invariance(method):
    """Two ways of writing one function have one answer."""

    def other(Z, rows):
        half = [slope(Z, rows), slope(Z, rows)]
        return (half[0][0] + half[1][0]) / 2, half[0][1] / 4 + 3 * half[1][1] / 4

    one, two = explain(table(), X, method), explain(table(gradient=Gradient(other)), X, method)
    assert one.values == pytest.approx(two.values, abs=1e-12)


@every_slope
def test_of_a_linear_function(method):
    """Closed forms: coefficient x difference, or the coefficient."""
    line = Gradient(lambda Z, rows: (Z @ LINE + 2, np.tile(LINE, (len(Z), 1))))
    answer = explain(table(gradient=line), X, method, Options(path=Path(draws=4000)))
    mean = BACKGROUND.mean(axis=0)
    wanted = {
        "integrated_gradients": LINE * (X - mean), "expected_gradients": LINE * (X - mean),
        "smooth_grad": np.tile(LINE, (4, 1)), "saliency": np.tile(abs(LINE), (4, 1)), "input_x_gradient": LINE * X,
    }  # fmt: skip
    within = 5 * answer.stderr.max() if method == "expected_gradients" else 1e-9
    assert answer.values == pytest.approx(wanted[method], abs=within)
    if method == "expected_gradients":
        assert answer.stderr.max() == pytest.approx((abs(LINE) * BACKGROUND.std(axis=0)).max() / np.sqrt(4000), rel=0.1)


@every_method
def test_a_row_alone_is_the_row_in_a_batch(method):
    model, rows = asked(method)
    batch = explain(model, rows, method)
    shuffled = explain(model, rows[::-1], method)
    for i in range(len(rows)):
        assert same(batch, i, explain(model, rows[i : i + 1], method), 0)
        assert same(batch, i, shuffled, len(rows) - 1 - i)
    assert not same(batch, 0, batch, 1)


@every_method
def test_no_rows_no_answers(method):
    model, rows = asked(method)
    answer = explain(model, rows[:0], method)
    assert len(answer) == 0
    assert answer.values.shape == (0, rows.shape[1])


@every_method
def test_a_bad_row_fails_alone(method):
    model, rows = asked(method)
    good, bad = explain(model, rows, method), rows.copy()
    bad[1, 2] = np.nan
    answer = explain(model, bad, method)
    assert answer.status.tolist() == ["invalid" if i == 1 else "ok" for i in range(len(rows))]
    assert np.isnan(answer.values[1]).all()
    assert all(same(good, i, answer, i) for i in range(len(rows)) if i != 1)


@every_slope
def test_a_row_without_a_finite_slope_fails_alone(method):
    def moody(Z, rows):
        value, g = slope(Z, rows)
        return np.where(rows[:, 0] == X[1, 0], np.nan, value), g

    answer = explain(table(gradient=Gradient(moody)), X, method)
    wanted = ["ok", "not_finite", "ok", "ok"]
    assert answer.status.tolist() == wanted
    assert np.isnan(answer.values[1]).all()


@every_method
def test_progress_seed_and_refusals(method):
    model, rows = asked(method)
    calls = []
    one = explain(model, rows, method, step=lambda: calls.append(1))
    assert len(calls) == len(rows)
    two = explain(model, rows, method)
    assert one.values.tobytes() == two.values.tobytes()
    with pytest.raises(InputError, match=f"{method} knows single columns"):
        explain(model, rows, method, Options(groups={"a": (model.names[0],)}))
    if method in ("expected_gradients", "smooth_grad"):
        assert explain(model, rows, method, Options(seed=1)).values.tobytes() != one.values.tobytes()
        assert (one.stderr[:, :2] > 0).all()
        with pytest.raises(InputError, match=r"two draws|at least 2"):
            explain(model, rows, method, Options(path=Path(draws=1)))


def test_a_named_number_of_steps_is_taken_and_none_is_doubled():
    coarse = explain(table(), X, "integrated_gradients", Options(path=Path(1, "riemann_left")))
    assert coarse.info.budget == 1
    assert coarse.info.estimator == "riemann_left"
    assert coarse.info.gaps["completeness_gap"] > 0.1
    fine = explain(table(), X, "integrated_gradients", Options(path=Path(None, "riemann_left", tolerance=0.05)))
    assert 16 < fine.info.budget <= 1024
    rise = np.abs(f(X) - fine.base_value)
    gap = np.abs(fine.values.sum(axis=1) - f(X) + fine.base_value)
    assert (gap <= 0.05 * rise + 1e-12).all()
    impossible = explain(table(), X, "integrated_gradients", Options(path=Path(None, "riemann_left", tolerance=1e-9)))
    assert "above_target" in impossible.status
    told = impossible.reasons[impossible.status.tolist().index("above_target")]
    assert "after 1024 steps" in told
    with pytest.raises(InputError, match="tolerance is a positive share"):
        explain(table(), X, "integrated_gradients", Options(path=Path(tolerance=0.0)))


def test_a_baseline_of_each_row_has_a_base_value_of_each_row():
    """A blurred image is its own baseline; rows cut out and joined keep their sums."""
    answer = explain(image(), IMAGES, "integrated_gradients", Options(baseline="blur"))
    assert answer.base_values is not None
    assert len(set(answer.base_values.tolist())) == 3
    assert answer.base_value == pytest.approx(answer.base_values.mean())
    assert answer.values.sum(axis=1) == pytest.approx(answer.prediction - answer.bases, abs=1e-6)
    one = cut(answer, 1, 2)
    assert one.base_value == answer.base_values[1]
    again = joined([cut(answer, 0, 1), cut(answer, 1, 3)])
    assert again.base_values.tolist() == answer.base_values.tolist()
    assert again.info.gaps["completeness_gap"] < 1e-6


def test_words_take_the_shares_of_their_vectors():
    """The mean of unmasked words: by formula on one row, padding has nothing."""
    model = text()
    answer = explain(model, TEXTS, "integrated_gradients", EXACT)
    padded = TEXTS == 0
    assert (answer.values[padded] == 0).all()
    assert answer.values.sum(axis=1) == pytest.approx(answer.prediction - answer.bases, abs=1e-5)
    assert answer.base_values is None  # the mean of padding's vector is itself under every mask
    span = (VECTORS[TEXTS[0, :3].astype(int)] - VECTORS[0]) / 3
    rise = np.tanh(VECTORS[0] + span.sum(axis=0)) - np.tanh(VECTORS[0])
    wanted = (span / span.sum(axis=0) * rise).sum(axis=1)  # along a straight way tanh of a mean is shared in proportion
    assert answer.values[0, :3] == pytest.approx(wanted, abs=1e-5)
    found = explain(model, TEXTS, "saliency").values
    assert found[padded].max() == 0 < found[~padded].min()
    with_x = explain(replace(model, background=TEXTS), TEXTS, "expected_gradients", Options(path=Path(draws=2000)))
    gap = np.abs(with_x.values.sum(axis=1) - with_x.prediction + with_x.bases)
    assert gap.max() < 0.1


def test_layers_and_heads_by_name():
    model = text()
    with pytest.raises(NotFound, match="no layer 'conv' of attention: this model has block0, block1, or 'mean' of all"):
        explain(model, TEXTS, "attention", Options(layer="conv"))
    with pytest.raises(NotFound, match="no head '7' of layer block0: it has 0"):
        explain(model, TEXTS, "attention", Options(layer="block0/7"))
    weights = model.attention.weights(TEXTS)
    head = explain(model, TEXTS, "attention", Options(layer="block1/2"))
    assert head.values == pytest.approx(weights[1][:, 2, 0, 1:], abs=1e-12)
    assert (head.info.estimator, head.info.unit) == ("raw", "")
    assert explain(model, TEXTS, "attention").info.estimator == "rollout"
    with pytest.raises(NotFound, match="no layer 'conv' with maps: this model shows cells"):
        explain(image(), IMAGES, "grad_cam", Options(layer="conv"))
    with pytest.raises(CapabilityError, match="a row of this model is a table"):
        explain(table(layers=image().layers), X, "grad_cam")


def test_a_column_of_no_known_range_is_named():
    features = tuple(replace(f, seen_low=-np.inf, seen_high=np.inf) if f.name in NAMES[1:3] else f
                     for f in table().features)  # fmt: skip
    with pytest.raises(InputError, match=f"needs the range of {NAMES[1]}"):
        explain(table(features=features, background=None), X, "smooth_grad")


def test_names_of_columns_and_layout_are_kept():
    assert explain(table(), X, "saliency").features == NAMES
    seen = explain(image(), IMAGES, "saliency")
    assert seen.layout == image().layout
    assert seen.features[:2] == ("0,0,0", "0,0,1")
