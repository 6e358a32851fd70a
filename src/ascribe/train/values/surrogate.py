"""The surrogate from rows to a graph, opened as it will be served."""

from __future__ import annotations

import torch

from ascribe.bundle.runtime import surrogate
from ascribe.core.surrogate import Surrogate
from ascribe.train.families.surrogate import SurrogateFit
from ascribe.train.graphs.export import to_onnx

__all__ = ["export_surrogate", "open_surrogate"]


def export_surrogate(fit: SurrogateFit) -> bytes:
    """`score (rows, n)`, `observed (rows, n)` bool -> `value (rows,)` in the unit of f. Raises BundleError."""
    n = fit.scores.table.shape[0]
    generator = torch.Generator().manual_seed(0)
    example = {
        "score": torch.randn(64, n, generator=generator),
        "observed": torch.rand(64, n, generator=generator) < 0.5,
    }
    return to_onnx(fit.network, example, ["value"], least=float(fit.network.sd))


def open_surrogate(graph: bytes, fit: SurrogateFit) -> Surrogate:
    """Through the runtime that serves."""
    return surrogate(graph, fit.scores, "surrogate")
