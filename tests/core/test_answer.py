"""An answer's words: pieces, their values and their errors."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.answer import Answer, words_of
from ascribe.core.attribution import Attribution, Info
from ascribe.core.layout import Layout


@pytest.mark.parametrize(
    ("segments", "words", "values", "errors"),
    [
        (None, ["a", "fine", "film", "(padding)"], [0.1, 0.4, 0.2, 0.5], [0.1, 0.2, 0.3, 5.0]),
        ([0, 0, 1, 2, 2], ["a fine", "film", "(padding)"], [0.5, 0.2, 0.5], [0.1 + 0.2, 0.3, 5.0]),
    ],
)
def test_a_pieces_value_is_its_sum_and_its_error_that_of_the_sum(segments, words, values, errors):
    """One player's parts err together, so their errors add up; the columns of the padding as if each on its own."""
    a = Attribution(
        np.array([[0.1, 0.4, 0.2, 0.3, 0.2]]), 0.0, np.array([1.2]), np.array([[0.1, 0.2, 0.3, 3.0, 4.0]]),
        np.array([np.inf]), np.array(["ok"]), ("",), tuple("vwxyz"), np.array([[1.0, 2, 3, 0, 0]]),
        Info("kernel_shap", "marginal", "background", "exact", 64, 100, 0),
        layout=Layout("text", (5,), 0, ("", "a", "fine", "film")),
        segments=None if segments is None else np.array([segments]),
    )  # fmt: skip
    held = words_of(Answer(a), 0)
    assert held[0] == words
    assert held[1] == pytest.approx(values)
    assert held[2] == pytest.approx(errors)
