"""From a file of telemetry to a bundle that forecasts: its graphs against torch, and what it says of itself."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from ascribe.bundle.forecast import open_forecaster
from ascribe.bundle.npz import array
from ascribe.core.errors import InputError
from ascribe.core.forecast import origins, rows, window_of
from ascribe.train.families.traffic_seq2seq import fit_traffic_seq2seq
from ascribe.train.forecasting.bundle import Written, write_forecast
from ascribe.train.forecasting.fitted import FittedForecast
from ascribe.train.forecasting.options import NetworkOptions
from tests.train.forecasting.series import DAY, weekly

SMALL = NetworkOptions(patch=0, hidden=8, dense=8, every=7, epochs=1, refit=False)
HELD = {"x": np.zeros((1, 1)), "y": np.zeros((1, 1)), "origins": np.zeros((1, 2), int), "scale": np.ones(1)}


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    torch.set_num_threads(1)
    series = weekly(days=30)
    window = window_of(series, DAY + 2, 9)  # three patches, as each is traced by itself; the outer ones are cut
    fitted = fit_traffic_seq2seq(series, window, series.steps, options=replace(SMALL, attention="multi-head", heads=2))
    X = rows(series, window, origins(series, window, 0, series.steps, 11))
    bundle = write_forecast(fitted, series, window, Written(X, HELD), tmp_path_factory.mktemp("network"))
    return series, window, X.astype(np.float32), fitted, bundle


def graph(bundle, role):
    return onnxruntime.InferenceSession(bundle.read(role))


def test_predict_is_torch_for_any_number_of_rows(network):
    _, _, X, fitted, bundle = network
    session = graph(bundle, "predict")
    for count in (1, 2, len(X)):
        told, lower, upper = session.run(["forecast", "lower", "upper"], {"x": X[:count]})
        f, q = fitted.ask(X[:count])
        whole = np.stack([f.mean(axis=1), f.max(axis=1), f.sum(axis=1)], axis=1)
        for mine, wanted in ((told, np.concatenate([whole, f], axis=1)), (lower, q[..., 0]), (upper, q[..., -1])):
            assert np.abs(mine - wanted).max() <= 1e-5 * np.abs(wanted).max()


def test_gradient_is_a_difference_quotient(network):
    _, window, X, _, bundle = network
    x, weight = X[:2].astype(np.float64), np.zeros((2, 12), np.float32)
    weight[0, 0] = weight[1, 7] = 1  # the mean, and step 5
    value, slope = graph(bundle, "gradient").run(None, {"z": X[:2], "weight": weight})
    predict = graph(bundle, "predict")
    rng = np.random.default_rng(0)
    direction = np.zeros((2, *window.shape))
    direction[..., 0] = rng.normal(size=(2, window.context))
    direction = direction.reshape(2, -1)
    size = 3e-3 * np.abs(x[:, :1])
    ends = [predict.run(["forecast"], {"x": (x + s * size * direction).astype(np.float32)})[0] for s in (1, -1)]
    found = ((ends[0] - ends[1]) * weight).sum(axis=1) / (2 * size[:, 0])
    assert found == pytest.approx((slope * direction).sum(axis=1), rel=0.05)
    assert value == pytest.approx((predict.run(["forecast"], {"x": X[:2]})[0] * weight).sum(axis=1), rel=1e-4)


def test_attention_says_where_it_looks(network):
    _, window, X, fitted, bundle = network
    (weights,) = graph(bundle, "attention").run(["weights:days"], {"x": X[:4]})
    told = bundle.manifest.origin["attention"]["days"]
    assert weights.shape == (4, 2, len(told["query"]), len(told["key"]))
    assert weights.sum(axis=-1) == pytest.approx(1, abs=1e-5)
    with torch.no_grad():
        assert weights == pytest.approx(fitted.module.attended(torch.as_tensor(X[:4]))[2].numpy(), abs=1e-5)
    steps = np.array(told["key_steps"])
    assert steps[0, 0] == 0 and steps[-1, 1] == window.context and (steps[1:, 0] == steps[:-1, 1]).all()
    assert told["query"][0] == "+0 to +18h" and told["key"][-1] == "-1d to -0"


def test_no_path_of_this_machine_is_in_a_graph(network):
    bundle = network[-1]
    for role in ("predict", "gradient", "attention"):
        model = onnx.load_from_string(bundle.read(role))
        assert not any(node.doc_string or node.metadata_props for node in model.graph.node)


def test_it_opens_as_a_forecaster(network):
    series, window, X, fitted, bundle = network
    served = open_forecaster(bundle)
    f, lower, upper = served.forecast(X[:3])
    assert f == pytest.approx(fitted.ask(X[:3])[0], rel=1e-4) and (lower <= upper).all()
    assert served.window == window and served.curves.series == series.names and served.curves.unit == "Mb/s"
    assert np.array_equal(array(bundle, "background", "background")[:1], X[:1])


def test_what_has_no_graph_is_not_written(network, tmp_path):
    series, window, X, fitted, _ = network
    with pytest.raises(InputError, match="never served"):
        write_forecast(FittedForecast("trees", fitted.ask), series, window, Written(X, HELD), tmp_path)
