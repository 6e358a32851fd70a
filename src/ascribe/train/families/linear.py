"""Power model as a line in every feature: f(x) = mean + sum_j slope_j (x_j - mean_j), ridge.

    slopes = (Z'Z + alpha rows I)^-1 Z'y on standardised rows Z,     alpha by the error on the validation rows

For those who want a model that can be read, and as what a better one must beat.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ascribe.core.terms import Terms
from ascribe.train.dataset import Dataset, Part
from ascribe.train.fitted import FittedPower
from ascribe.train.loop import Progress

__all__ = ["LinearOptions", "fit_linear"]


@dataclass(frozen=True)
class LinearOptions:
    """`alphas`: tried in turn."""

    alphas: tuple[float, ...] = (1e-6, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def fit_linear(
    data: Dataset,
    seed: int,
    device: str = "cpu",
    progress: Progress | None = None,
    options: LinearOptions | None = None,
) -> FittedPower:
    """Fit on `fit` for each alpha, choose on `validation`, then again on both. Nothing is drawn."""
    options = options or LinearOptions()
    tried = [_ridge(data.fit, alpha) for alpha in options.alphas]
    told = [_asked(terms, data.validation.X) for terms in tried]
    best = int(np.argmin([np.mean((data.validation.y - f) ** 2) for f in told]))
    terms = _ridge(data.training, options.alphas[best])
    if progress:
        progress(1.0, f"alpha {options.alphas[best]:g}")
    return FittedPower(
        family="linear", graph=_graph(terms), validation=told[best], scaling={}, terms=terms,
        options={"alpha": options.alphas[best]},
    )  # fmt: skip


def _ridge(part: Part, alpha: float) -> Terms:
    mean, spread = part.X.mean(axis=0), part.X.std(axis=0)
    spread = np.where(spread > 0, spread, 1.0)
    Z = (part.X - mean) / spread
    weights = np.linalg.solve(Z.T @ Z + alpha * len(Z) * np.eye(Z.shape[1]), Z.T @ (part.y - part.y.mean()))
    n = len(mean)
    return Terms(float(part.y.mean()), weights / spread, mean, (np.empty(0, np.float32),) * n, (np.zeros(1),) * n)


def _asked(terms: Terms, X: np.ndarray) -> np.ndarray:
    return np.asarray(terms.intercept + terms.parts(X).sum(axis=1))


def _graph(terms: Terms) -> bytes:
    """x (rows, n) -> prediction (rows,); centred first: float32 then keeps the digits of large counters."""
    nodes = [
        helper.make_node("Sub", ["x", "centres"], ["away"]),
        helper.make_node("MatMul", ["away", "slopes"], ["sum"]),
        helper.make_node("Add", ["sum", "intercept"], ["prediction"]),
    ]
    centres, slopes = terms.centres.astype(np.float32), terms.slopes.astype(np.float32)
    moved = terms.slopes @ (centres - terms.centres)  # what rounding the centres would add to every prediction
    held = {"centres": centres, "slopes": slopes, "intercept": np.array([terms.intercept + moved], np.float32)}
    graph = helper.make_graph(
        nodes, "linear", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", len(terms.slopes)])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["rows"])],
        [numpy_helper.from_array(value, name) for name, value in held.items()],
    )  # fmt: skip
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(made)
    return bytes(made.SerializeToString())
