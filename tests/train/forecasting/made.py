"""Forecast bundles without training: a forecast that is a sum of past values is one product, written in a moment."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ascribe.bundle import archive, manifest
from ascribe.bundle.held_windows import held_arrays
from ascribe.bundle.networks import Graph
from ascribe.core.forecast import origins, rows, window_of
from ascribe.core.forecast.outputs import names
from ascribe.train.npz import npz
from tests.train.forecasting.series import DAY, weekly

UNTIL = 42 * DAY


def weights(window, shares):
    """(n, h): each step is the sum of share x the value so many days before (0: the last value)."""
    W = np.zeros((window.context, len(window.inputs), window.horizon))
    for days, share in shares.items():
        for t in range(window.horizon):
            W[window.context - days * window.day + t % window.day if days else -1, 0, t] += share
    return W.reshape(window.n, window.horizon).astype(np.float32)


def graph(W, band):
    """forecast (b, 3 + h), lower and upper (b, h) of x (b, n); bounds are shares of the forecast off it."""
    held = {"w": W, "less": np.float32([1 - band]), "more": np.float32([1 + band]), "axis": np.int64([1])}
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["f"]),
        helper.make_node("Mul", ["f", "less"], ["lower"]),
        helper.make_node("Mul", ["f", "more"], ["upper"]),
        *(helper.make_node(f"Reduce{op}", ["f", "axis"], [op], keepdims=1) for op in ("Mean", "Max", "Sum")),
        helper.make_node("Concat", ["Mean", "Max", "Sum", "f"], ["forecast"], axis=1),
    ]
    n, h = W.shape
    told = {"forecast": 3 + h, "lower": h, "upper": h}
    made = helper.make_graph(
        nodes, "sum", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", n])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", size]) for name, size in told.items()],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )  # fmt: skip
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=10).SerializeToString()


def bundle_of(
    folder, shares, series=None, until=UNTIL, band=0.15, context=7 * DAY, horizon=DAY, every=5, family="sum"
):  # fmt: skip
    """Written and opened; everything from `until` on is held out."""
    series = weekly() if series is None else series
    window = window_of(series, context, horizon)
    X = rows(series, window, origins(series, window, 0, until, 11))
    at = origins(series, window, until, series.steps, every)
    files = {
        "predict.onnx": graph(weights(window, shares), band),
        "background.npz": npz(background=X.astype(np.float32)),
        "backtest.npz": npz(**held_arrays(series, window, at, until)),
    }
    assert onnx.load_from_string(files["predict.onnx"]) is not None
    told = Graph(files["predict.onnx"], "made")(["forecast"], x=X.astype(np.float32))[0]
    made = manifest.Manifest(
        format=manifest.FORMAT, created="2026-11-26T00:00:00Z", family=family, features=[],
        target=manifest.Target("mean", series.unit), roles={file.split(".")[0]: file for file in files},
        files={file: archive.entry(raw) for file, raw in files.items()},
        base_value=float(told[:, 0].mean()), metrics={},
        lineage=manifest.Lineage("synthetic", "", "", 0, {}, {}),
        example={"x": X[0].tolist(), "prediction": told[0].tolist()}, scaling={},
        outputs=list(names(horizon)), spaces=["forecast"], layout=manifest.Layout("series", list(window.shape)),
        origin={"forecast": {
            "step_s": series.step_s, "day_steps": window.day, "inputs": list(window.inputs), "exogenous": [],
            "series": list(series.names), "zone": "UTC", "levels": [0.05, 0.95], "fill": "", "context": context,
            "horizon": horizon, "value": "value", "time": "time", "test_from_s": series.start_s + series.step_s * until,
        }},
    )  # fmt: skip
    archive.write(folder, made, files)
    return archive.open_directory(folder)
