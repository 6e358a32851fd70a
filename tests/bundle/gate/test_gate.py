"""The gate: what may go to production, and why not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from ascribe.bundle.archive import Bundle, entry, open_directory, write
from ascribe.bundle.gate import latency as gate_latency
from ascribe.bundle.gate import stability as gate_stability
from ascribe.bundle.gate.compare import Said
from ascribe.bundle.gate.stability import Stability
from ascribe.bundle.gate.verdict import Verdict, judge, judge_and_promote
from ascribe.bundle.holdout import answerable
from ascribe.bundle.manifest import Target
from ascribe.bundle.records import Judged
from ascribe.bundle.registry import Registry
from ascribe.bundle.runtime import load
from ascribe.bundle.store import open_store
from ascribe.bundle.verdicts import keep, verdicts
from ascribe.core.errors import BundleError, TamperedError
from ascribe.core.model import Model
from tests.journey import ascribe, typed

from ..made import BIAS, CENTRE, FEATURES, NAME, SPREAD, WEIGHTS, made, parts, rows

AT = [f"2026-11-0{day}T00:00:00Z" for day in range(1, 8)]


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
    assert set(verdict.numbers) == {"rows", "candidate", "stability"}
    assert verdict.numbers["stability"]["moved"] is None


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
    assert "(difference +4.6 +- 0.055 over 30 blocks)" in words
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


def test_a_production_that_gives_no_numbers_can_be_replaced_and_by_no_worse_a_one(production, tmp_path):
    """It is blind in a few rows: those are no reason against who sees there, and no excuse in the others."""
    blind = made(tmp_path / "blind", blind=-2.0)
    verdict = judge(production, blind)
    assert verdict.accepted
    text = " | ".join(verdict.reasons)
    assert "power error on its own held-out rows: production's is no number in 7 of 300 rows" in text
    assert "explanation error on its own held-out rows: production's is no number in 64 of 64 rows" in text
    assert verdict.numbers["on its own rows"]["mse_v_share_difference"]["blocks"] == 0
    refused(judge(blind, production))
    almost = judge(made(tmp_path / "worse", weights=(29.0, 8.0, 2.0)), blind)
    assert refused(almost).startswith("power error on its own held-out rows is worse")


def test_a_model_without_held_out_rows_is_judged_on_productions(tmp_path):
    """One that was trained elsewhere may bring none; whoever leaves them out is not spared the comparison."""

    def adopted(name, **changes):
        manifest, files = parts(conditional=False, **changes)
        write(tmp_path / name, msgspec.structs.replace(manifest, family="adopted", origin={"parity": 0.0}), files)
        return open_directory(tmp_path / name)

    champion, bare = adopted("champion"), adopted("bare", holdout=False)
    worse = adopted("worse", holdout=False, weights=(0.0, 0.0, 0.0), bias=-900.0)
    assert refused(judge(worse, champion)).startswith("power error on production's held-out rows is worse: 1026")
    verdict = judge(bare, champion)
    assert verdict.accepted
    assert [r for r in verdict.reasons if r.startswith("power error on production's held-out rows is no worse")]
    assert verdict.numbers["on production's rows"]["candidate"]["mae"] == pytest.approx(0.396, abs=0.01)
    assert judge(worse, bare).accepted  # nobody has rows: nobody knows
    other = adopted("other", holdout=False, target=Target("power", "kW"))
    assert refused(judge(other, champion)).startswith("the inputs differ from production's")


def test_held_out_rows_that_are_none_are_told_in_words(production, tmp_path):
    X, y = rows(300, 2), BIAS + rows(300, 2) @ WEIGHTS
    empty = made(tmp_path / "empty", rows_given=(X[:0], y[:0]))
    with pytest.raises(BundleError, match="holds no rows, so it cannot be judged"):
        judge(empty, production)
    other = made(tmp_path / "other", rows_given=(X, np.array(["a"] * 300)))
    with pytest.raises(BundleError, match=r"holdout of .* holds no such rows"):
        judge(other, production)
    manifest, files = parts()
    for raw in (b"junk", files["holdout.arrow"][:-9]):
        files["holdout.arrow"] = raw
        hashes = {name: entry(held) for name, held in files.items()}
        write(tmp_path / "torn", msgspec.structs.replace(manifest, files=hashes), files)
        with pytest.raises(BundleError, match=r"holdout of .* holds no such rows") as caught:
            judge(open_directory(tmp_path / "torn"), production)
        assert "\n" not in str(caught.value)


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
    assert set(verdict.numbers) - {"stability"} == {"rows", "candidate"}


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


def test_the_verdict_repeats_but_for_what_a_clock_says(production, tmp_path):
    other = made(tmp_path, weights=(29.5, 8.0, 2.0))
    one, two = judge(other, production), judge(other, production)
    assert one.numbers.pop("latency").keys() == two.numbers.pop("latency").keys() == {"accurate", "exact"}
    assert one.numbers == two.numbers
    assert [r for r in one.reasons if "tier" not in r] == [r for r in two.reasons if "tier" not in r]


# rows close in time


def test_a_lasting_difference_in_few_blocks_does_not_refuse(production, tmp_path):
    """The candidate is worse by chance in some runs of the held-out rows; over rows alone it would be beyond chance."""
    X, rng = rows(300, 2), np.random.default_rng(17)
    wander = 3.0 * np.repeat(rng.standard_normal(30), 10)
    champion, candidate = measured_with(tmp_path, X, wander)
    miss = np.abs(wander - 0.55) - np.abs(wander)
    assert miss.mean() > 2 * miss.std(ddof=1) / np.sqrt(300)  # beyond chance by rows
    assert miss.mean() > 0.01 * np.abs(wander).mean()  # and beyond the margin
    verdict = judge(candidate, champion)
    assert [r for r in verdict.reasons if r.startswith("power error on its own held-out rows is no worse")]


def measured_with(place: Path, X: np.ndarray, error: np.ndarray) -> tuple[Bundle, Bundle]:
    """Champion and candidate on the same rows, whose errors last; the candidate is 0.55 W lower throughout."""
    y = BIAS + X @ WEIGHTS + error
    return made(place / "champion", rows_given=(X, y)), made(place / "candidate", rows_given=(X, y), bias=BIAS + 0.55)


# explanations that move


def test_how_far_attributions_move_is_measured_beside_predictions(production, tmp_path):
    """f is the same; the law of hidden features is another one, so that credit goes elsewhere."""
    verdict = judge(made(tmp_path, gain=-1.0), production)
    found = verdict.numbers["stability"]
    assert found["explained"] < 0.01
    assert found["moved"] > found["own"]
    assert [r for r in verdict.reasons if r.startswith("attributions moved")]


def test_attributions_that_follow_the_predictions_are_not_refused(production, tmp_path):
    """A candidate that knows better is not held to the explanation of what was wrong."""
    worse = made(tmp_path, weights=(-60.0, 8.0, 2.0), bias=BIAS + 45)
    verdict = judge(production, worse)
    assert verdict.accepted, verdict.reasons
    assert verdict.numbers["stability"]["moved"] > 0.5
    assert verdict.numbers["stability"]["explained"] > 0.5


@pytest.mark.parametrize(
    ("found", "holds"),
    [
        (Stability(0.02, 0.1, 0.05, 0.95), True),
        (Stability(0.02, 0.9, 0.05, -0.2), False),
        (Stability(0.02, 0.9, 0.60, -0.2), True),  # the predictions explain it
        (Stability(0.45, 0.9, 0.05, -0.2), True),  # its own noise does
        (Stability(0.02, 0.9, 0.05, 0.9), True),  # the order is the same
        (Stability(0.60, 0.6, 0.05, 0.9), False),  # noise from seed to seed
        (Stability(0.60), False),
        (Stability(0.10), True),
        (Stability(float("nan"), float("nan"), 0.1, 0.9), False),
    ],
)
def test_what_moves_too_far(found, holds):
    said = Said()
    gate_stability.told(found, said)
    assert (not said.bad) is holds


# tiers


def test_a_slower_tier_is_refused(production, tmp_path, monkeypatch):
    """Production's own graphs, by a clock that moves where the model is called: 1 ms, or 4 of the candidate's."""
    X, model = answerable(production), load(production)
    clock = SimpleNamespace(now=7.0, perf_counter=lambda: clock.now)
    monkeypatch.setattr(gate_latency, "time", clock)
    monkeypatch.setattr(gate_latency, "ENOUGH_S", 0.01)
    monkeypatch.setattr(gate_latency, "MAY_TAKE_MS", {"accurate": 0.01, "exact": 0.01})

    def taking(ms: float) -> Model:
        def predict(rows: np.ndarray) -> np.ndarray:
            clock.now += ms / 1e3
            return model.predict(rows)

        return replace(model, predict=predict)

    quick, slow = taking(1), taking(4)
    found = gate_latency.paces(slow, quick, X)
    said = Said()
    gate_latency.told(found, said)
    assert set(found) == {"accurate", "exact"}
    assert all(pace.slower() for pace in found.values())
    assert said.good == []
    assert said.bad[0].startswith("tier accurate is slower by more than 3 times: ")
    assert not any(pace.slower() for pace in gate_latency.paces(quick, slow, X).values())
    assert not any(pace.slower() for pace in gate_latency.paces(taking(2), quick, X).values())


def test_a_few_long_calls_do_not_make_a_tier_slow():
    assert not gate_latency.Pace(16, 10.0, 3.0, 3.1, 3.0).slower()
    assert gate_latency.Pace(16, 10.0, 3.0, 9.9, 3.0).slower()


def test_a_tier_that_takes_seconds_is_asked_once(production, monkeypatch):
    monkeypatch.setattr(gate_latency, "TOO_LONG_MS", 0.0)
    found = gate_latency.paces(load(production), load(production), answerable(production))
    assert {pace.rows for pace in found.values()} == {1}
    assert all(pace.candidate_ms == pace.candidate_least_ms for pace in found.values())


def test_what_a_tier_may_take_is_no_fault_however_quick_production_is():
    found, said = {"balanced": gate_latency.Pace(16, 142.0, 12.4, 140.0, 12.0)}, Said()
    gate_latency.told(found, said)
    assert said.good == ["tier balanced is fast enough: 142 ms for 16 rows, 12.4 now"]
    gate_latency.told({"fast": found["balanced"]}, said)
    assert said.bad == ["tier fast is slower by more than 3 times: 142 ms for 16 rows, 12.4 now"]


def test_a_tier_and_a_capability_that_production_has_must_stay(production, tmp_path):
    more = made(tmp_path, amortized=True, surrogate=True)
    verdict = judge(production, more)
    assert verdict.reasons[0] == "production offers one-pass attributions, the candidate does not"
    assert "production offers surrogate, the candidate does not" in verdict.reasons
    assert "production has a tier 'fast', the candidate does not" in verdict.reasons
    assert judge(more, production).accepted


# what learnt nothing


def test_a_candidate_trained_on_shuffled_targets_is_refused_with_reasons(production, tmp_path):
    """Its predictions are noise about the mean, and the rows that it brings are as shuffled as those it learnt from."""
    X = rows(300, 2)
    y = BIAS + X @ WEIGHTS + 0.5 * np.random.default_rng(3).standard_normal(300)
    shuffled = np.random.default_rng(9).permutation(y)
    noise = made(tmp_path, weights=(0.3, -0.2, 0.1), bias=float(y.mean()), rows_given=(X, shuffled))
    verdict = judge(noise, production)
    assert not verdict.accepted
    assert verdict.reasons[0].startswith("no better than always answering the mean: R2 -0.0")
    assert [r for r in verdict.reasons if r.startswith("power error on production's held-out rows is worse")]
    assert not judge(noise, None).accepted


# what is kept of it


def test_the_verdict_is_kept_with_the_version_accepted_or_refused(tmp_path):
    registry = Registry(str(tmp_path / "registry"))
    good, bad = made(tmp_path / "good"), made(tmp_path / "bad", weights=(20.0, 8.0, 2.0), created=AT[1])
    one, two = registry.publish(NAME, good), registry.publish(NAME, bad)
    assert judge_and_promote(registry, NAME, one, AT[2]).accepted
    assert not judge_and_promote(registry, NAME, two, AT[3]).accepted
    assert registry.channel(NAME).current.version == one
    first, second = verdicts(registry.store, NAME, one)[0], verdicts(registry.store, NAME, two)[0]
    assert (first.accepted, first.against, first.at) == (True, "", AT[2])
    assert (second.accepted, second.against, second.forced) == (False, one, False)
    assert second.reasons[0].startswith("power error on its own held-out rows is worse")
    assert second.numbers["on its own rows"]["candidate"]["mae"] == pytest.approx(4.961, rel=1e-3)
    assert {"power_difference", "mse_v_share_difference"} <= set(second.numbers["on its own rows"])
    assert {"stability", "latency", "candidate", "rows"} <= set(second.numbers)


def test_force_promotes_what_was_refused_and_says_so_for_ever(tmp_path):
    uri = str(tmp_path / "registry")
    registry = Registry(uri)
    bad = registry.publish(NAME, made(tmp_path / "bad", bias=90.0))
    place = ("promote", NAME, bad, "--registry", uri)
    refused_ = typed(*place)
    assert refused_.returncode == 3
    assert "refused: production of node-power stays as it is" in refused_.stderr
    forced = typed(*place, "--force")
    assert forced.returncode == 0, forced.stderr
    assert "forced though the gate refused" in forced.stderr
    event = registry.channel(NAME).current
    assert event.version == bad
    assert event.reasons[0] == "forced, though the gate refused"
    assert event.reasons[1].startswith("no better than always answering the mean")
    assert [(v.accepted, v.forced) for v in verdicts(registry.store, NAME, bad)] == [(False, False), (False, True)]
    told = ascribe("registry", "verdicts", NAME, bad, "--registry", uri).stdout
    assert "production  refused, forced  against nothing" in told
    assert '"mse_v_share"' in told
    history = typed("history", NAME, "--registry", uri).stdout
    assert [line.split()[1] for line in history.splitlines() if line.startswith("20")] == [
        "promote",
        "refused",
        "forced",
    ]


def test_verdicts_of_one_second_do_not_meet(tmp_path):
    store = open_store(str(tmp_path))
    for k in range(3):
        keep(store, NAME, Judged("v", "", "production", AT[0], False, False, [str(k)]))
    assert sorted(v.reasons[0] for v in verdicts(store, NAME, "v")) == ["0", "1", "2"]
    assert verdicts(store, NAME, "w") == []
