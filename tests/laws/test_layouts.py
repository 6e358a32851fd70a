"""Laws of explanations of images and texts, over the explainers that answer them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.attribution import Attribution
from ascribe.core.errors import BudgetError, CapabilityError, InputError
from ascribe.core.explainers import EXPLAINERS, available, explain
from ascribe.core.features import Feature
from ascribe.core.layout import Layout
from ascribe.core.model import Model
from ascribe.core.options import Options, Patch
from ascribe.core.perturbations import kept

from .brute import by_orders

HERE = [name for name, e in EXPLAINERS.items() if e.elsewhere == {"predict"}]
ADDITIVE = ("kernel_shap", "permutation_shap")
every = pytest.mark.parametrize("method", HERE)
both = pytest.mark.parametrize("kind", ["image", "text"])

IMAGE = Layout("image", (6, 5, 3))
WORDS = ("<PAD>", "<START>", "<UNKNOWN>", "good", "bad", "not", "film")
TEXT = Layout("text", (8,), 0, WORDS)
WORTH = np.array([0.0, 0.3, 0.1, 2.0, -1.5, 0.0, 0.2])


def of_image(rows: np.ndarray) -> np.ndarray:
    """Brightness of a corner, times that of the middle, and a saturating whole."""
    Z = rows.reshape(-1, 6, 5, 3) / 255
    corner, middle = Z[:, :2, :2].mean(axis=(1, 2, 3)), Z[:, 2:4, 2:4, 1].mean(axis=(1, 2))
    return 2 * corner + 3 * corner * middle + np.tanh(Z.sum(axis=(1, 2, 3)) / 20)


def of_text(rows: np.ndarray) -> np.ndarray:
    """A sum of words that `not` turns round, by position a little."""
    ids = rows.astype(int)
    total = (WORTH[ids] * (1 + 0.1 * np.arange(8))).sum(axis=1)
    return total * np.where((ids == 5).any(axis=1), -0.5, 1.0)


def model_of(kind: str, **changes: object) -> Model:
    layout, f = (IMAGE, of_image) if kind == "image" else (TEXT, of_text)
    return replace(Model((), f, layout=layout, unit="points", output="cat", version="7", space="margin"), **changes)


def rows_of(kind: str) -> np.ndarray:
    if kind == "image":
        return np.random.default_rng(0).integers(0, 256, (3, 90)).astype(float)
    return np.array([[1, 3, 6, 5, 4, 0, 0, 0], [1, 4, 6, 0, 0, 0, 0, 0], [1, 2, 3, 3, 5, 6, 4, 6]], float)


def few(kind: str, method: str) -> Options:
    """Four players of an image; words are few already."""
    y, x = np.mgrid[:6, :5]
    segments = (y // 3 * 2 + x // 3) if kind == "image" and method != "occlusion" else None
    return Options(segments=segments, budget=64 if method == "lime" else None)


FIELDS = ("values", "stderr", "prediction", "ess", "bases")


def same_row(one: Attribution, i: int, two: Attribution, j: int) -> bool:
    return all(getattr(one, field)[i].tobytes() == getattr(two, field)[j].tobytes() for field in FIELDS)


def test_the_table_says_who_answers_images_and_texts():
    assert HERE == ["kernel_shap", "permutation_shap", "lime", "occlusion"]
    assert available(model_of("image")) == available(model_of("text")) == tuple(HERE)


@every
@both
def test_an_answer_has_the_shape_of_the_row(method, kind):
    model, X = model_of(kind), rows_of(kind)
    a = explain(model, X, method, few(kind, method))
    assert a.values.shape == a.stderr.shape == X.shape
    assert a.features == a.columns == model.names
    assert a.layout == model.layout
    assert a.status.tolist() == ["ok"] * 3
    assert a.prediction == pytest.approx(model.predict(X))
    assert (a.info.method, a.info.unit, a.info.output, a.info.version, a.info.space) == (
        method, "points", "cat", "7", "margin",
    )  # fmt: skip
    gap = np.abs(a.values.sum(axis=1) - (a.prediction - a.bases))
    if method == "occlusion" and kind == "image":
        assert not a.additive
    else:
        assert a.info.gaps["efficiency_gap"] == pytest.approx(gap.max(), abs=1e-12)
    if method in ADDITIVE:
        assert gap.max() < 1e-12
        assert a.info.game == "baseline"
    if kind == "text":
        marks = (X == 0) | (X == 1)  # padding and the start
        assert (a.values[marks] == 0).all()
        assert (a.segments is None) or (a.segments[marks] == -1).all()
        assert (a.values[~marks] != 0).any()


@every
@both
def test_a_row_alone_is_the_row_in_a_batch(method, kind):
    model, X, options = model_of(kind), rows_of(kind), few(kind, method)
    batch = explain(model, X, method, options)
    other = explain(model, X[[2, 0, 1]], method, options)
    for i, j in enumerate([1, 2, 0]):
        assert same_row(batch, i, other, j)
        assert same_row(batch, i, explain(model, X[i : i + 1], method, options), 0)
    assert not same_row(batch, 0, batch, 1)


@every
@both
def test_a_bad_row_fails_alone(method, kind):
    model, X, options = model_of(kind), rows_of(kind), few(kind, method)
    good = explain(model, X, method, options)
    bad = X.copy()
    bad[1, 2] = 300.5
    answer = explain(model, bad, method, options)
    assert answer.status.tolist() == ["ok", "invalid", "ok"]
    assert "it must be in 0.." in answer.reasons[1]
    assert np.isnan(answer.values[1]).all()
    assert same_row(good, 0, answer, 0)
    assert same_row(good, 2, answer, 2)
    moody = model_of(kind, predict=lambda Z: np.where((Z[:, 1] == X[1, 1]) & (Z[:, 2] == X[1, 2]), np.nan, 1.0))
    told = explain(moody, X, method, options)
    assert told.status.tolist() == ["ok", "not_finite", "ok"]
    assert np.isnan(told.values[1]).all()


@every
def test_a_text_without_words_is_told(method):
    X = np.vstack([rows_of("text")[0], [1, 0, 0, 0, 0, 0, 0, 0]])
    a = explain(model_of("text"), X, method, few("text", method))
    assert a.status.tolist() == ["ok", "invalid"]
    assert a.reasons == ("", "the text has no words")


@every
@both
def test_segments_that_are_always_present_are_told_as_that(method, kind):
    X = rows_of(kind)[:1]
    a = explain(model_of(kind), X, method, replace(few(kind, method), segments=np.full(X.shape[1], -1)))
    assert a.status.tolist() == ["invalid"]
    assert "no segment of this row can be hidden" in a.reasons[0]


@every
@both
def test_progress_and_no_rows(method, kind):
    calls = []
    explain(model_of(kind), rows_of(kind), method, few(kind, method), step=lambda: calls.append(1))
    assert len(calls) == 3
    none = explain(
        model_of(kind), np.empty((0, model_of(kind).layout.n)), method, replace(few(kind, method), segments=None)
    )
    assert len(none) == 0
    assert none.info.gaps.get("efficiency_gap", 0) == 0


@every
@both
def test_a_baseline_of_each_row_has_a_base_of_each_row(method, kind):
    """Efficiency holds against the row's own base; `base_value` is their mean."""
    if kind == "text":
        a = explain(model_of(kind), rows_of(kind), method, few(kind, method))
        assert a.base_values is None or method == "lime"
        return
    a = explain(model_of(kind), rows_of(kind), method, replace(few(kind, method), baseline="blur"))
    assert len(set(a.bases.tolist())) == 3
    assert a.base_value == pytest.approx(a.base_values.mean())
    if method in ADDITIVE:
        assert a.values.sum(axis=1) == pytest.approx(a.prediction - a.bases, abs=1e-12)


@pytest.mark.parametrize("method", ["kernel_shap", "permutation_shap"])
@both
def test_shapley_values_by_enumeration(method, kind):
    """Over all orders of the players, spread over their columns."""
    model, X, options = model_of(kind), rows_of(kind), replace(few(kind, method), budget=4000)
    hidden = np.full(X.shape[1], 40.0 if kind == "image" else 0.0)
    options = replace(options, baseline=hidden if kind == "image" else None)
    a = explain(model, X, method, options)
    for i, x in enumerate(X):
        owner = a.segments[i]
        p = owner.max() + 1

        def v(present, x=x, owner=owner):
            stays = np.isin(owner, list(present)) | (owner < 0)
            return float(model.predict(np.where(stays, x, hidden)[None])[0])

        phi = by_orders(v, p)
        for k in range(p):
            mine = owner == k
            error = 1e-10 if method == "kernel_shap" else 5 * a.stderr[i, mine].sum() + 1e-10
            assert a.values[i, mine].sum() == pytest.approx(phi[k], abs=error)
            assert np.ptp(a.values[i, mine]) == 0


@pytest.mark.parametrize(("estimator", "budget"), [("kernel", 200), ("permutation", 200)])
def test_standard_errors_of_segments_cover_the_exact_values(estimator, budget):
    """Ten segments, 100 seeds: 1.96 standard errors hold the exact value in 90 to 99.5 %."""
    segments = np.arange(30).reshape(6, 5) // 3
    model, x = model_of("image"), rows_of("image")[:1]
    method = "permutation_shap" if estimator == "permutation" else "kernel_shap"
    truth = explain(model, x, "kernel_shap", Options("exact", segments=segments)).values[0]
    runs = [explain(model, x, method, Options(estimator, budget, seed=s, segments=segments)) for s in range(100)]
    moved = [k for k in range(90) if runs[0].stderr[0, k] > 1e-12]
    inside = np.array([np.abs(r.values[0] - truth)[moved] <= 1.96 * r.stderr[0, moved] for r in runs])
    assert len(moved) > 40
    assert 0.9 < inside.mean() < 0.995, inside.mean()


def test_background_rows_of_an_image_make_the_game_marginal():
    X = rows_of("image")
    a = explain(model_of("image", background=X[1:]), X[:1], "kernel_shap", few("image", "kernel_shap"))
    assert (a.info.game, a.info.samples) == ("marginal", 2)
    assert a.base_value == pytest.approx(of_image(X[1:]).mean())
    named = explain(
        model_of("image", background=X[1:]), X[:1], "kernel_shap", replace(few("image", ""), baseline="black")
    )
    assert named.info.game == "baseline"
    assert named.base_value == 0


@pytest.mark.parametrize("method", HERE)
def test_a_baseline_that_is_named_stands_in_for_a_background(method):
    table = Model((Feature("a"), Feature("b")), lambda Z: Z[:, 0] + 2 * Z[:, 1])
    with pytest.raises(CapabilityError, match=f"{method} needs background"):
        explain(table, np.ones((1, 2)), method)
    if EXPLAINERS[method].baseline:
        a = explain(table, np.ones((1, 2)), method, Options(baseline=np.array([0.5, 0.0])))
        assert a.values[0] == pytest.approx([0.5, 2.0])
        assert a.base_value == pytest.approx(0.5)
    else:
        with pytest.raises(CapabilityError, match=f"{method} needs background"):
            explain(table, np.ones((1, 2)), method, Options(baseline="zero"))


@pytest.mark.parametrize(
    ("segments", "text"),
    [(np.zeros(7, int), "segments of this image are numbers"), (np.full(90, 0.5), "whole numbers"), (0, "superpixels")],
    ids=["shape", "fractions", "none"],
)
def test_segments_that_do_not_fit_are_refused(segments, text):
    for method in HERE:
        with pytest.raises(InputError, match=text):
            explain(model_of("image"), rows_of("image"), method, Options(segments=segments))


def test_what_belongs_to_another_kind_of_row_is_refused():
    table = Model((Feature("a"),), lambda Z: Z[:, 0], np.ones((3, 1)))
    for method in HERE:
        with pytest.raises(InputError, match="give groups="):
            explain(table, np.ones((1, 1)), method, Options(segments=np.zeros(1, int)))
        with pytest.raises(InputError, match="give segments="):
            explain(model_of("text"), rows_of("text"), method, Options(groups={"a": ("0",)}))
    with pytest.raises(InputError, match="one or the other"):
        explain(model_of("text"), rows_of("text"), "occlusion", Options(segments=np.arange(8), patch=Patch(2)))


@both
def test_too_small_a_budget_is_refused_before_any_work(kind):
    def never(Z):
        raise AssertionError

    model = model_of(kind, predict=never)
    for method in ("kernel_shap", "permutation_shap", "lime"):
        with pytest.raises(BudgetError, match="budget"):
            explain(model, rows_of(kind), method, Options("kernel", budget=5))


def test_perturbations_of_images_and_texts_are_those_of_lime():
    """Images: each segment with probability 1/2. Texts: 1 ... p words go, each number as often as another."""
    rng = np.random.default_rng(0)
    S = kept("image", 6, 20000, rng)
    assert S[0].all()
    assert S.mean(axis=0) == pytest.approx(np.full(6, 0.5), abs=0.015)
    assert np.cov(S.T) == pytest.approx(np.eye(6) / 4, abs=0.01)
    S = kept("text", 6, 20000, rng)
    gone = np.bincount(6 - S[1:].sum(axis=1), minlength=7)
    assert gone[0] == 0
    assert gone[1:] / 20000 == pytest.approx(np.full(6, 1 / 6), abs=0.015)
    assert S.mean(axis=0) == pytest.approx(np.full(6, 1 - 3.5 / 6), abs=0.015)
