"""Networks of flat rows: real ones from files, and small ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from ascribe.core.features import Feature
from ascribe.core.layout import Layout
from ascribe.core.model import Model
from ascribe.train.graphs.onnx_network import from_onnx

MODELS = Path(__file__).parents[2] / "examples" / "data" / "models"
MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Pictures(nn.Module):
    """Flat pixels 0 ... 255 -> margins, probabilities."""

    mean: Tensor
    sd: Tensor

    def __init__(self, inner: nn.Module, size: int, mean: tuple[float, ...], sd: tuple[float, ...]) -> None:
        super().__init__()
        self.inner, self.size = inner, size
        self.register_buffer("mean", torch.tensor(mean).reshape(3, 1, 1))
        self.register_buffer("sd", torch.tensor(sd).reshape(3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        pixels = x.reshape(-1, self.size, self.size, 3).permute(0, 3, 1, 2) / 255
        margin = self.inner((pixels - self.mean) / self.sd)
        return torch.cat([margin, margin.softmax(1)], 1)


class Sentences(nn.Module):
    """Word numbers as float32 -> margins, probabilities."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        margin = self.inner(x.long())
        return torch.cat([margin, margin.softmax(1)], 1)


def classifier(layout: Layout, outputs: int, **more: object) -> Model:
    """What `torch_model` is told of a network of so many classes."""
    features = tuple(
        Feature(f"x{j}", seen_low=-3, seen_high=3) for j in range(layout.n if layout.kind == "table" else 0)
    )
    labels = tuple(str(k) for k in range(outputs))
    return Model(features, layout=layout, outputs=labels, spaces=("margin", "probability"), output="", **more)


def resnet20() -> tuple[Pictures, Model]:
    inner = from_onnx(MODELS / "resnet20_cifar10.onnx", torch.randn(2, 3, 32, 32))
    return Pictures(inner, 32, MEAN, SD).eval(), classifier(Layout("image", (32, 32, 3)), 10)


def mobilenet() -> tuple[Pictures, Model]:
    inner = from_onnx(MODELS / "mobilenet_v1_0.25_128.onnx", torch.randn(2, 3, 128, 128), output="logits")
    half = (128 / 255,) * 3
    return Pictures(inner, 128, half, half).eval(), classifier(Layout("image", (128, 128, 3)), 1001)


def sentiment() -> tuple[Sentences, Model]:
    inner = from_onnx(MODELS / "text_sentiment_avgemb.onnx", torch.randint(0, 99, (2, 256)), output="logits")
    words = tuple(line.split(" ")[0] for line in (MODELS / "text_sentiment_vocab.txt").read_text().splitlines())
    return Sentences(inner).eval(), classifier(Layout("text", (256,), 0, words), 2)


def perceptron() -> tuple[nn.Module, Model]:
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Linear(6, 24), nn.GELU(), nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 3))

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Tensor) -> Tensor:
            margin = self.inner(x)
            return torch.cat([margin, margin.softmax(1)], 1)

    background = np.random.default_rng(0).standard_normal((30, 6))
    return Both().eval(), classifier(Layout("table", (6,)), 3, background=background)
