"""Which value of a coalition serves: judged on rows that nothing was fitted on, in Python as in training."""

from __future__ import annotations

import numpy as np
import pytest

import ascribe
from ascribe.core.games import ConditionalGame
from ascribe.core.judge import game_error
from ascribe.core.stack import VALUES
from ascribe.train.values.served import fit_value
from tests.train.values.test_surrogate import gaussian, linear


@pytest.fixture(scope="module")
def fitted():
    X = gaussian(400)
    law = ascribe.fit_conditional(X, max_seconds=1)
    return X, law, fit_value(linear, law, max_seconds=1)


def test_the_choice_is_judged_on_rows_that_the_law_left_out(fitted):
    _, law, (_, choice) = fitted
    assert choice.value in VALUES
    assert set(choice.mse) == set(VALUES)
    assert len(choice.share) == 4 and all(0 <= share <= 1 for share in choice.share)
    assert f"on {len(law.held)} held-out rows" in choice.reason
    assert choice.mse[choice.value] == min(choice.mse.values()) or choice.value == "stacked"


def test_what_is_chosen_is_no_worse_than_knowing_nothing(fitted):
    """Of new rows, however short the fit was: v = the mean of f leaves all of its variance."""
    X, law, (surrogate, choice) = fitted
    game = ConditionalGame(linear, law, 32, 0, 0.0, surrogate, choice.value, np.array(choice.share))
    assert game_error(game, gaussian(200, 9), 24) < linear(X).var()


def test_a_law_that_left_nothing_out_has_no_choice():
    X = gaussian(300)
    surrogate, choice = fit_value(linear, ascribe.fit_conditional(X, method="gaussian"), max_seconds=0.3)
    assert choice is None
    assert np.isfinite(surrogate.value(X[0], np.array([[True, False, False]]))).all()
