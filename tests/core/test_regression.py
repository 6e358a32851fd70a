"""A conditional that regresses: one fit a function, the last four kept, nothing to draw from."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.conditional import Conditional
from ascribe.core.errors import CapabilityError
from ascribe.core.regression import Regression
from ascribe.core.scaling import Scores
from ascribe.core.surrogate import Surrogate

ROWS = np.zeros((5, 3))
SCORES = Scores(np.tile(np.linspace(-4, 4, 129, dtype=np.float32), (3, 1)))


def counted() -> tuple[Regression, list]:
    asked: list = []

    def fit(predict):
        asked.append(predict)
        return Surrogate(SCORES, lambda Z, S: np.zeros(len(Z)))

    return Regression(ROWS, fit), asked


def test_each_function_is_fitted_once():
    law, asked = counted()
    f, g = (lambda Z: Z[:, 0]), (lambda Z: Z[:, 1])
    first = law.surrogate_of(f)
    assert asked == [f]  # not before it is asked
    assert law.surrogate_of(f) is first
    assert law.surrogate_of(g) is not first
    assert law.surrogate_of(f) is first
    assert asked == [f, g]
    assert counted()[0].surrogate_of(f) is not first


def test_four_functions_are_kept():
    law, asked = counted()
    functions = [lambda Z, j=j: Z[:, 0] + j for j in range(5)]
    for f in functions:
        law.surrogate_of(f)
    for f in functions[1:]:
        law.surrogate_of(f)
    assert asked == functions  # the last four are there
    law.surrogate_of(functions[0])
    assert asked == [*functions, functions[0]]  # the first is not


def test_there_is_nothing_to_draw():
    law, asked = counted()
    S = np.zeros((1, 3), dtype=bool)
    for ask in (
        lambda: law.noise(8, 0),
        lambda: law.complete(ROWS[0], S, np.zeros((8, 3))),
        lambda: law.draw(ROWS, S, 8, np.random.default_rng(0)),
    ):
        with pytest.raises(CapabilityError, match=r"a surrogate has no completions to draw: .*method='emshap'"):
            ask()
    assert asked == []
    assert isinstance(law, Conditional)


def test_a_model_that_was_fitted_again_in_place_is_another_function():
    """Its method equals itself."""

    class Linear:
        weight = np.array([1.0, 0.0, 0.0])

        def predict(self, Z):
            return Z @ self.weight

    rows, asked = np.arange(15.0).reshape(5, 3), []

    def fit(predict):
        asked.append(predict)
        return Surrogate(SCORES, lambda Z, S: np.zeros(len(Z)))

    law, model = Regression(rows, fit), Linear()
    first = law.surrogate_of(model.predict)
    assert law.surrogate_of(model.predict) is first
    model.weight = np.array([0.0, 0.0, 5.0])
    assert law.surrogate_of(model.predict) is not first
    assert len(asked) == 2
