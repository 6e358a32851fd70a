"""A model as a frozen record of capabilities."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from ascribe.core.arrays import Float, Predict, np
from ascribe.core.conditional import Conditional
from ascribe.core.features import Feature

__all__ = ["Model"]

CAPABILITIES = ("predict", "background", "conditional")


@dataclass(frozen=True, eq=False)
class Model:
    """What is known of a model: a capability is there or None. From ONNX in production, plain functions in a test.

    `predict`: rows (b, n) -> (b,) in `unit`. `background (rows, n)`: training rows for the marginal game.
    `conditional`: the law of hidden features. `base_value`: mean of f over the training rows, in `unit`; v(empty) of
    the conditional game.
    """

    features: tuple[Feature, ...]
    predict: Predict | None = None
    background: Float[np.ndarray, "rows n"] | None = None
    conditional: Conditional | None = None
    base_value: float | None = None
    unit: str = ""
    output: str = "prediction"
    version: str = ""
    info: dict[str, Any] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(f.name for f in self.features)

    @property
    def offers(self) -> frozenset[str]:
        """Names of the capabilities that are there.

        >>> sorted(Model((Feature("x"),), predict=lambda X: X[:, 0]).offers)
        ['predict']
        """
        names = {f.name for f in fields(self)} & set(CAPABILITIES)
        return frozenset(name for name in names if getattr(self, name) is not None)
