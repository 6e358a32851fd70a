"""A fitted regression through ONNX Runtime says what it says in torch, whatever the batch."""

import numpy as np
import onnxruntime
import pytest
import torch

from ascribe.core.forecast import origins, rows, window_of
from ascribe.train.families.ridge_lags import RidgeOptions, fit_ridge_lags
from ascribe.train.graphs.export import to_onnx
from tests.train.forecasting.series import DAY, weekly


def test_the_graph_agrees_with_torch():
    series = weekly()
    window = window_of(series, 7 * DAY, DAY)
    options = RidgeOptions(windows=300, units=("level",), alphas=(1e-3,), rounds=1)
    fitted = fit_ridge_lags(series, window, 42 * DAY, options=options)
    X = rows(series, window, origins(series, window, 42 * DAY, series.steps, 3)).astype(np.float32)
    raw = to_onnx(fitted.module, {"x": torch.as_tensor(X[:3])}, ["f", "q"])
    session = onnxruntime.InferenceSession(raw, providers=["CPUExecutionProvider"])
    f, q = fitted.ask(X)
    for part in (slice(0, 1), slice(None)):
        told = session.run(["f", "q"], {"x": X[part]})
        assert told[0] == pytest.approx(f[part], rel=1e-5)
        assert told[1] == pytest.approx(q[part], rel=1e-5)
