"""What is said to be spent against what is asked: every prediction and slope of a counted model."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.adjusted import ADJUSTED
from ascribe.core.errors import InputError
from ascribe.core.estimators import ESTIMATORS, make_plan
from ascribe.core.explainers import EXPLAINERS, available, explain, refuse_unused, usual
from ascribe.core.features import Feature
from ascribe.core.gradient import Gradient
from ascribe.core.layout import Layout
from ascribe.core.model import Model
from ascribe.core.options import Options, Patch, Path
from ascribe.core.repertoire import repertoire

LAYOUTS = {
    "table": Layout("table", (5,)),
    "image": Layout("image", (12, 10, 3)),
    "text": Layout("text", (9,), 0, ("", *"abcdefghij")),
}
BACKGROUND = 3


class Counted:
    """A function and its slope, and how many rows they were asked about."""

    def __init__(self, n: int) -> None:
        self.rows, self.weight = 0, np.random.default_rng(0).normal(size=n)

    def predict(self, X: np.ndarray) -> np.ndarray:
        self.rows += len(X)
        return np.sin(X @ self.weight / 300)

    def slope(self, Z: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.rows += len(Z)
        return np.sin(Z @ self.weight / 300), np.cos(Z @ self.weight / 300)[:, None] * self.weight / 300


def made(kind: str) -> tuple[Model, Counted, np.ndarray]:
    layout = LAYOUTS[kind]
    counted, rng = Counted(layout.n), np.random.default_rng(1)
    rows = rng.integers(1, 11, (BACKGROUND + 1, layout.n)).astype(float)
    if kind == "text":
        rows[-1, 6:] = 0
    features = tuple(Feature(f"x{j}", seen_low=0.0, seen_high=11.0) for j in range(layout.n)) if kind == "table" else ()
    model = Model(
        features, counted.predict, background=rows[:-1], layout=layout,
        gradient=Gradient(counted.slope, (lambda X: X) if kind == "text" else None),
    )  # fmt: skip
    return model, counted, rows[-1:]


OPTIONS = {
    "by itself": Options(samples=2),
    "a budget": Options(budget=100, samples=2),
    "a baseline": Options(baseline="zero", samples=2),
    "a target": Options(target_stderr=1e-9, budget=300, samples=2),
    "steps": Options(path=Path(steps=7, draws=5)),
    "windows": Options(patch=Patch(4, 3)),
    "segments": Options(segments=np.array(5)),
}


@pytest.mark.parametrize("kind", LAYOUTS)
@pytest.mark.parametrize("words", OPTIONS)
def test_no_row_asks_more_often_than_is_said(kind, words):
    """Twice as often at most, and the ends; of a table a coalition is asked with each row of the background."""
    options = OPTIONS[words]
    if options.baseline is not None and kind == "text":
        options = replace(options, baseline="padding")
    if words == "segments" and kind != "image":
        options = replace(options, segments=np.arange(LAYOUTS[kind].n) % 3 if kind == "text" else None)
    for method in available(made(kind)[0]):
        takes = EXPLAINERS[method].takes
        if ("segments" not in takes and options.segments is not None) or ("baseline" not in takes and options.baseline):
            continue
        model, counted, x = made(kind)
        said = EXPLAINERS[method].spends(model, options, x)
        explain(model, x, method, options)
        shared = BACKGROUND if kind == "table" and options.baseline is None else 1
        if method in ("lime", "occlusion"):
            shared = 1
        assert counted.rows <= 2 * said * shared + 2 * BACKGROUND + 2, (method, counted.rows, said)
        if method == "occlusion":
            assert counted.rows <= said + 2, (counted.rows, said)
        elif options.budget is None and (method in ("kernel_shap", "lime") or said == 1):
            assert counted.rows >= said / 4, (method, counted.rows, said)  # it is no idle bound


def test_an_error_that_nothing_reaches_is_tried_for_as_long_as_is_said():
    model, counted, x = made("table")
    options = Options(target_stderr=1e-12)
    answer, said = explain(model, x, "lime", options), EXPLAINERS["lime"].spends(model, options, x)
    assert answer.status.tolist() == ["above_target"]
    assert answer.info.budget == said < counted.rows < 2 * said


@pytest.mark.parametrize("method", ["saliency", "input_x_gradient"])
def test_an_answer_of_one_slope_says_so(method):
    model, counted, x = made("table")
    info = explain(model, x, method).info
    assert info.budget * info.samples == counted.rows == 1


def test_the_estimators_that_a_request_may_name_are_those_that_answer():
    for n in (3, 20):
        model = Model(tuple(Feature(f"x{j}") for j in range(n)), lambda X: X.sum(axis=1), np.zeros((2, n)))
        named = set(repertoire(model).estimators)
        assert named
        for name in {*ADJUSTED, *ESTIMATORS}:
            if name in named:
                assert make_plan(name, n, None if name == "exact" else 64).S.shape[1] == n
            else:
                with pytest.raises(InputError):
                    make_plan(name, n)


def test_the_words_of_a_text_are_counted():
    model, _, x = made("text")
    assert EXPLAINERS["kernel_shap"].spends(model, Options(), x) == 2**6 * BACKGROUND
    assert EXPLAINERS["kernel_shap"].spends(model, Options(), None) == 2**9 * BACKGROUND
    assert EXPLAINERS["kernel_shap"].spends(model, Options(baseline="padding"), x) == 2**6
    assert EXPLAINERS["kernel_shap"].spends(model, Options(baseline="padding"), 0 * x) == 2**0


def test_where_a_method_can_be_asked_depends_on_what_it_spends():
    model = made("image")[0]
    whole, small = repertoire(model).details, repertoire(model, 1000).details
    assert whole["kernel_shap"].where == ("cli", "python", "rest", "grpc")
    assert small["kernel_shap"].where == ("cli", "python")
    assert small["kernel_shap"].spends == 784 * BACKGROUND
    assert small["saliency"].where == whole["saliency"].where
    table = repertoire(made("table")[0], 2).details
    assert {asking.where for asking in table.values()} == {("cli", "python", "rest", "grpc")}
    assert "segments" not in table["lime"].takes


def test_an_option_of_another_method_is_refused():
    for method, explainer in EXPLAINERS.items():
        refuse_unused(method, explainer.takes)
        for name in {"steps", "layer", "noise"} - set(explainer.takes):
            with pytest.raises(InputError, match=f"{method} takes no {name}: leave it out, or ask"):
                refuse_unused(method, [name])


def test_nobody_is_given_the_marginal_game_unasked():
    model = made("table")[0]
    assert usual(model) == "integrated_gradients"
    assert usual(replace(model, gradient=None)) == "conditional_shap"
    assert "conditional_shap" not in available(model)


@pytest.mark.parametrize("estimator", ["auto", *ESTIMATORS])
@pytest.mark.parametrize("p", [3, 9, 12, 20])
def test_what_a_plan_spends_is_what_is_said(estimator, p):
    """`permutation_shap` goes by orders whatever estimator is named."""
    if estimator == "exact" and p > 14:
        return
    model = Model(tuple(Feature(f"x{j}") for j in range(p)), lambda X: X.sum(axis=1), np.zeros((1, p)))
    for method, name in (("kernel_shap", estimator), ("permutation_shap", "permutation")):
        said = EXPLAINERS[method].spends(model, Options(estimator), None)
        assert said / 2 <= len(make_plan(name, p, None, 0).S) <= said
