"""Trees on lags: what they are asked, how many there are, and their graph against LightGBM."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from ascribe.bundle.archive import open_directory
from ascribe.bundle.forecast import open_forecaster
from ascribe.core.days import by_player
from ascribe.core.explainers import available, explain
from ascribe.core.forecast import origins, rows, window_of
from ascribe.core.options import Options
from ascribe.train.families.boosted_lags import BoostedOptions, _apart, _Grown, fit_boosted_lags
from ascribe.train.forecasting.bundle import Written, write_forecast
from ascribe.train.forecasting.lagged import Lagged
from ascribe.train.forecasting.past import Past
from ascribe.train.forecasting.windows import windows
from tests.train.forecasting.series import DAY, weekly

UNTIL = 42 * DAY
HELD = {"x": np.zeros((1, 1)), "y": np.zeros((1, 1)), "origins": np.zeros((1, 2), int), "scale": np.ones(1)}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    torch.set_num_threads(1)
    series = weekly()
    window = window_of(series, 7 * DAY, DAY)
    options = BoostedOptions(((8, 0.1), (4, 0.1)), 40, 40, windows=400, rows=4000)
    fitted = fit_boosted_lags(series, window, UNTIL, options=options)
    X = rows(series, window, origins(series, window, UNTIL, series.steps, 3)).astype(np.float32)
    place = tmp_path_factory.mktemp("boosted")
    write_forecast(fitted, series, window, Written(X, HELD), place)
    return series, window, X, fitted, open_directory(place)


def masked(X, window, seed=5):
    """Windows with steps that nobody measured, filled with the last value that was, and marked; others scaled."""
    rng = np.random.default_rng(seed)
    steps = X.reshape(-1, *window.shape).copy()
    steps[:, :, 0] *= np.exp(0.3 * rng.standard_normal(steps.shape[:2]))
    gone = rng.random(steps.shape[:2]) < 0.2
    steps[:, :, window.inputs.index("observed")][gone] = 0
    for k in range(1, window.context):
        steps[gone[:, k], k, 0] = steps[gone[:, k], k - 1, 0]
    return steps.reshape(len(X), -1)


@pytest.mark.parametrize("change", [lambda X, _: X, masked], ids=["as measured", "masked and noisy"])
def test_the_graph_is_lightgbm_for_any_number_of_rows(made, change):
    _, window, X, fitted, bundle = made
    X = change(X, window)
    session = onnxruntime.InferenceSession(bundle.read("predict"))
    f, q = fitted.ask(X)
    assert f.std() > 0
    whole = np.concatenate([np.stack([f.mean(axis=1), f.max(axis=1), f.sum(axis=1)], axis=1), f], axis=1)
    for count in (1, 2, len(X)):
        told = session.run(["forecast", "lower", "upper"], {"x": X[:count]})
        for mine, wanted in zip(told, (whole, q[..., 0], q[..., 1]), strict=True):
            assert mine == pytest.approx(wanted[:count], rel=2e-6)


def test_the_trees_stand_in_the_graph_and_no_path_does(made):
    _, _, _, fitted, bundle = made
    model = onnx.load_from_string(bundle.read("predict"))
    trees = [node for node in model.graph.node if node.op_type == "TreeEnsembleRegressor"]
    held = {a.name: a for a in trees[0].attribute}
    assert len(trees) == 1 and len(set(held["nodes_treeids"].ints)) == fitted.told["rounds"]
    assert not any(node.doc_string or node.metadata_props for node in model.graph.node)
    assert [one.name for one in model.graph.input] == ["x"] and sorted(bundle.manifest.roles) == [
        "background", "backtest", "predict",
    ]  # fmt: skip


def test_it_is_explained_by_days_without_a_slope(made):
    _, _, X, fitted, bundle = made
    served = open_forecaster(bundle)
    assert served.forecast(X[:2])[0] == pytest.approx(fitted.ask(X[:2])[0], rel=1e-5)
    model = served.model.choose("mean")
    names = set(available(model))
    assert "kernel_shap" in names and not names & {"integrated_gradients", "attention", "tree_shap"}
    told = by_player(explain(model, X[:2], "kernel_shap", Options(budget=256, baseline="calendar")))
    assert told.values.sum(axis=1) + told.base_value == pytest.approx(fitted.ask(X[:2])[0].mean(axis=1), rel=1e-4)
    assert any("value" in name and "day" in name for name in told.features)


def test_a_row_is_asked_what_the_page_says(made):
    _, window, X, _, _ = made
    with torch.no_grad():
        alone = [Lagged(Past(window))(torch.as_tensor(X[k : k + 1]))[0] for k in range(len(X))]
        assert torch.equal(torch.cat(alone), Lagged(Past(window))(torch.as_tensor(X))[0])
        Z, last, swing = (one.numpy() for one in Lagged(Past(window))(torch.as_tensor(X)))
    v = X.reshape(-1, *window.shape)[:, :, 0].astype(float)
    assert last == pytest.approx(v[:, -DAY:], rel=1e-6)
    moved = np.abs(v[:, DAY:] - v[:, :-DAY]).mean(axis=1) + 1e-3 * np.abs(v).mean(axis=1)
    assert swing[:, 0] == pytest.approx(moved, rel=1e-5)
    sized = (v - v.mean(axis=1, keepdims=True)) / moved[:, None]
    Z = Z.reshape(len(X), DAY, -1)
    for t in (0, 5, DAY - 1):
        days = sized[:, t::DAY]  # the context is whole days: step t lies at the same time
        assert Z[:, t, 0] == pytest.approx(t) and Z[:, t, 7:14] == pytest.approx(days, abs=1e-4)
        assert Z[:, t, 14] == pytest.approx(days.mean(axis=1), abs=1e-4)
        assert Z[:, t, 15] == pytest.approx(days[:, -1] - days.mean(axis=1), abs=1e-4)
    clock = np.arctan2(Z[:, :, 1], Z[:, :, 2])
    step = np.diff(np.unwrap(clock, axis=1), axis=1)
    assert step == pytest.approx(2 * np.pi / DAY, abs=1e-5)


def test_one_wild_block_does_not_settle_the_rounds():
    calm, wild = [1.0, 0.9, 0.8, 0.7, 0.75], [50.0, 49.0, 52.0, 53.0, 54.0]
    grown = _Grown([], np.array([calm, calm, wild]))
    assert np.array(grown.errors).mean(axis=0).argmin() == 1 and grown.best == 3
    assert _Grown([], np.array([[1.0, 1.1, 1.2]])).best == 1  # at least one tree


def test_trees_of_a_block_lie_a_horizon_away(made):
    series, window, *_ = made
    seen = windows(series, window, UNTIL, 400)
    for fit, held in seen.folds:
        kept = _apart(seen, window, fit, held)
        apart = np.abs(seen.at[kept, None, 0] - seen.at[held, 0])
        assert kept.any() and apart.min() >= 2 * window.horizon
        assert (fit & ~kept).any()


def test_growth_stops_where_blocks_stop_gaining():
    series = replace(weekly(), values=np.random.default_rng(0).lognormal(size=weekly().values.shape))
    window = window_of(series, 7 * DAY, DAY)
    options = BoostedOptions(((16, 0.3),), 150, 10, windows=300, rows=3000)
    told = fit_boosted_lags(series, window, UNTIL, options=options).told
    assert told["rounds"] < 140 and np.shape(told["error_of_blocks"]) == (4, 2)
