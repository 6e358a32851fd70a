"""Mixed precision: the layers that rounding hurts most stay float32.

Each layer is rounded alone, and the error of the answers is its sensitivity; then as few of the most sensitive as
possible are kept, found by halving, until all together err by no more than the bound:

    error = RMS over rows and outputs of (rounded - float), over the standard deviation of the float outputs
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import onnx
from onnxruntime.quantization import TensorsData

from ascribe.bundle.sessions import session
from ascribe.core.errors import CapabilityError
from ascribe.train.quantize.layers import layers
from ascribe.train.quantize.static import static

__all__ = ["answers", "error", "mixed"]

Step = Callable[[float, str], None]


def answers(model: onnx.ModelProto, X: np.ndarray) -> np.ndarray:
    """The first output (rows, ...) for rows X (rows, n)."""
    run = session(model.SerializeToString(), "a rounded graph").run
    return np.asarray(run([model.graph.output[0].name], {"x": X.astype(np.float32)})[0], dtype=float)


def error(found: np.ndarray, told: np.ndarray) -> float:
    """See above; infinite where an answer is not finite."""
    if not np.isfinite(found).all():
        return np.inf
    return float(np.sqrt(((found - told) ** 2).mean()) / max(float(told.std()), np.finfo(float).tiny))


def mixed(
    model: onnx.ModelProto, seen: TensorsData, bits: int, X: np.ndarray, bound: float, step: Step
) -> tuple[onnx.ModelProto, list[str], dict[str, float]]:
    """A prepared graph rounded by the ranges `seen`; the names of the layers kept, and the sensitivity of each.

    Raises CapabilityError where not even one layer can be rounded within the bound.
    """
    told, every = answers(model, X), [layer.name for layer in layers(model)]
    alone = {}
    for k, name in enumerate(every):
        step(k / len(every), f"layer {k + 1} of {len(every)}")
        alone[name] = error(answers(static(model, seen, bits, only=name), X), told)
    worst = sorted(every, key=lambda name: -alone[name])

    def made(count: int) -> tuple[onnx.ModelProto, float]:
        graph = static(model, seen, bits, kept=worst[:count])
        return graph, error(answers(graph, X), told)

    low, high = -1, len(worst)  # of layers kept: too few, enough
    best: onnx.ModelProto | None = None
    while high - low > 1:
        middle = (low + high) // 2
        graph, found = made(middle)
        if found <= bound:
            best, high = graph, middle
        else:
            low = middle
    if best is None:
        raise CapabilityError(
            f"no layer can be rounded without erring by more than {bound:g} of the answers' spread: raise --bound"
        )
    return best, worst[:high], alone
