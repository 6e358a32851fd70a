"""A perceptron that is exactly the linear f of `tests.bundle.made`, and its bundle: something to round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from ascribe.bundle.archive import Bundle, entry, open_directory, write
from ascribe.bundle.manifest import Manifest
from tests.bundle import made

from .small_graphs import graph

PARTS = 8  # of each feature's line, as differences of ReLUs


def perceptron(units: float = 1.0, weights: np.ndarray = made.WEIGHTS) -> bytes:
    """f = 40 + w x by way of ReLUs: x = relu(x) - relu(-x). `units`: what x is counted in."""
    both = np.concatenate([np.eye(3), -np.eye(3)] * PARTS)  # (16 n, n)
    pull = np.concatenate([weights * made.SPREAD, -weights * made.SPREAD] * PARTS) / PARTS
    mix = np.linalg.qr(np.random.default_rng(0).standard_normal((len(pull), len(pull))))[0]
    return graph(
        """predict (float[rows,3] x) => (float[rows] prediction) {
            moved = Sub(x, centre)
            scaled = Div(moved, spread)
            a = Gemm<transB = 1>(scaled, first, none)
            h = Relu(a)
            b = Gemm<transB = 1>(h, second, zero)
            c = Gemm<transB = 1>(b, third, one)
            flat = Squeeze(c, axis)
            more = Mul(flat, sd)
            prediction = Add(more, mean)
        }""",
        centre=made.CENTRE * units, spread=made.SPREAD * units, first=both, none=np.zeros(len(pull)), second=mix,
        zero=np.zeros(len(pull)), third=(mix @ pull)[None] / 5, one=np.zeros(1), axis=np.array([1]), sd=np.array(5.0),
        mean=np.array(made.BIAS + weights @ made.CENTRE),
    )  # fmt: skip


def rounding(directory: Path, **changes: Any) -> Bundle:
    """On disk, with a conditional whose law is known."""
    manifest, files = made.parts(**changes)
    weights = np.array(changes.get("weights", made.WEIGHTS), dtype=float)
    return with_files(directory, manifest, {**files, "predict.onnx": perceptron(weights=weights)})


def with_files(directory: Path, manifest: Manifest, files: dict[str, bytes], **changes: Any) -> Bundle:
    """The bundle with other files under the same names."""
    entries = {name: entry(raw) for name, raw in files.items()}
    write(directory, msgspec.structs.replace(manifest, files=entries, **changes), files)
    return open_directory(directory)
