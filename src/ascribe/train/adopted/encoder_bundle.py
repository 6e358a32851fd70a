"""A bundle of a Transformer over a table: prediction, slopes in vectors, attention."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ascribe.bundle import archive, manifest
from ascribe.bundle.archive import Bundle
from ascribe.core.arrays import evenly
from ascribe.core.features import Feature
from ascribe.train.families.transformer import TableTransformer
from ascribe.train.graphs.export import to_onnx
from ascribe.train.graphs.gradient_trace import plain_attention
from ascribe.train.graphs.inside_graphs import attention_graph, gradient_graphs
from ascribe.train.npz import npz

__all__ = ["write_encoder"]

BACKGROUND_ROWS, EXAMPLE_ROWS = 256, 4
TOLERANCE = 1e-4


def write_encoder(
    network: TableTransformer, features: Sequence[Feature], X: np.ndarray, labels: Sequence[str], out: Path,
    *, metrics: dict[str, Any] | None = None,
) -> Bundle:  # fmt: skip
    """The bundle in the folder `out`, opened. `X (rows, n)`: training rows, of which 256 become the background;
    `labels`: of the classes, in order. Raises BundleError where a graph differs from torch, and as `archive.write`.
    """
    rows = X[evenly(len(X), BACKGROUND_ROWS)]
    example = torch.as_tensor(rows[:EXAMPLE_ROWS], dtype=torch.float32)
    with plain_attention():
        predict = to_onnx(_Named(network), {"x": example}, ["margin", "probability"], TOLERANCE)
    weights = attention_graph(network, example, predict)
    assert weights is not None
    files = {
        "predict.onnx": predict,
        **{f"{role}.onnx": raw for role, raw in gradient_graphs(network, example, embedding="tokens").items()},
        "attention.onnx": weights,
        "background.npz": npz(background=rows),
    }
    with torch.no_grad():
        margin = network.margin(example[:1])[0].numpy()
    made = manifest.Manifest(
        format=manifest.FORMAT,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        family="transformer",
        features=[f.to_json() for f in features],
        target=manifest.Target(""),
        roles={name.split(".")[0]: name for name in files},
        files={name: archive.entry(raw) for name, raw in files.items()},
        base_value=0.0,
        metrics=metrics or {},
        lineage=manifest.Lineage("", "", version("ascribe"), 0, {}, {"training": len(X)}),
        example={"x": rows[0].astype(float).tolist(), "prediction": margin.astype(float).tolist()},
        scaling={},
        outputs=list(labels),
        spaces=["margin", "probability"],
        origin={"extra": 1},
    )
    archive.write(out, made, files)
    return archive.open_directory(out)


class _Named(nn.Module):
    """Margins and probabilities apart."""

    def __init__(self, network: TableTransformer) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        margin = self.network.margin(x)
        return margin, margin.softmax(1)
