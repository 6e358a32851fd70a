"""Integrated Gradients as a graph against Captum: time and difference, 50 Gauss-Legendre steps, one thread.

Three networks: a perceptron of 32 inputs, an attention block of 16 vectors of 32, ResNet-20 on 3 x 32 x 32. One row,
and eight. Captum takes all steps in one batch, its default; `batched` gives it the steps by tens, which its pages
advise for larger networks. Both in one process, in turn, in processor time; ratios are graph / Captum of the
medians of five.

    python -m benchmarks.gradients [--quick]      without ResNet-20
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from captum.attr import IntegratedGradients
from torch import Tensor, nn

from ascribe.bundle.sessions import session
from ascribe.train.graphs.gradients import integrated_gradients_graph
from ascribe.train.graphs.onnx_network import from_onnx
from benchmarks.record import keep

__all__ = ["NETWORKS", "RESNET", "AttentionBlock"]

RESNET = Path(__file__).parent.parent / "examples" / "data" / "models" / "resnet20_cifar10.onnx"
STEPS, REPEATS, TARGET = 50, 5, 3


class AttentionBlock(nn.Module):
    """One encoder layer over 16 vectors of 32, and four outputs from their mean."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, activation="gelu")
        self.head = nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.layer(x).mean(1))


def perceptron() -> tuple[nn.Module, Tensor]:
    layers = [nn.Linear(32, 128), nn.GELU(), nn.Linear(128, 128), nn.GELU(), nn.Linear(128, 4)]
    return nn.Sequential(*layers).eval(), torch.randn(8, 32)


def attention() -> tuple[nn.Module, Tensor]:
    return AttentionBlock().eval(), torch.randn(8, 16, 32)


def resnet() -> tuple[nn.Module, Tensor]:
    x = torch.randn(8, 3, 32, 32)
    return from_onnx(RESNET, x), x


NETWORKS: dict[str, Callable[[], tuple[nn.Module, Tensor]]] = {
    "perceptron": perceptron, "attention": attention, "resnet20": resnet,
}  # fmt: skip


def compare(network: nn.Module, example: Tensor, rows: int) -> dict[str, float]:
    """Processor time of both, and the largest difference over the largest attribution."""
    graph = integrated_gradients_graph(network, example, target=TARGET, steps=STEPS, tolerance=1e-3)
    run = session(graph, "integrated gradients", threads=1).run
    x, baseline = example[:rows], torch.zeros_like(example[:1])
    inputs = {"x": x.numpy(), "baseline": baseline.numpy()}
    captum = IntegratedGradients(network)

    def theirs(at_once: int | None = None) -> Tensor:
        return captum.attribute(
            x, baseline, target=TARGET, n_steps=STEPS, method="gausslegendre", internal_batch_size=at_once
        )

    ways = {
        "graph": lambda: run(["attribution"], inputs),
        "captum": theirs,
        "captum_batched": lambda: theirs(10 * rows),
    }
    told = theirs().numpy()
    difference = float(np.abs(run(["attribution"], inputs)[0] - told).max() / np.abs(told).max())
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(REPEATS + 1):
        for name, way in ways.items():
            begin = time.process_time()
            way()
            if turn:  # the first warms up
                seconds[name].append(time.process_time() - begin)
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    return {
        **{f"{name}_ms": 1000 * value for name, value in middle.items()},
        "ratio": middle["graph"] / middle["captum"],
        "ratio_batched": middle["graph"] / middle["captum_batched"],
        "difference": difference,
    }


def main() -> None:
    torch.set_num_threads(1)
    quick = "--quick" in sys.argv[1:]
    results = {}
    for name, make in list(NETWORKS.items())[: 2 if quick else 3]:
        torch.manual_seed(0)
        network, example = make()
        for rows in (1, 8):
            found = results[f"{name}_{rows}"] = compare(network, example, rows)
            print(f"{name:<12} rows {rows}  " + "  ".join(f"{key} {value:.3g}" for key, value in found.items()))
    print(keep("gradients", {"steps": STEPS, "networks": results}, quick))


if __name__ == "__main__":
    main()
