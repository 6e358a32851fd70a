"""The gate on forecasts: what may go to production, and why not."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from ascribe.bundle.forecast import open_forecaster
from ascribe.bundle.gate import forecast as gate_forecast
from ascribe.bundle.gate.verdict import judge, judge_and_promote
from ascribe.bundle.held_windows import held_arrays, held_windows
from ascribe.bundle.latency import timed
from ascribe.bundle.registry import Registry
from ascribe.core.errors import BundleError
from ascribe.core.forecast import origins, window_of
from tests.train.forecasting.made import UNTIL, bundle_of, weights
from tests.train.forecasting.series import DAY, weekly

GOOD = {1: 0.4, 7: 0.6}


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    place = tmp_path_factory.mktemp("forecasts")
    told = {
        "good": (GOOD, 0.15), "yesterday": ({1: 1.0}, 0.25), "persistence": ({0: 1.0}, 0.5),
        "off": ({1: 0.43, 7: 0.64}, 0.2), "narrow": (GOOD, 0.05), "wide": (GOOD, 0.9),
    }  # fmt: skip
    return {name: bundle_of(place / name, *given[:1], band=given[1]) for name, given in told.items()}


def test_a_good_forecast_is_accepted_and_its_numbers_are_those_of_a_loop(bundles):
    verdict = judge(bundles["good"], None)
    assert verdict.accepted, verdict.reasons
    held = held_windows(bundles["good"])
    f, low, high = open_forecaster(bundles["good"]).forecast(held.x)
    missed, scaled, inside = [], [], []
    for i in range(len(held.x)):
        for t in range(DAY):
            if held.y[i, t] == held.y[i, t]:
                missed.append(abs(held.y[i, t] - f[i, t]))
                scaled.append(missed[-1] / held.scale[i])
                inside.append(low[i, t] <= held.y[i, t] <= high[i, t])
    n = verdict.numbers["candidate"]
    assert (n["mae"], n["mase"], n["coverage"]) == pytest.approx(
        [np.mean(v) for v in (missed, scaled, inside)], rel=1e-9
    )
    text = " | ".join(verdict.reasons)
    assert "over 32 origins of 2 series" in text
    assert "no worse than the last value, the same time yesterday, the same time last week" in text
    assert "targets lie in the 90 % interval" in text


def test_plain_forecasts_are_taken_from_the_windows(bundles):
    held = held_windows(bundles["good"])
    plain = gate_forecast.plain_forecasts(open_forecaster(bundles["good"]).window, held.x)
    f = open_forecaster(bundles["yesterday"]).forecast(held.x)[0]
    assert plain["the same time yesterday"] == pytest.approx(f, rel=1e-5)
    series = weekly()
    at = held.moment[:, None] + np.arange(DAY)
    wanted = series.values[at - 7 * DAY, held.series[:, None]]
    assert plain["the same time last week"] == pytest.approx(wanted, rel=1e-5)


def test_what_repeats_the_past_may_serve_where_nothing_plain_is_better(bundles):
    verdict = judge(bundles["persistence"], None)
    assert not verdict.accepted
    assert verdict.reasons[0].startswith("worse than the same time yesterday: ")
    told = judge(bundles["yesterday"], None).reasons
    assert not any("worse than the same time yesterday:" in reason for reason in told)


@pytest.mark.parametrize("name", ["narrow", "wide"])
def test_an_interval_must_mean_what_it_says(bundles, name):
    verdict = judge(bundles[name], None)
    assert not verdict.accepted
    assert "% of targets lie in the 90 % interval: 80 to 97 % must" in verdict.reasons[0]


def test_against_production(bundles):
    better = judge(bundles["good"], bundles["yesterday"])
    assert better.accepted, better.reasons
    assert any("forecast error on its own held-out origins is no worse" in reason for reason in better.reasons)
    worse = judge(bundles["off"], bundles["good"])
    assert not worse.accepted
    assert any(reason.startswith("forecast error on its own held-out origins is worse: ") for reason in worse.reasons)
    assert worse.numbers["on its own rows"]["production"]["mase"] < worse.numbers["candidate"]["mase"]
    assert judge(bundles["good"], bundles["good"]).accepted


def test_productions_own_windows_are_asked_too(bundles, tmp_path):
    other = bundle_of(tmp_path / "later", GOOD, series=weekly(days=60), until=46 * DAY)
    verdict = judge(other, bundles["good"])
    assert {"on its own rows", "on production's rows"} <= set(verdict.numbers)
    found = verdict.numbers["on production's rows"]
    assert found["candidate"] == pytest.approx(found["production"])


def test_other_windows_cannot_be_compared(bundles, tmp_path):
    verdict = judge(bundle_of(tmp_path / "other", GOOD, context=8 * DAY), bundles["good"])
    assert not verdict.accepted
    assert verdict.reasons[0] == "production cannot be asked the same windows: context is 96, not 84"


def test_without_held_out_windows_it_is_refused(bundles):
    bare = bundles["good"]
    roles = {role: file for role, file in bare.manifest.roles.items() if role != "backtest"}
    with pytest.raises(BundleError, match="holds no windows to judge a forecast on"):
        judge(replace(bare, manifest=msgspec.structs.replace(bare.manifest, roles=roles)), None)


def test_a_window_without_a_forecast_is_never_good(bundles, tmp_path):
    series = weekly()
    window = window_of(series, 7 * DAY, DAY)
    assert np.isfinite(weights(window, GOOD)).all()
    broken = bundle_of(tmp_path / "broken", GOOD)
    held = held_windows(broken)
    held.x[3, 0] = np.nan
    told = gate_forecast._told(open_forecaster(broken), held)
    assert np.isnan(told.error).sum() == 1


def test_published_promoted_replaced_and_kept(bundles, tmp_path):
    registry = Registry(str(tmp_path / "registry"))
    versions = {}
    for name in ("yesterday", "good", "off"):
        versions[name] = registry.publish("traffic", timed(Path(bundles[name].origin)))
    first = judge_and_promote(registry, "traffic", versions["good"], "2026-11-26T00:00:00Z")
    assert first.accepted, first.reasons
    second = judge_and_promote(registry, "traffic", versions["off"], "2026-11-26T01:00:00Z")
    assert not second.accepted
    assert registry.channel("traffic").current.version == versions["good"]
    assert registry.resolve("traffic").manifest.version() == versions["good"]


def test_many_windows_are_thinned_by_moment_and_every_series_stays(monkeypatch):
    from ascribe.bundle import held_windows as room

    series = weekly()
    window = window_of(series, 7 * DAY, DAY)
    at = origins(series, window, UNTIL, series.steps, 1)
    monkeypatch.setattr(room, "MOST_NUMBERS", 40 * window.n)
    held = held_arrays(series, window, at, UNTIL)
    assert 30 <= len(held["x"]) <= 40
    assert set(np.bincount(np.unique(held["origins"][:, 0], return_inverse=True)[1])) == {2}
    by_hand = np.abs(series.values[DAY:UNTIL] - series.values[: UNTIL - DAY])
    both = series.observed[DAY:UNTIL] & series.observed[: UNTIL - DAY]
    for j in range(2):
        assert held["scale"][j] == pytest.approx(by_hand[both[:, j], j].mean())
