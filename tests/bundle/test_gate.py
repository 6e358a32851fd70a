"""The gate: what may go to production, and why not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ascribe.bundle.archive import Bundle
from ascribe.bundle.gate import Verdict, judge
from ascribe.bundle.manifest import Target
from ascribe.core.errors import BundleError, TamperedError

from .made import CENTRE, FEATURES, SPREAD, WEIGHTS, made, rows


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return made(tmp_path_factory.mktemp("production"))


def refused(verdict: Verdict) -> str:
    """The reason that decided: refusals come first."""
    assert not verdict.accepted
    return verdict.reasons[0]


def test_with_nothing_in_production_it_is_judged_by_what_needs_no_training(production):
    verdict = judge(production, None)
    assert verdict.accepted
    text = " | ".join(verdict.reasons)
    assert "R2 0.997, MAE 0.396 W, MAPE 0.3 % on held-out rows" in text
    assert "explanation error is no worse: 0.25" in text
    assert "against 1 of what the marginal law leaves" in text
    assert "attributions add up within" in text
    mine = verdict.numbers["candidate"]
    X = rows(300, 2)
    assert verdict.numbers["rows"] == 300
    assert mine["mae"] == pytest.approx(np.abs(0.5 * np.random.default_rng(3).standard_normal(300)).mean(), rel=1e-3)
    assert mine["mse_v_share"] < 0.5
    assert 0 < mine["mse_v"] < (X @ WEIGHTS).var()
    assert mine["efficiency_gap"] < 1e-4
    assert set(verdict.numbers) == {"rows", "candidate"}


def test_an_equal_bundle_is_good_enough(production, tmp_path):
    again = made(tmp_path, created="2026-11-02T00:00:00Z")
    verdict = judge(again, production)
    assert verdict.accepted
    measured = verdict.numbers["on its own rows"]
    assert measured["candidate"] == measured["production"]
    assert "on production's rows" not in verdict.numbers  # they are the same rows
    assert [r for r in verdict.reasons if r.startswith("power error on its own held-out rows is no worse")]
    assert [r for r in verdict.reasons if r.startswith("explanation error on its own held-out rows is no worse")]


def test_a_better_predictor_is_accepted(production, tmp_path):
    worse = made(tmp_path, weights=(29.0, 8.0, 2.0))
    assert judge(production, worse).accepted


def test_worse_by_less_than_the_margin_is_noise(production, tmp_path):
    almost = made(tmp_path, bias=40.02)
    verdict = judge(almost, production)
    assert verdict.accepted
    measured = verdict.numbers["on its own rows"]
    assert measured["candidate"]["mae"] != measured["production"]["mae"]


def test_a_worse_predictor_is_refused_in_words(production, tmp_path):
    verdict = judge(made(tmp_path, weights=(20.0, 8.0, 2.0)), production)
    words = refused(verdict)
    assert words.startswith("power error on its own held-out rows is worse: 4.961 against 0.3965 W MAE")
    assert "(difference +4.6 +- 0.065)" in words
    assert "\n" not in words


def test_worse_than_the_mean_is_refused_even_with_nothing_in_production(tmp_path):
    verdict = judge(made(tmp_path, bias=90.0), None)
    assert refused(verdict).startswith("no better than always answering the mean: R2 -")


def test_a_worse_explanation_is_refused_though_the_prediction_is_equal(production, tmp_path):
    """The proposal points the wrong way, or ignores what is observed."""
    for gain in (-1.0, 0.0):
        verdict = judge(made(tmp_path / str(gain), gain=gain), production)
        refused(verdict)
        assert [r for r in verdict.reasons if r.startswith("explanation error on its own held-out rows is worse")]
        assert [r for r in verdict.reasons if r.startswith("power error on its own held-out rows is no worse")]


def test_an_explanation_worse_than_the_marginal_law_is_refused(tmp_path):
    verdict = judge(made(tmp_path, gain=-1.0), None)
    assert refused(verdict).startswith("explanation error is worse: 3.1")
    assert "against 1 of what the marginal law leaves" in verdict.reasons[0]


def test_what_production_can_a_candidate_must(production, tmp_path):
    plain = made(tmp_path, conditional=False)
    verdict = judge(plain, production)
    assert refused(verdict) == "production offers conditional attributions, the candidate does not"
    assert judge(plain, plain).accepted
    assert judge(production, plain).accepted  # to offer more is no fault
    alone = judge(plain, None)
    assert alone.accepted
    assert alone.numbers["candidate"]["mse_v"] is None


renamed = (*FEATURES[:2], replace(FEATURES[2], name="branches"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features": renamed}, "new branches; missing misses"),
        ({"features": (*FEATURES[:2], replace(FEATURES[2], unit="count"))}, "another unit for misses"),
        ({"features": FEATURES[::-1]}, "the same features in another order"),
        ({"target": Target("power", "J")}, "predicts power in J, not power in W"),
        ({"target": Target("draw", "W")}, "predicts draw in W, not power in W"),
    ],
    ids=["names", "units", "order", "target's unit", "target"],
)
def test_another_schema_is_refused_and_the_change_named(production, tmp_path, changes, words):
    verdict = judge(made(tmp_path, **changes), production)
    assert f"the inputs differ from production's: {words}" in verdict.reasons
    assert not verdict.accepted
    assert set(verdict.numbers) == {"rows", "candidate"}


def test_other_bounds_are_no_other_schema(production, tmp_path):
    wider = (replace(FEATURES[0], low=-9.0, seen_low=0.0, seen_high=1.0), *FEATURES[1:])
    assert judge(made(tmp_path, features=wider), production).accepted


@pytest.mark.parametrize("alone", [True, False])
def test_predictions_that_are_not_numbers_are_refused(production, tmp_path, alone):
    """Two or three of 300 held-out rows have no answer; the stored example has one."""
    blind = made(tmp_path, blind=-2.3)
    assert not judge(blind, None if alone else production).accepted


def test_a_reason_never_calls_what_is_no_number_good(production, tmp_path):
    verdict = judge(made(tmp_path, blind=-2.3), production)
    assert [r for r in verdict.reasons if "no worse" in r and "nan" in r] == []


@pytest.mark.parametrize("alone", [True, False])
def test_explanations_that_are_not_numbers_are_refused(production, tmp_path, alone):
    """Every held-out row has a prediction, but some completions of them have none."""
    lowest = ((rows(300, 2)[:, 0] - CENTRE[0]) / SPREAD[0]).min()
    verdict = judge(made(tmp_path, blind=lowest - 0.01), None if alone else production)
    assert np.isfinite(verdict.numbers["candidate"]["mae"])
    assert np.isnan(verdict.numbers["candidate"]["mse_v"])
    assert not verdict.accepted


def test_nobody_chooses_the_rows_that_make_him_look_good(production, tmp_path):
    """The candidate comes with rows on which its wrong weight is right: production's rows tell."""
    easy = made(tmp_path / "easy", bias=41.0, noise=30.0, rows_of=4)  # so noisy that 1 W too much drowns
    verdict = judge(easy, production)
    assert {"on its own rows", "on production's rows"} <= set(verdict.numbers)
    assert [r for r in verdict.reasons if r.startswith("power error on its own held-out rows is no worse")]
    assert refused(verdict).startswith("power error on production's held-out rows is worse: ")


def test_a_bundle_without_held_out_rows_cannot_be_judged(production, tmp_path):
    bare = made(tmp_path, holdout=False)
    for pair in ((bare, production), (bare, None), (production, bare)):
        with pytest.raises(BundleError, match="has no holdout"):
            judge(*pair)


def test_a_changed_file_is_not_judged(production, tmp_path):
    bundle = made(tmp_path)
    (Path(tmp_path) / "holdout.arrow").write_bytes(b"better rows")
    with pytest.raises(TamperedError):
        judge(bundle, production)


def test_the_verdict_repeats(production, tmp_path):
    other = made(tmp_path, weights=(29.5, 8.0, 2.0))
    assert judge(other, production) == judge(other, production)
