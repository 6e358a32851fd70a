"""A surrogate's first layer is a sum over what is observed, so a row needs it for n + 1 coalitions only.

    h(z_S, S) = h(empty) + sum over j in S of (h(z_j, {j}) - h(empty))          h: what enters the first nonlinearity
    H = h(empty) + S U,      U (n, width),   S (m, n) as 0/1                    for all coalitions of the plan

A graph is cut where its first product ends, and only if the sum holds there in numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx.utils import Extractor

from ascribe.bundle.sessions import session
from ascribe.core.errors import BundleError

__all__ = ["Cut", "cut"]

PRODUCTS = ("Gemm", "MatMul")
ROWS, CLOSE = 32, 1e-5  # rows it is tried on, and how close, of the largest value


@dataclass(frozen=True)
class Cut:
    """`head`: score, observed -> h; `tail`: h -> value."""

    head: bytes
    tail: bytes


def cut(surrogate: bytes, n: int) -> Cut | None:
    """The two parts, or None where the first layer is no such sum."""
    whole = onnx.load_from_string(surrogate)
    first = next((node for node in whole.graph.node if node.op_type in PRODUCTS), None)
    if first is None:
        return None
    inputs, outputs = [i.name for i in whole.graph.input], [o.name for o in whole.graph.output]
    try:
        parts = Extractor(onnx.shape_inference.infer_shapes(whole))
        head = parts.extract_model(inputs, [first.output[0]]).SerializeToString()
        tail = parts.extract_model([first.output[0]], outputs).SerializeToString()
        return Cut(head, tail) if _adds_up(head, n) and _the_rest(tail) else None
    except (
        KeyError,
        ValueError,
        RuntimeError,
        onnx.checker.ValidationError,
    ):  # no shape known there, or more is needed
        return None


def _adds_up(head: bytes, n: int) -> bool:
    rng = np.random.default_rng(0)
    z, S = rng.standard_normal((ROWS, n)).astype(np.float32), rng.random((ROWS, n)) < 0.5
    run = session(head, "first layer").run

    def h(observed: np.ndarray) -> np.ndarray:
        told = run(None, {"score": np.where(observed, z, np.float32(0)), "observed": observed})[0]
        return np.asarray(told, dtype=float)

    empty = h(np.zeros_like(S))
    alone = [h(np.tile(np.arange(n) == j, (ROWS, 1))) - empty for j in range(n)]
    summed = empty + sum(S[:, j, None] * part for j, part in enumerate(alone))
    found = h(S)
    return bool(np.abs(summed - found).max() <= CLOSE * np.abs(found).max())


def _the_rest(tail: bytes) -> bool:
    """It reads nothing but h; the extractor leaves out what else it reads, and ONNX Runtime then refuses it."""
    try:
        return len(session(tail, "the rest").get_inputs()) == 1
    except BundleError:
        return False
