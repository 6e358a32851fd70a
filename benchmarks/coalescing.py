"""What a request costs when sixteen are explained together, against one at a time: gradient methods on the CPU.

Sixteen rows in one call of the explainer, and sixteen calls of one row, in turn in one process; processor time, medians
of three; the ratio is what one request costs alone over what it costs among sixteen. By torch on one thread, and by the
ONNX graph of a bundle. Where a device does several rows for the price of one the ratio is large: a GPU, or a small
network whose calls cost more than its products. Processor time of a large network grows with its rows.

    python -m benchmarks.coalescing [--quick]     without ResNet-20
"""

from __future__ import annotations

import statistics
import sys
import time
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from ascribe.bundle.networks import Graph
from ascribe.core.explainers import explain
from ascribe.core.features import Feature
from ascribe.core.gradient import Gradient
from ascribe.core.layout import Layout
from ascribe.core.model import Model
from ascribe.core.options import Options, Path
from ascribe.train.adopted.torch_inside import torch_model
from ascribe.train.graphs.inside_graphs import gradient_graphs
from ascribe.train.graphs.onnx_network import from_onnx
from benchmarks.gradients import RESNET
from benchmarks.record import keep

__all__ = ["compare"]

TOGETHER, REPEATS, STEPS = 16, 3, 16
METHODS = {"saliency": Options(), "integrated_gradients": Options(path=Path(STEPS))}


class Picture(nn.Module):
    """Flat pixels -> one logit of ResNet-20."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = from_onnx(RESNET, torch.randn(2, 3, 32, 32))

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.reshape(-1, 32, 32, 3).permute(0, 3, 1, 2) / 255
        return self.inner((pixels - 0.45) / 0.225)[:, 3]


class Small(nn.Module):
    """A convolution and two products on 12 x 12 pixels, and one output."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.Flatten(), nn.Linear(200, 32), nn.ReLU(), nn.Linear(32, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x.reshape(-1, 12, 12, 3).permute(0, 3, 1, 2) / 255)


def made(name: str) -> tuple[nn.Module, Model]:
    torch.manual_seed(0)
    if name == "perceptron_32":
        layers = [nn.Linear(32, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU(), nn.Linear(128, 1)]
        model = Model(tuple(Feature(f"x{j}") for j in range(32)), layout=Layout("table", (32,)))
        return nn.Sequential(*layers).eval(), model
    if name == "convolution_12x12":
        return Small().eval(), Model((), layout=Layout("image", (12, 12, 3)))
    return Picture().eval(), Model((), layout=Layout("image", (32, 32, 3)))


def by_graph(network: nn.Module, model: Model, rows: np.ndarray) -> Model:
    """The same, by the graph that a bundle holds."""
    graph = Graph(gradient_graphs(network, torch.as_tensor(rows[:2], dtype=torch.float32))["gradient"], "the bench")

    def slope(Z: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        f, g = graph(["value", "gradient"], z=Z)
        return f, g

    return replace(model, gradient=Gradient(slope))


def compare(model: Model, rows: np.ndarray, method: str) -> dict[str, float]:
    """Milliseconds of one request alone and among sixteen."""
    options = METHODS[method]
    ways = {
        "alone": lambda: [explain(model, rows[i : i + 1], method, options) for i in range(TOGETHER)],
        "together": lambda: explain(model, rows, method, options),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(REPEATS + 1):
        for name, way in ways.items():
            begin = time.process_time()
            way()
            if turn:  # the first warms up
                seconds[name].append(time.process_time() - begin)
    each = {name: 1000 * statistics.median(held) / TOGETHER for name, held in seconds.items()}
    return {"alone_ms": each["alone"], "together_ms": each["together"], "ratio": each["alone"] / each["together"]}


def main() -> None:
    torch.set_num_threads(1)
    quick = "--quick" in sys.argv[1:]
    results = {}
    for name in ("perceptron_32", "convolution_12x12", "resnet20")[: 2 if quick else 3]:
        network, model = made(name)
        rng = np.random.default_rng(0)
        n = len(model.names)
        rows = rng.standard_normal((TOGETHER, n)) if name == "perceptron_32" else rng.uniform(0, 255, (TOGETHER, n))
        for backend, held in {
            "torch": torch_model(network, model), "graph": by_graph(network, torch_model(network, model), rows)
        }.items():  # fmt: skip
            for method in METHODS:
                found = results[f"{name}_{backend}_{method}"] = compare(held, rows, method)
                print(f"{name:<18} {backend:<6} {method:<21}" + "  ".join(f"{k} {v:.3g}" for k, v in found.items()))
        place = keep("coalescing", {"together": TOGETHER, "steps": STEPS, "requests": results}, quick)
    print(place)


if __name__ == "__main__":
    main()
