"""Compiled explanations: how a graph is asked, and what is said of its answer. The laws are in tests/laws."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.compiled import ROWS, Compiled, in_blocks
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.explainers import explain
from ascribe.core.features import Feature
from ascribe.core.model import Model
from ascribe.core.options import Options

FEATURES = (Feature("a", low=-9.0, high=9.0, seen_low=-2.0, seen_high=2.0), Feature("b", low=-9.0, high=9.0))
X = np.array([[0.5, 1.0], [-1.0, 0.25], [1.5, -3.0]])


def a_model(ess: float = 16, tiers: tuple[str, ...] = ("balanced",), asked: list[int] | None = None) -> Model:
    """f = a + 2b, its terms its attributions; `asked` keeps the rows of each call."""

    def run(rows: np.ndarray) -> dict[str, np.ndarray]:
        if asked is not None:
            asked.append(len(rows))
        phi = rows * np.float32([1, 2])
        held = np.float32(ess) * (rows[:, 0] != 1.5) + np.float32(16) * (rows[:, 0] == 1.5)
        return {"prediction": 3 + phi.sum(axis=1), "attribution": phi, "stderr": 0.1 * np.abs(phi), "ess": held}

    one = Compiled(run, 3.0, "stacked", "learnt", 66, 16, 5, {"amortized_r2": 0.75})
    return Model(FEATURES, compiled=dict.fromkeys(tiers, one), unit="W", output="power", version="8")


@pytest.mark.parametrize("rows", [1, ROWS, ROWS + 1, 3 * ROWS - 1])
def test_many_rows_are_asked_in_blocks_and_come_back_in_order(rows):
    asked: list[int] = []
    many = np.random.default_rng(0).uniform(-1, 1, (rows, 2))
    answer = explain(a_model(asked=asked), many, "compiled_shap")
    assert sum(asked) == rows
    assert max(asked) <= ROWS
    assert len(asked) == -(-rows // ROWS)
    assert answer.values == pytest.approx(many * [1, 2], abs=1e-6)
    whole = in_blocks(lambda A: {"x": A}, many)["x"]
    assert np.array_equal(whole, many)


def test_the_answer_says_what_the_graph_was_made_with_not_what_was_asked():
    asked = Options("kernel", 30, samples=7, seed=9, value="completions")
    info = explain(a_model(), X, "compiled_shap", asked).info
    assert (info.value, info.estimator, info.budget, info.samples, info.seed) == ("stacked", "learnt", 66, 16, 5)
    assert (info.method, info.game, info.tier) == ("compiled_shap", "conditional", "balanced")
    assert (info.unit, info.output, info.version) == ("W", "power", "8")
    assert info.gaps["amortized_r2"] == 0.75
    assert info.gaps["efficiency_gap"] < 1e-6


def test_balanced_answers_unless_another_tier_is_named_or_it_is_the_only_one():
    both = a_model(tiers=("fast", "balanced"))
    assert explain(both, X, "compiled_shap").info.tier == "balanced"
    assert explain(both, X, "compiled_shap", Options(tier="fast")).info.tier == "fast"
    assert explain(a_model(tiers=("accurate",)), X, "compiled_shap").info.tier == "accurate"
    with pytest.raises(CapabilityError, match="tier 'accurate' is not compiled: run `ascribe compile DIR --tier acc"):
        explain(both, X, "compiled_shap", Options(tier="accurate"))


def test_a_model_with_no_graph_at_all_names_the_tier_to_compile():
    with pytest.raises(CapabilityError, match="tier 'balanced' is not compiled"):
        explain(a_model(tiers=()), X, "compiled_shap")


def test_groups_are_refused():
    with pytest.raises(InputError, match="single features: ask tier 'accurate' for groups"):
        explain(a_model(), X, "compiled_shap", Options(groups={"both": ("a", "b")}))


def test_a_row_above_the_error_asked_for_is_marked():
    answer = explain(a_model(), X, "compiled_shap", Options(target_stderr=0.3))
    assert answer.status.tolist() == ["ok", "ok", "above_target"]
    assert answer.reasons[2] == "standard error 0.6 by tier balanced"
    assert np.isfinite(answer.values).all()


def test_a_row_whose_weights_were_given_up_says_so():
    """As `conditional_shap` does: fewer than 0.3 s completions effective, and they count alike."""
    answer = explain(a_model(ess=4.7), X, "compiled_shap", Options(target_stderr=1e-9))
    assert answer.status.tolist() == ["low_ess", "low_ess", "above_target"]
    assert answer.reasons[0] == "4.7 of 16 completions would be effective: they count alike instead"
    assert answer.ess == pytest.approx([4.7, 4.7, 16])
    assert explain(a_model(ess=4.81), X, "compiled_shap").status.tolist() == ["ok"] * 3


def test_a_standard_error_that_is_not_a_number_never_meets_a_target():
    asked = a_model(ess=16)
    held = asked.compiled["balanced"]
    moody = Compiled(lambda A: {**held.run(A), "stderr": np.full((len(A), 2), np.nan, np.float32)}, 3.0, "stacked",
                     "learnt", 66, 16, 5, {})  # fmt: skip
    answer = explain(Model(FEATURES, compiled={"balanced": moody}), X, "compiled_shap", Options(target_stderr=9.0))
    assert answer.status.tolist() == ["above_target"] * 3


def test_rows_that_cannot_be_answered_are_not_asked():
    asked: list[int] = []
    bad = np.array([[np.nan, 0.0], [0.0, 99.0], [2.5, 0.0]])
    answer = explain(a_model(asked=asked), bad, "compiled_shap")
    assert answer.status.tolist() == ["invalid", "invalid", "out_of_domain"]
    assert asked == [1]
    assert explain(a_model(asked=asked), bad[:2], "compiled_shap").status.tolist() == ["invalid", "invalid"]
    assert asked == [1]
