"""Forecasts on both doors of a real server: samples or names in, curves, attention and shares out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import numpy as np
import pytest

from ascribe.bundle.forecast import Forecaster, open_forecaster
from ascribe.bundle.registry import Registry
from ascribe.bundle.state import State, beside
from ascribe.client import Client
from ascribe.core.days import by_player
from ascribe.core.errors import CapabilityError, InputError, NotFound
from ascribe.core.explainers import explain
from ascribe.core.forecast import origins, rows
from ascribe.core.forecast.context import latest_plain
from ascribe.core.options import Options
from ascribe.serve.app import running
from ascribe.serve.faults import TooLargeError
from ascribe.serve.settings import Settings
from ascribe.train.families.boosted_lags import BoostedOptions, fit_boosted_lags
from ascribe.train.forecasting.bundle import Written, write_forecast
from tests.forecasts import CONTEXT, HORIZON, STEP_S, forecast_bundle, series

from .. import tiny

AT = "2026-11-01T00:00:00+00:00"
HELD = series(20, ("north", "south"))


@dataclass
class Served:
    rest: Client
    rpc: Client
    http: httpx.Client
    opened: Forecaster
    log: list[bytes]

    @property
    def doors(self) -> tuple[Client, Client]:
        return self.rest, self.rpc


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    place = tmp_path_factory.mktemp("forecasts")
    bundle = forecast_bundle(tmp_path_factory, place / "bundle", HELD)
    registry = Registry(str(place / "registry"))
    registry.promote("traffic", registry.publish("traffic", bundle), AT)
    lake = str(place / "lake")
    for j, name in enumerate(HELD.names):
        State(beside(lake)).put({**latest_plain(HELD, j, CONTEXT), "zone": "UTC"}, "series", name)
    log: list[bytes] = []
    settings = Settings(max_rows=8, lake=lake)
    with (
        running(str(place / "registry"), "traffic", settings, write=log.append) as at,
        Client(at.http) as rest, Client(f"grpc://{at.grpc}") as rpc, httpx.Client(base_url=at.http) as http,
    ):  # fmt: skip
        yield Served(rest, rpc, http, open_forecaster(bundle), log)


def sent(j: int = 0, steps: int = 80, **more: object) -> dict[str, object]:
    """The newest samples of a series."""
    held = {"name": HELD.names[j], "epoch_s": HELD.time_s[-steps:].tolist(), "values": HELD.values[-steps:, j].tolist()}
    return held | more


def newest() -> np.ndarray:
    at = np.array([[HELD.steps, 0], [HELD.steps, 1]])
    return rows(HELD, served_window(), at)


def served_window():
    from ascribe.core.forecast import window_of

    return window_of(HELD, CONTEXT, HORIZON)


def test_both_doors_give_the_curves_of_the_bundle_bit_for_bit(served: Served):
    wished = {"attention": True, "attribution": {"output": "peak", "method": "kernel_shap", "budget": 64, "samples": 8}}
    one = served.rest.forecast([sent(), sent(1)], request_id="a", **wished)
    two = served.rpc.forecast([sent(), sent(1)], request_id="a", **wished)
    one.timings_ms, two.timings_ms = {}, {}
    assert one == two
    told = served.opened.forecast(newest())
    for k, forecast in enumerate(one.forecasts):
        assert forecast.status == "ok" and forecast.name == HELD.names[k] and not forecast.filled
        assert np.array([forecast.forecast, forecast.lower, forecast.upper]) == pytest.approx(
            np.array([part[k] for part in told]), rel=1e-6
        )
        assert forecast.epoch_s == [int(HELD.time_s[-1]) + STEP_S * (k + 1) for k in range(HORIZON)]
        assert forecast.times[0] == "2026-01-21T00:00:00Z"
    assert one.unit == "Gb/s" and one.levels == [0.05, 0.95] and one.step_s == STEP_S


def test_attention_and_shares_are_those_of_the_bundle(served: Served):
    model, X = served.opened.model.choose("peak"), newest()
    wish = {"output": "peak", "method": "kernel_shap", "budget": 64}
    answer = served.rest.forecast([sent(), sent(1)], attention=True, attribution=wish)
    told = by_player(explain(model, X, "kernel_shap", Options(budget=64, baseline="calendar")))
    weights = model.attention.weights(X)[0].mean(axis=1)  # type: ignore[union-attr]
    for k, forecast in enumerate(answer.forecasts):
        found = forecast.attribution
        assert found is not None and found.game == "calendar" and found.output == "peak" and found.additive
        assert list(found.shares) == list(told.features)
        assert list(found.shares.values()) == pytest.approx(told.values[k], abs=1e-5)
        assert sum(found.shares.values()) + (found.base_value or 0) == pytest.approx(found.prediction, abs=1e-4)
        (seen,) = forecast.attention
        assert seen.query[0] == "hour 1" and len(seen.key) == CONTEXT
        assert np.array(seen.weights).reshape(HORIZON, CONTEXT) == pytest.approx(weights[k], abs=1e-6)


def test_by_name_is_what_the_lake_knows(served: Served):
    for door in served.doors:
        by_name, by_samples = door.forecast(["north", sent()]).forecasts
        assert by_name.forecast == by_samples.forecast and by_name.epoch_s == by_samples.epoch_s
        (gone,) = [f for f in door.forecast(["north", "west"]).forecasts if f.status == "invalid"]
        assert gone.name == "west" and gone.reason == "nothing was heard of series 'west': send its samples"


BAD = {
    "wrong step": (
        {"epoch_s": [STEP_S / 12 * k for k in range(80)]},
        "its samples come every 5min, this model reads one every 1h",
    ),
    "future": ({"epoch_s": [4e9 + STEP_S * k for k in range(80)]}, "lie in the future"),
    "past": ({"epoch_s": [-7e10 + STEP_S * k for k in range(80)]}, "80 of 80 times lie before the year 1"),
    "short": (
        {"epoch_s": [STEP_S * k for k in range(9)], "values": [1.0] * 9},
        "9 steps before the forecast, 48 are the context",
    ),
    "dead": ({"values": [None] * 80}, "of its context"),
    "lengths": ({"values": [1.0] * 79}, "send one value for each time"),
    "no zone": ({"epoch_s": [], "times": ["2026-01-01T00:00:00"] * 80}, "does not say its zone"),
    "no time": ({"epoch_s": [], "times": ["noon"] * 80}, "is no time: write 2026-01-31T12:00:00Z"),
    "both": ({"times": ["2026-01-01T00:00:00Z"] * 80}, "give times or epoch_s, not both"),
    "gap": ({"values": [1.0] * 40 + [None] * 30 + [1.0] * 10}, "of its context"),
}


@pytest.mark.parametrize("name", sorted(BAD))
def test_one_bad_series_never_fails_the_others(served: Served, name: str):
    more, why = BAD[name]
    for door in served.doors:
        bad, good = door.forecast([sent(1, name="bad", **more), sent()]).forecasts  # type: ignore[arg-type]
        assert (bad.name, bad.status, bad.forecast) == ("bad", "invalid", []) and why in bad.reason
        assert good.status == "ok" and len(good.forecast) == HORIZON
        with pytest.raises(InputError, match="the only series cannot be answered"):
            door.forecast(sent(1, name="bad", **more))  # type: ignore[arg-type]


def test_gaps_are_filled_and_counted_and_a_constant_is_doubted(served: Served):
    values = list(sent()["values"])  # type: ignore[call-overload]
    values[-20] = None
    for door in served.doors:
        filled, flat = door.forecast([sent(values=values), sent(values=[3.0] * 80)]).forecasts
        assert filled.status == "ok" and filled.filled == 1
        assert flat.status in ("out_of_domain", "invalid") and flat.reason


def test_times_with_an_offset_are_the_same_moments(served: Served):
    from datetime import UTC, datetime, timedelta, timezone

    zone = timezone(timedelta(hours=5, minutes=30))
    times = [datetime.fromtimestamp(at, UTC).astimezone(zone) for at in sent()["epoch_s"]]  # type: ignore[attr-defined]
    for door in served.doors:
        a, b = door.forecast([{"name": "x", "times": times, "values": sent()["values"]}, sent()]).forecasts
        assert a.forecast == b.forecast and a.epoch_s == b.epoch_s


def test_without_intervals_and_by_other_methods(served: Served):
    for door in served.doors:
        bare = door.forecast(sent(), intervals=False).forecasts[0]
        assert bare.forecast and not bare.lower and not bare.upper
        usual = door.forecast(sent(), attribution="total").forecasts[0].attribution
        assert usual is not None and usual.method == "integrated_gradients"
        assert usual.unit == "Gb/s, summed over 12 steps" and usual.game == "baseline"
        looked = door.forecast(sent(), attribution={"method": "attention"}).forecasts[0].attribution
        assert looked is not None and not looked.additive and sum(looked.shares.values()) == pytest.approx(1)


def test_what_cannot_be_asked_is_said(served: Served):
    for door in served.doors:
        with pytest.raises(NotFound, match="no output 'median'"):
            door.forecast(sent(), attribution="median")
        with pytest.raises(CapabilityError, match="'tree_shap' cannot be asked of this model: use kernel_shap"):
            door.forecast(sent(), attribution={"method": "tree_shap"})
        with pytest.raises(TooLargeError, match="9 series, the limit of this server is 8"):
            door.forecast([sent()] * 9)
        with pytest.raises(InputError, match="series is empty"):
            door.forecast([])
        with pytest.raises(NotFound):
            door.forecast(sent(), model="nobody")
        with pytest.raises(TooLargeError, match="would ask the model"):
            door.forecast(sent(), attribution={"method": "kernel_shap", "budget": 4096})
    with pytest.raises(InputError, match="a series is a name, or a mapping of"):
        served.rest.forecast({"samples": [1]})


def test_a_model_that_does_not_forecast_says_so(tmp_path: Path):
    registry, _ = tiny.publish(tmp_path)
    with running(registry, tiny.NAME, Settings(), write=lambda _: None) as at:
        for url in (at.http, f"grpc://{at.grpc}"):
            with Client(url) as door, pytest.raises(CapabilityError, match="does not forecast: ask /v1/predictions"):
                door.forecast(sent())


def test_trees_are_served_and_explained_by_days(tmp_path: Path):
    window = served_window()
    options = BoostedOptions(((8, 0.1),), 20, 20, windows=200, rows=2000)
    fitted = fit_boosted_lags(HELD, window, HELD.steps, options=options)
    X = rows(HELD, window, origins(HELD, window, CONTEXT, HELD.steps, 7))
    nothing = {"x": X[:1], "y": np.zeros((1, HORIZON)), "origins": np.zeros((1, 2), int), "scale": np.ones(2)}
    bundle = write_forecast(fitted, HELD, window, Written(X, nothing), tmp_path / "bundle")
    registry = Registry(str(tmp_path / "registry"))
    registry.promote("trees", registry.publish("trees", bundle), AT)
    f, q = fitted.ask(newest())
    with running(str(tmp_path / "registry"), "trees", Settings(max_rows=8), write=lambda _: None) as at:
        for url in (at.http, f"grpc://{at.grpc}"):
            with Client(url) as door:
                told = door.forecast([sent(), sent(1)], attribution="mean").forecasts
                with pytest.raises(CapabilityError, match="'integrated_gradients' cannot be asked of this model"):
                    door.forecast(sent(), attribution={"method": "integrated_gradients"})
            for k, one in enumerate(told):
                curves = np.array([one.forecast, one.lower, one.upper])
                assert curves == pytest.approx(np.array([f[k], q[k, :, 0], q[k, :, 1]]), rel=1e-5)
                found = one.attribution
                assert found is not None and found.method == "kernel_shap" and found.additive
                assert sum(found.shares.values()) + (found.base_value or 0) == pytest.approx(f[k].mean(), abs=1e-4)
                assert sum("day" in name for name in found.shares) >= 2


def test_raw_bodies_the_document_and_the_log(served: Served):
    assert served.rpc.forecast(sent()).forecasts[0].status == "ok"
    said = served.http.post("/v1/forecasts", json={"series": sent(), "attention": True})
    assert said.status_code == 200 and said.json()["forecasts"][0]["attention"][0]["layer"] == "hours"
    odd = served.http.post("/v1/forecasts", json={"series": [sent(), 7, {"nme": "x"}]}).json()["forecasts"]
    assert [one["status"] for one in odd] == ["ok", "invalid", "invalid"]
    assert "contains unknown field `nme`" in odd[2]["reason"]
    refused = served.http.post("/v1/forecasts", json={"series": [{"nme": "x"}]}).json()
    assert refused["code"] == "invalid_input" and refused["errors"][0]["field"] == "series[0]"
    assert served.http.post("/v1/forecasts", content=b"{").status_code == 400
    document = served.http.get("/openapi.json").json()
    assert document["paths"]["/v1/forecasts"]["post"]["summary"] == "Curves of series with bounds, explained"
    assert {"ForecastBody", "ForecastResponse", "ForecastSeries"} <= set(document["components"]["schemas"])
    card = served.rest.card()
    assert card.layout == "series" and "curves" in card.offers and card.forecast is not None
    assert (card.forecast.context, card.forecast.horizon, card.forecast.step_s) == (CONTEXT, HORIZON, STEP_S)
    lines = [msgspec.json.decode(line) for line in served.log]
    mine = [line for line in lines if line.get("verb") == "forecast" and line["code"] == "ok"]
    assert {line["transport"] for line in mine} == {"http", "grpc"}
    assert all(line["model"] == "traffic" and line["rows"] for line in mine)
    asks = 'attribution_requests_total{code="ok",method="forecast",model="traffic",tier="",transport='
    counted = served.http.get("/metrics").text
    assert f'{asks}"http"' in counted and f'{asks}"grpc"' in counted
