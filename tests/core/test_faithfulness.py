"""Faithfulness: laws of the curves, Captum's infidelity and sensitivity on the same draws, and methods compared."""

from __future__ import annotations

from dataclasses import replace
from itertools import count

import numpy as np
import pytest
from scipy.stats import spearmanr

from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.explainers import EXPLAINERS, available, explain
from ascribe.core.faithfulness import compare, curves, infidelity, max_sensitivity, order_of, randomisation
from ascribe.core.faithfulness.agreement import agreement, rank_correlation
from ascribe.core.faithfulness.compare import RANDOM, Mean
from ascribe.core.faithfulness.infidelity import changes, masks
from ascribe.core.faithfulness.sensitivity import nearby, scale_of
from ascribe.core.faithfulness.units import unit_values, units_of
from ascribe.core.features import Feature
from ascribe.core.layout import Layout
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.players import Segments

RNG = np.random.default_rng(0)
WEIGHTS = np.array([3.0, -2.0, 1.0, 0.5, -0.25])
FEATURES = tuple(Feature(name) for name in "abcde")
BACKGROUND = RNG.standard_normal((60, 5))
LINEAR = Model(FEATURES, lambda Z: 1 + Z @ WEIGHTS, BACKGROUND)
MIXED = Model(FEATURES, lambda Z: np.tanh(Z @ WEIGHTS) + Z[:, 0] * Z[:, 2], BACKGROUND)
X = RNG.standard_normal((12, 5))
ALONE = Segments(np.arange(5))
ZERO = np.zeros(5)


@pytest.mark.parametrize("points", [2, 3, 32])
@pytest.mark.parametrize("u", [1, 2, 5, 17, 100])
def test_a_reversed_order_swaps_the_areas(u, points):
    rng = np.random.default_rng([u, points])
    units, order = Segments(np.arange(u)), rng.permutation(u)
    w = rng.standard_normal(u)

    def predict(Z):
        return np.tanh(Z @ w) + Z[:, 0] * Z[:, -1]

    x, hidden = rng.standard_normal((2, u))
    one, back = (curves(predict, x, hidden, units, o, points) for o in (order, order[::-1]))
    assert back.deletion[::-1] == pytest.approx(one.insertion, abs=1e-12)
    assert back.insertion_area == pytest.approx(one.deletion_area, abs=1e-12)
    assert back.gain == pytest.approx(-one.gain, abs=1e-12)
    assert one.insertion[[0, -1]] == pytest.approx(predict(np.stack([hidden, x])))
    assert one.deletion[[0, -1]] == pytest.approx(predict(np.stack([x, hidden])))
    assert (one.share[0], one.share[-1]) == (0, 1)


def test_curves_of_a_linear_model_by_hand():
    c = curves(LINEAR.predict, np.ones(5), ZERO, ALONE, order_of(WEIGHTS))
    assert c.insertion == pytest.approx([1, 4, 5, 5.5, 5.25, 3.25])
    assert c.deletion == pytest.approx([3.25, 0.25, -0.75, -1.25, -1, 1])
    assert c.insertion_area == pytest.approx(np.mean([2.5, 4.5, 5.25, 5.375, 4.25]))
    assert c.gain == pytest.approx(c.insertion_area - c.deletion_area) and c.gain > 0


def test_random_orders_gain_nothing_and_both_signs():
    """Swapping the areas where insertion is below deletion would make random values look good."""
    gains = [
        curves(MIXED.predict, x, ZERO, ALONE, np.random.default_rng(k).permutation(5)).gain
        for k in range(40)
        for x in X[:6]
    ]
    told = Mean.of(gains)
    assert abs(told.mean) < 4 * told.stderr
    assert 0.3 < np.mean(np.array(gains) > 0) < 0.7


def test_the_order_is_signed():
    """By size the strongest brake would be put in second; the signed order puts it in last."""
    assert order_of(WEIGHTS).tolist() == [0, 2, 3, 4, 1]
    signed, sized = (curves(LINEAR.predict, np.ones(5), ZERO, ALONE, order_of(v)) for v in (WEIGHTS, abs(WEIGHTS)))
    assert signed.gain > sized.gain


def test_no_order_beats_the_true_one_of_a_linear_model():
    part = WEIGHTS * X[0]
    best = curves(LINEAR.predict, X[0], ZERO, ALONE, order_of(part)).gain
    others = [
        curves(LINEAR.predict, X[0], ZERO, ALONE, np.random.default_rng(k).permutation(5)).gain for k in range(50)
    ]
    assert best >= max(others)


def captum_infidelity(predict, x, hidden, I, values, scaled):  # noqa: E741
    torch = pytest.importorskip("torch")
    from captum.metrics import infidelity as theirs

    held = torch.from_numpy(np.where(I, x - hidden, 0.0))

    def perturb(inputs):
        return torch.from_numpy(I.astype(float)), inputs - held  # the sum of the values of what is hidden

    found = theirs(
        lambda Z: torch.from_numpy(predict(Z.numpy())), perturb, torch.from_numpy(x[None]),
        torch.from_numpy(values[None]), n_perturb_samples=len(I), max_examples_per_batch=len(I), normalize=scaled,
    )  # fmt: skip
    return float(found)


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("row", [0, 1])
def test_infidelity_is_captums(row, scaled):
    x, hidden = X[row], BACKGROUND.mean(axis=0)
    values = explain(MIXED, X[row : row + 1], "kernel_shap").values[0] * 3
    I = masks(ALONE, 50, seed=row)  # noqa: E741
    ours = infidelity(values, I, changes(MIXED.predict, x, hidden, ALONE, I), scaled)
    assert ours.infidelity == pytest.approx(captum_infidelity(MIXED.predict, x, hidden, I, values, scaled))


def test_infidelity_is_nothing_where_values_tell_all_and_all_where_they_tell_nothing():
    x, part = X[0], WEIGHTS * X[0]
    I = masks(ALONE, 64, seed=0)  # noqa: E741
    change = changes(LINEAR.predict, x, ZERO, ALONE, I)
    assert infidelity(part, I, change).missed < 1e-20
    assert infidelity(-7 * part, I, change).beta == pytest.approx(-1 / 7)
    assert infidelity(-7 * part, I, change, scaled=False).missed == pytest.approx(64)
    assert infidelity(np.zeros(5), I, change).missed == pytest.approx(1)
    assert np.isnan(infidelity(part, I, np.zeros(64)).missed)
    assert I.any(axis=1).all() and masks(Segments(np.array([0])), 64, 0).all()


def test_sensitivity_is_captums():
    torch = pytest.importorskip("torch")
    from captum.metrics import sensitivity_max

    near = nearby(MIXED, X[0], np.ones(5), draws=6, radius=0.1, seed=3)

    def ours(Z):
        return explain(MIXED, Z, "kernel_shap").values

    theirs = sensitivity_max(
        lambda inputs: (torch.from_numpy(ours(inputs[0].numpy())),), (torch.from_numpy(X[:1]),),
        perturb_func=lambda inputs, radius: (torch.from_numpy(near),), n_perturb_samples=6,
    )  # fmt: skip
    assert max_sensitivity(ours, near, ours(X[:1])[0]) == pytest.approx(float(theirs))
    assert (abs(near - X[0]) <= 0.1).all() and len(np.unique(near)) == near.size


def test_scales_and_ends_of_columns():
    features = (
        Feature("a", low=0.0, high=1.5, seen_low=0.0, seen_high=2.0),
        Feature("b"),
        Feature("c", categories=("x",)),
    )
    model = Model(features, lambda Z: Z[:, 0], np.array([[0.0, 1, 0], [1, 5, 0]]))
    scale = scale_of(model, np.zeros((1, 3)))
    assert scale.tolist() == [2, 4, 0]
    near = nearby(model, np.array([1.5, 0, 0]), scale, draws=50, radius=0.5)
    assert near[:, 0].max() == 1.5 and near[:, 0].min() < 1
    assert (near[:, 2] == 0).all()
    assert scale_of(replace(model, layout=Layout("text", (3,), words=("", "a"))), np.zeros((1, 3))).tolist() == [0] * 3
    assert scale_of(replace(model, layout=Layout("image", (1, 1, 3))), np.zeros((1, 3))).tolist() == [255] * 3


def test_units_of_images_and_texts():
    image = Model((), lambda Z: Z.sum(axis=1), layout=Layout("image", (1, 2, 3)))
    units = units_of(image, np.zeros(6))
    assert unit_values(units, np.arange(6.0)).tolist() == [3, 12]
    text = Model((), lambda Z: Z.sum(axis=1), layout=Layout("text", (4,), words=("", "a", "b")))
    units = units_of(text, np.array([1.0, 2, 0, 0]))
    assert unit_values(units, np.array([1.0, 2, 9, 9])).tolist() == [1, 2]


def test_rank_correlation_is_scipys():
    """Also of two units, and of one that is not like the others."""
    drawn = [np.random.default_rng(seed).integers(0, 6, (2, 12)).astype(float) for seed in range(5)]
    for a, b in (*drawn, np.array([[1.0, 2], [5, 3]]), np.array([[1.0, 2, 1], [0, 3, 3]])):
        assert rank_correlation(a, b) == pytest.approx(spearmanr(a, b).statistic)
    assert np.isnan(rank_correlation(np.ones(3), np.arange(3.0)))
    up = [np.arange(4.0), None]
    assert agreement([up, [-np.arange(4.0), np.arange(4.0)], [None, None]])[:2, :2].tolist() == [[1, -1], [-1, 1]]


def test_every_method_is_compared():
    """A linear model: every contribution method has the same order, loses nothing, and moves with the row alone."""
    ticks, told = count(), []
    c = compare(LINEAR, X, clock=lambda: float(next(ticks)), step=lambda *step: told.append(step))
    assert tuple(j.method for j in c.judged) == (*available(LINEAR), RANDOM)
    shares = [share for share, _ in told]
    assert shares == sorted(shares) and (shares[0], shares[-1]) == (0, 1) and len(shares) > 2 * len(c.methods)
    assert list(dict.fromkeys(method for _, method in told)) == list(available(LINEAR)) == list(c.methods)
    by = {j.method: j for j in c.judged}
    for name in ("kernel_shap", "permutation_shap", "occlusion"):
        assert by[name].missed.mean < 1e-12
        assert by[name].seconds == pytest.approx(1 / 12)
        assert by[name].gain.mean > by[RANDOM].gain.mean + 3 * by[RANDOM].gain.stderr
        assert by[name].gain.mean == pytest.approx(by[name].insertion.mean - by[name].deletion.mean)
        assert len(by[name].insertion_curve) == len(c.share)
        assert 0 < by[name].sensitivity.mean < 1
    assert c.agreement == pytest.approx(c.agreement.T)
    assert c.agreement[c.methods.index("kernel_shap"), c.methods.index("occlusion")] == pytest.approx(1)
    assert by[RANDOM].gain.stderr > 0 and np.isnan(by[RANDOM].missed.mean)


def test_a_column_that_never_moves_takes_no_sensitivity_away():
    """Rows nearby differ in the others."""
    still = replace(LINEAR, background=BACKGROUND * [1, 1, 0, 1, 1])
    by = {j.method: j for j in compare(still, X, ["occlusion"]).judged}
    assert 0 < by["occlusion"].sensitivity.mean < 1


def test_a_method_that_says_nothing_of_the_model_is_found_out(monkeypatch):
    row = EXPLAINERS["occlusion"]

    def fixed(model, rows, options, step):
        a = row.answer(model, rows, options, step)
        return replace(a, values=np.tile(np.array([0.3, 0.5, -0.2, 0.1, 0.4]), (len(rows), 1)))

    monkeypatch.setitem(EXPLAINERS, "occlusion", replace(row, answer=fixed))
    by = {j.method: j for j in compare(MIXED, X, ["kernel_shap", "occlusion"]).judged}
    assert by["occlusion"].missed.mean > 2 * by["kernel_shap"].missed.mean
    assert by["occlusion"].gain.mean < by["kernel_shap"].gain.mean
    assert by["occlusion"].sensitivity.mean == 0


def test_what_cannot_be_compared():
    with pytest.raises(CapabilityError, match="conditional_shap needs conditional"):
        compare(LINEAR, X, ["conditional_shap"])
    with pytest.raises(InputError, match="unknown method 'shap'"):
        compare(LINEAR, X, ["shap"])
    with pytest.raises(InputError, match="no row to compare"):
        compare(LINEAR, np.full((2, 5), np.nan))
    with pytest.raises(InputError, match="leave groups out"):
        compare(LINEAR, X, options=Options(groups={"ab": ("a", "b")}))
    bad = np.vstack([X, np.full((1, 5), np.nan)])
    assert compare(LINEAR, bad, ["occlusion"], near=0).rows == 12


def test_a_text_without_words_is_left_out():
    text = Model((), lambda Z: Z.sum(axis=1), layout=Layout("text", (4,), words=("", "a", "b")))
    rows = np.array([[1.0, 2, 1, 0], [0.0, 0, 0, 0]])
    assert compare(text, rows, ["occlusion"], near=0).rows == 1
    with pytest.raises(InputError, match="or there is no word"):
        compare(text, rows[1:], ["occlusion"], near=0)


def test_randomisation_tells_values_of_the_model_from_values_of_the_row():
    other = replace(LINEAR, predict=lambda Z: Z @ np.roll(WEIGHTS, 2))
    same = replace(LINEAR, predict=lambda Z: 5 + 2 * (Z @ WEIGHTS))

    def values(model):
        return explain(model, X, "occlusion").values

    moved, kept = randomisation(values, LINEAR, X, [("head", other), ("all", same)])
    assert (moved.layer, kept.layer, kept.rows) == ("head", "all", 12)
    assert kept.signed == pytest.approx(1) and kept.absolute == pytest.approx(1)
    assert moved.signed < 0.8
    edges = randomisation(lambda model: X, LINEAR, X, [("head", other)])
    assert edges[0].signed == pytest.approx(1)  # the row itself never notices
