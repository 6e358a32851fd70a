"""A bundle that forecasts: opened as a forecaster, and refused where its words and graphs disagree."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest

import ascribe
from ascribe.bundle.archive import Bundle, open_directory
from ascribe.bundle.forecast import open_forecaster
from ascribe.core.errors import BundleError, InputError
from ascribe.core.forecast import rows, window_of
from ascribe.core.forecast.outputs import of_steps
from tests.forecasts import CONTEXT, HORIZON, forecast_bundle, series


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forecast") / "bundle"
    forecast_bundle(tmp_path_factory, folder)
    return folder


def windows() -> np.ndarray:
    held = series()
    return rows(held, window_of(held, CONTEXT, HORIZON), np.array([[400, 0], [600, 0], [601, 0]]))


def test_the_named_outputs_are_those_of_the_curve(place: Path):
    opened, model, X = open_forecaster(open_directory(place)), ascribe.open(str(place)), windows()
    forecast, lower, upper = opened.forecast(X)
    assert forecast.shape == (3, HORIZON) and (lower < forecast).all() and (forecast < upper).all()
    assert model.scores(X) == pytest.approx(of_steps(forecast), rel=1e-5)
    assert model.output("peak").predict(X) == pytest.approx(forecast.max(axis=1), rel=1e-6)
    assert model.output("step 3").predict(X) == pytest.approx(forecast[:, 2], rel=1e-6)
    assert model.output("total").unit == "Gb/s, summed over 12 steps" and model.unit == "Gb/s"
    for one, other in zip(model.forecast(X), (forecast, lower, upper), strict=True):
        assert (one == other).all()


def test_a_window_that_is_not_whole_is_not_answered(place: Path):
    opened, X = open_forecaster(open_directory(place)), windows()
    X[1, 5] = np.nan
    forecast, lower, _ = opened.forecast(X)
    assert np.isnan(forecast[1]).all() and np.isnan(lower[1]).all() and np.isfinite(forecast[[0, 2]]).all()
    with pytest.raises(InputError, match="a row of this model is series"):
        opened.forecast(X[:, :-1])


def test_the_slope_is_that_of_the_output(place: Path):
    """Central differences of the graph in double steps that float32 can see."""
    model = ascribe.open(str(place)).output("step 2").model
    x = windows()[:1]
    slope = model.gradient.slope(x, x)[1][0]
    for j in (0, 8, 376):
        step = np.zeros_like(x)
        step[0, j] = 0.02
        told = (model.predict(x + step) - model.predict(x - step))[0] / 0.04
        assert slope[j] == pytest.approx(told, abs=2e-2)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"context": 47}, "its rows are none"),
        ({"horizon": 11}, "does not name the outputs of 11 steps"),
        ({"inputs": ["observed"]}, "does not say what its windows are"),
        ({"step_s": None}, "does not say what its windows are"),
    ],
)
def test_words_that_do_not_fit_are_refused(place: Path, change: dict, why: str):
    bundle = open_directory(place)
    told = bundle.manifest.origin
    origin = {**told, "forecast": {**told["forecast"], **change}}
    if change.get("step_s", 0) is None:
        origin["forecast"] = {k: v for k, v in origin["forecast"].items() if k != "step_s"}
    broken = Bundle(msgspec.structs.replace(bundle.manifest, origin=origin), bundle.fetch, bundle.origin)
    with pytest.raises(BundleError, match=why):
        open_forecaster(broken)


def test_attention_outside_its_window_is_refused(place: Path):
    bundle = open_directory(place)
    told = bundle.manifest.origin
    hours = {**told["attention"]["hours"], "key_steps": [[k, k + 2] for k in range(CONTEXT)]}
    origin = {**told, "attention": {"hours": hours}}
    broken = Bundle(msgspec.structs.replace(bundle.manifest, origin=origin), bundle.fetch, bundle.origin)
    with pytest.raises(BundleError, match="looks outside its window of 48 steps"):
        open_forecaster(broken)
