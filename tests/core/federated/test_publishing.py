"""What of an explanation is shown: rounding that cannot be undone, groups, budgets."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.attribution import Attribution, Info
from ascribe.core.errors import InputError
from ascribe.core.federated import Ledger, Policy, published


def an_answer(rows: int = 12) -> Attribution:
    values = np.random.default_rng(0).normal(size=(rows, 3))
    values[:, 2] = np.repeat([0.25, -0.5, 1.0], rows // 3)  # the host's
    values[0, 2] = 0.9
    info = Info("federated_shap", "path-dependent", "", "exact", 0, 0, 0)
    return Attribution(
        values, 0.3217, 0.3217 + values.sum(axis=1), 0 * values, np.full(rows, np.inf), np.full(rows, "ok", "<U13"),
        ("",) * rows, ("x0", "x1", "bank"), np.zeros((rows, 2)), info, ("x0", "x1"),
    )  # fmt: skip


@pytest.mark.parametrize("step", [0.05, 0.25, 1.0])
def test_all_numbers_are_rounded_together(step):
    whole = an_answer()
    shown, withheld = published(Policy(step), whole, ["bank"])
    assert not withheld.any()
    for held in (shown.values, np.array(shown.base_value), shown.prediction):
        assert np.abs(held / step - np.round(held / step)).max() < 1e-9
    assert np.abs(shown.values - whole.values).max() <= step / 2 + 1e-12
    assert shown.values.sum(axis=1) + shown.base_value == pytest.approx(shown.prediction, abs=1e-12)


def test_what_is_shown_does_not_depend_on_more_than_the_rounded_values():
    """Two hosts' values that round alike are shown alike: the margin beside them does not tell them apart."""
    one = an_answer()
    two = replace(one, values=one.values.copy(), prediction=one.prediction.copy())
    two.values[:, 2] += 0.01 * np.sign(np.round(one.values[:, 2] / 0.5) * 0.5 - one.values[:, 2] + 1e-9)
    object.__setattr__(two, "prediction", 0.3217 + two.values.sum(axis=1))
    a, b = (published(Policy(0.5), held, ["bank"])[0] for held in (one, two))
    assert a.values.tobytes() == b.values.tobytes()
    assert a.prediction.tobytes() == b.prediction.tobytes()


def test_rows_of_a_rare_host_value_are_withheld_with_their_margin():
    whole = an_answer()
    shown, withheld = published(Policy(minimum_group=2), whole, ["bank"])
    assert withheld.tolist() == [True] + [False] * 11
    assert np.isnan(shown.values[0]).all()
    assert np.isnan(shown.prediction[0])
    assert "fewer than 2 rows" in shown.reasons[0]
    assert shown.values[1:].tobytes() == whole.values[1:].tobytes()
    assert published(Policy(minimum_group=5), whole, ["bank"])[1].sum() == 12
    assert published(Policy(minimum_group=5), whole, [])[1].sum() == 0


def test_rounding_makes_groups():
    """0.9 and 0.25 are the same to a step of 2."""
    assert not published(Policy(2.0, 12), an_answer(), ["bank"])[1].any()


def test_a_budget_of_different_ids_in_a_window():
    ledger = Ledger(Policy(budget=3, window_s=10.0))
    ledger.spend("a", ["1", "2"], 0.0)
    ledger.spend("a", ["1", "2"], 1.0)  # the same again
    with pytest.raises(InputError, match="caller 'a' may have 3 ids explained in 10 s and has had 2"):
        ledger.spend("a", ["3", "4"], 2.0)
    ledger.spend("a", ["3"], 3.0)
    ledger.spend("b", ["4", "5", "6"], 3.0)
    with pytest.raises(InputError):
        ledger.spend("a", ["4"], 9.9)
    ledger.spend("a", ["4", "5"], 10.0)
    with pytest.raises(InputError):
        ledger.spend("a", ["6"], 12.0)
    Ledger(Policy()).spend("a", [str(i) for i in range(1000)], 0.0)


def test_a_ledger_is_what_a_list_of_all_calls_says():
    """Calls of two callers at rising times, by a list that is looked through each time."""
    rng, now_s = np.random.default_rng(3), 0.0
    ledger, told, refused = Ledger(Policy(budget=6, window_s=4.0)), [], 0
    for _ in range(400):
        now_s += float(rng.exponential(0.5))
        caller, ids = str(rng.choice(["a", "b"])), [str(i) for i in rng.integers(0, 12, rng.integers(1, 4))]
        since = {i: at for who, i, at in told if who == caller and now_s - at < 4.0}
        new = set(ids) - set(since)
        if len(since) + len(new) > 6:
            refused += 1
            with pytest.raises(InputError, match=f"has had {len(since)}"):
                ledger.spend(caller, ids, now_s)
        else:
            ledger.spend(caller, ids, now_s)
            told += [(caller, i, now_s) for i in new]
    assert 20 < refused < 380


def test_a_caller_of_many_ids_does_not_hold_up_the_next_call():
    """What it has had is not looked through again: that took seconds a question at a million ids."""
    ledger = Ledger(Policy(budget=1_000_000))
    ledger.spend("a", [str(i) for i in range(200_000)], 0.0)
    for i in range(2000):
        ledger.spend("a", [f"n{i}"], 1.0)
    assert len(ledger.spent["a"]) == 202_000


@pytest.mark.parametrize("wrong", [{"step": -1.0}, {"step": float("nan")}, {"minimum_group": 0}, {"window_s": 0.0},
                                   {"budget": -1}], ids=range(5))  # fmt: skip
def test_policies_that_mean_nothing(wrong):
    with pytest.raises(InputError):
        Policy(**wrong)
