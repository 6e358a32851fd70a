"""A network fitted with the rounding in place."""

import numpy as np
import pytest
import torch
from onnx import numpy_helper

from ascribe.core.errors import CapabilityError
from ascribe.train.quantize import aware as qat
from ascribe.train.quantize.layers import MOST
from ascribe.train.quantize.mixed import answers, error
from ascribe.train.quantize.preparing import prepared
from ascribe.train.quantize.static import ranges, static
from tests.bundle import made

from ..rounding import perceptron
from .worlds import whole

X = made.rows(96, 7)


@pytest.fixture(scope="module")
def fitted():
    """Our own network, fitted in a second, as a graph."""
    from ascribe.train.families.power_mlp import PowerMlp, PowerMlpOptions
    from ascribe.train.graphs.export import to_onnx

    torch.manual_seed(0)
    rows = made.rows(600, 3)
    y = made.BIAS + rows @ made.WEIGHTS + 5 * np.sin(rows[:, 0] * 20)
    network = PowerMlp(rows, y, PowerMlpOptions(hidden=(24, 16)))
    optimiser = torch.optim.Adam(network.parameters(), 0.01)
    for _ in range(150):
        optimiser.zero_grad()
        x = torch.tensor(rows, dtype=torch.float32)
        torch.nn.functional.mse_loss(network(x), torch.tensor(y, dtype=torch.float32)).backward()
        optimiser.step()
    return to_onnx(network.eval(), {"x": torch.tensor(rows[:8], dtype=torch.float32)}, ["prediction"]), rows


def test_a_network_fitted_with_the_rounding_errs_less_than_one_rounded_afterwards(fitted, monkeypatch):
    raw, rows = fitted
    monkeypatch.setattr(qat, "LOOP", qat.Loop(epochs=40, batch=64, lr=2e-3, weight_decay=0.0, patience=40))
    monkeypatch.setitem(MOST, 7, 4)  # three bits and a bit: coarse enough to matter
    model, other = prepared(raw), made.rows(400, 9)
    told = answers(model, other)
    network, seen = qat.aware(model, rows, 7, 0)
    # in torch's arithmetic, since ONNX Runtime knows no three bits
    before = error(_as_torch(model, ranges(model, rows), other), told)
    after = error(_as_torch(network, seen, other), told)
    assert after < 0.8 * before


def _as_torch(model, seen, rows):
    """A perceptron's answers, rounded by numpy."""
    chain, weights, values = qat._read(model, rows)
    nodes = {node.name: node for node in model.graph.node}
    x = values[0].astype(float)
    for k, (layer, (W, b)) in enumerate(zip(chain, weights, strict=True)):
        held = seen.data[nodes[layer.name].input[0]]
        low, high = min(float(np.ravel(held.lowest)[0]), 0), max(float(np.ravel(held.highest)[0]), 0)
        s = (high - low) / 255
        x = (np.clip(np.round(x / s) + np.round(-low / s), 0, 255) - np.round(-low / s)) * s
        x = x @ whole(W, 0, 7).T + b
        if k + 1 < len(chain):
            x = x / (1 + np.exp(-x))
    scale, shift = (
        numpy_helper.to_array(t) for n in ("sd_y", "mean_y") for t in model.graph.initializer if t.name == n
    )
    return x[:, 0] * scale + shift


def test_what_training_rounded_is_what_the_graph_rounds(fitted, monkeypatch):
    raw, rows = fitted
    monkeypatch.setattr(qat, "LOOP", qat.Loop(epochs=2, batch=64, lr=1e-3, weight_decay=0.0, patience=2))
    network, seen = qat.aware(prepared(raw), rows, 7, 0)
    told = _as_torch(network, seen, rows)
    assert error(answers(static(network, seen), rows), told) < 2e-3
    assert error(answers(network, rows), told) > 3e-3


def test_training_refuses_a_network_that_is_not_ours():
    with pytest.raises(CapabilityError, match="of networks that `ascribe train --family power_mlp` made"):
        qat.aware(prepared(perceptron()), X, 7, 0)
