"""Shifts in words: which of them count, and which do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.drifted import Shift, Thresholds, shifts, verdict, word

T = Thresholds()


def shift(psi: float, name: str = "busy", weight: float = 0.5, **means: float) -> Shift:
    held = Shift(name, "W", psi, 0.1, 0.5, 0.0, 10.0, 12.0, weight, (0.0, 1.0), (1.0,), (1.0,))
    return replace(held, **means)


STILL = shift(0.01)


def test_a_shift_is_measured_on_both_samples():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((500, 2))
    Y = rng.standard_normal((400, 2)) + np.array([0, 5])
    same, moved = shifts(["a", "b"], ["W", ""], X, Y, np.array([0.7, 0.3]))
    assert (word(same, T), word(moved, T)) == ("steady", "drifted")
    assert (same.name, same.unit, same.weight) == ("a", "W", 0.7)
    assert moved.mean_now - moved.mean_before == pytest.approx(5, abs=0.2)
    assert moved.outside > 0.9 > 0.05 > same.outside
    for s in (same, moved):
        assert len(s.edges) == len(s.shares_before) + 1 == len(s.shares_now) + 1
        assert sum(s.shares_before) == pytest.approx(1)
        assert sum(s.shares_now) == pytest.approx(1)


def test_a_column_is_compared_whatever_stands_beside_it():
    X, Y = (np.random.default_rng(k).standard_normal((200, 3)) * [1, 50, 0.1] + [0, 900, 7] for k in (0, 1))
    together = shifts(["a", "b", "c"], [""] * 3, X, Y, np.array([0.5, 0.3, 0.2]))
    for j, one in enumerate(together):
        alone = shifts([one.name], [""], X[:, [j]], Y[:, [j]], np.array([one.weight]))
        assert alone == (one,)
        assert min(X[:, j].min(), Y[:, j].min()) <= one.edges[0] < one.edges[-1] <= max(X[:, j].max(), Y[:, j].max())


def test_a_constant_column_can_be_drawn():
    (s,) = shifts(["a"], [""], np.ones((5, 1)), np.ones((5, 1)), np.ones(1))
    assert s.psi == 0
    assert np.diff(s.edges).min() > 0


@pytest.mark.parametrize(("psi", "wanted"), [(0.0999, "steady"), (0.1, "watch"), (0.2499, "watch"), (0.25, "drifted")])
def test_words_follow_the_thresholds(psi, wanted):
    assert word(shift(psi), T) == wanted


def test_nothing_moved_is_steady():
    assert verdict([STILL], STILL, [STILL], STILL, 0.5, T)[0] == "steady"


def test_an_input_that_carries_little_is_watched_only():
    told, reasons = verdict([shift(0.9, "fan", weight=0.02), STILL], STILL, [STILL], None, 0.001, T)
    assert told == "watch"
    assert reasons == ("not steady: fan (PSI 0.90)",)


def test_small_ones_that_carry_enough_together_count():
    moved = [shift(0.9, f"x{k}", weight=0.04) for k in range(3)]
    told, reasons = verdict(moved, STILL, [], None, 0.001, T)
    assert told == "drifted"
    assert reasons[0].startswith("inputs that carry 12 % of the output drifted: x0 (PSI 0.90)")


def test_predictions_and_attributions_count():
    assert verdict([STILL], shift(0.3), [], None, 0.001, T)[0] == "drifted"
    assert verdict([STILL], STILL, [shift(0.3)], None, 0.001, T)[0] == "drifted"


def test_errors_count_only_where_they_grew():
    assert verdict([STILL], STILL, [], shift(0.3), 0.001, T)[0] == "drifted"
    assert verdict([STILL], STILL, [], shift(0.3, mean_now=5.0), 0.001, T)[0] == "steady"


def test_what_blocks_of_one_series_do_anyway_is_no_drift():
    told, reasons = verdict([shift(0.9)], STILL, [], None, 0.2, T)
    assert told == "watch"
    assert "blocks of the same rows differ as much" in reasons[-1]
