"""Quantisation-aware training of our own perceptron: the rounding is in the network while it is fitted.

    forward     W[c] -> s_c round(W[c] / s_c);     x -> s_x (round(x / s_x + z_x) - z_x), by running ranges of x
    backward    as if nothing had been rounded (Bengio et al. 2013, arXiv 1308.3432)
    loss        smooth L1 of (rounded network - the network as it was), on rows with noise

The network as it was is the teacher: it answers any row, so no targets are needed, and the variant stays near it. What
is learnt goes back into the float graph, which is rounded as `static` does, by the ranges that training ended with.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnxruntime.quantization import TensorsData
from onnxruntime.quantization.calibrate import TensorData
from torch import Tensor, nn

from ascribe.bundle.sessions import session
from ascribe.core.errors import CapabilityError
from ascribe.train.loop import Loop, Progress, train
from ascribe.train.quantize.layers import MOST, Layer, layers, with_weights
from ascribe.train.quantize.static import ranges

__all__ = ["FAMILY", "aware"]

FAMILY = "power_mlp"
LOOP = Loop(epochs=60, batch=128, lr=1e-3, weight_decay=0.0, patience=60)
NOISE = 0.05  # of standardised inputs: few rows say more
MOMENTUM = 0.02  # of the running ranges
NEAR = 1e-4
EVERY = 10  # that a row is watched for the best epoch, not fitted on


class Rounded(nn.Module):
    """A Linear layer whose weights and inputs are rounded: (rows, i) -> (rows, o)."""

    low: Tensor
    high: Tensor

    def __init__(self, weight: np.ndarray, bias: np.ndarray, x: Tensor, bits: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.tensor(weight)), nn.Parameter(torch.tensor(bias))
        self.most = float(MOST[bits])
        self.register_buffer("low", x.min().clamp(max=0.0))
        self.register_buffer("high", x.max().clamp(min=0.0))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            with torch.no_grad():
                self.low.lerp_(x.min().clamp(max=0.0), MOMENTUM)
                self.high.lerp_(x.max().clamp(min=0.0), MOMENTUM)
        scale = (self.high - self.low).clamp(min=1e-12) / 255
        zero = (-self.low / scale).round()
        q = ((x / scale).round() + zero).clamp(0, 255)
        x = _straight(x.clamp(self.low, self.high), (q - zero) * scale)
        s = self.weight.abs().amax(1, keepdim=True).clamp(min=1e-30) / self.most
        return nn.functional.linear(x, _straight(self.weight, (self.weight / s).round() * s), self.bias)


def _straight(x: Tensor, rounded: Tensor) -> Tensor:
    return x + (rounded - x).detach()


def aware(
    model: onnx.ModelProto, X: np.ndarray, bits: int, seed: int, progress: Progress | None = None
) -> tuple[onnx.ModelProto, TensorsData]:
    """The prepared graph with weights fitted for rounding, and the ranges to round by. `X (rows, n)`: rows of the kind
    that will be asked.

    Raises CapabilityError for a graph that is not our perceptron's.
    """
    chain, weights, told = _read(model, X)
    torch.manual_seed(seed)
    inputs = torch.as_tensor(told[0])
    teacher = _network([nn.Linear(w.shape[1], w.shape[0]) for w, _ in weights])
    for held, (w, b) in zip(_linear(teacher), weights, strict=True):
        held.weight.data, held.bias.data = torch.tensor(w), torch.tensor(b)
    with torch.no_grad():
        wanted = teacher(inputs)
    gap = float((wanted - torch.as_tensor(told[-1])).abs().max() / wanted.abs().max().clamp(min=1e-12))
    if not gap <= NEAR:
        raise CapabilityError(_NOT_OURS)
    student = _network([Rounded(w, b, torch.as_tensor(x), bits) for (w, b), x in zip(weights, told, strict=False)])
    watched = torch.arange(0, len(inputs), EVERY)
    fitted = np.setdiff1d(np.arange(len(inputs)), watched.numpy())
    scale = float(wanted.std()) or 1.0

    def loss(index: np.ndarray, t: float) -> Tensor:
        x = inputs[torch.as_tensor(fitted[index])]
        x = x + NOISE * torch.randn_like(x)
        with torch.no_grad():
            y = teacher(x)
        return nn.functional.smooth_l1_loss(student(x) / scale, y / scale)

    def validate() -> float:
        return float(nn.functional.mse_loss(student(inputs[watched]), wanted[watched]) / scale**2)

    train(student, len(fitted), loss, validate, LOOP, np.random.default_rng(seed), progress)
    return _back(model, chain, student, X)


_NOT_OURS = (
    f"quantisation-aware training is of networks that `ascribe train --family {FAMILY}` made: use int8-static or mixed"
)


def _read(
    model: onnx.ModelProto, X: np.ndarray
) -> tuple[list[Layer], list[tuple[np.ndarray, np.ndarray]], list[np.ndarray]]:
    """Layers, their weights (out, in) and biases, and the values before each and after the last."""
    chain = layers(model)
    nodes = {node.name: node for node in model.graph.node}
    constants = {t.name: numpy_helper.to_array(t) for t in model.graph.initializer}
    if any(layer.kind != "Gemm" or layer.axis or len(nodes[layer.name].input) < 3 for layer in chain):
        raise CapabilityError(_NOT_OURS)
    weights = [(constants[layer.weight], constants[nodes[layer.name].input[2]]) for layer in chain]
    names = [nodes[layer.name].input[0] for layer in chain] + [nodes[chain[-1].name].output[0]]
    held = onnx.ModelProto()
    held.CopyFrom(model)
    own = {value.name for value in held.graph.output}
    held.graph.output.extend(onnx.ValueInfoProto(name=name) for name in dict.fromkeys(names) if name not in own)
    told = session(held.SerializeToString(), "the network's graph").run(names, {"x": X.astype(np.float32)})
    if any(a.shape[0] != b.shape[1] for (a, _), (b, _) in pairwise(weights)):
        raise CapabilityError(_NOT_OURS)
    return chain, weights, told


def _network(held: list[Any]) -> nn.Sequential:
    """Linear layers with SiLU between them, as `families.power_mlp` has."""
    parts = [part for layer in held for part in (layer, nn.SiLU())]
    return nn.Sequential(*parts[:-1])


def _linear(network: nn.Sequential) -> list[Any]:
    return list(network)[::2]


def _back(
    model: onnx.ModelProto, chain: list[Layer], student: nn.Sequential, X: np.ndarray
) -> tuple[onnx.ModelProto, TensorsData]:
    nodes = {node.name: node for node in model.graph.node}
    found = {}
    for layer, held in zip(chain, _linear(student), strict=True):
        found[layer.weight] = held.weight.detach().numpy()
        found[nodes[layer.name].input[2]] = held.bias.detach().numpy()
    fitted = with_weights(model, found)
    seen = ranges(fitted, X)
    for layer, held in zip(chain, _linear(student), strict=True):
        low, high = (np.array(v, np.float32) for v in (float(held.low), float(held.high)))
        seen.data[nodes[layer.name].input[0]] = TensorData(lowest=low, highest=high)
    return fitted, seen
