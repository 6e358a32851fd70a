"""What a power family hands over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ascribe.core.terms import Terms

__all__ = ["FittedPower"]


@dataclass(frozen=True, eq=False)
class FittedPower:
    """`graph`: the `predict` role as ONNX, fitted on the whole training part. `validation`: predictions of the
    validation rows by the fit that had not seen them, in the target's unit. `scaling`: statistics inside the graph.
    `terms`: of an additive model, what each feature adds.
    """

    family: str
    graph: bytes
    validation: np.ndarray
    scaling: dict[str, Any]
    options: dict[str, Any]
    terms: Terms | None = None
