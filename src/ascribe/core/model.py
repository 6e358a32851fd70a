"""A model as a frozen record of capabilities."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from ascribe.core.adjusted.learnt import Reading
from ascribe.core.amortized import Amortized
from ascribe.core.arrays import Float, Predict, np
from ascribe.core.compiled import Compiled
from ascribe.core.conditional import Conditional
from ascribe.core.control import Control
from ascribe.core.features import Feature
from ascribe.core.latency import Measured
from ascribe.core.surrogate import Surrogate
from ascribe.core.trees import Trees

__all__ = ["Model"]

CAPABILITIES = ("predict", "background", "conditional", "surrogate", "amortized", "compiled", "trees")


@dataclass(frozen=True, eq=False)
class Model:
    """What is known of a model: a capability is there or None. From ONNX in production, plain functions in a test.

    `predict`: rows (b, n) -> (b,) in `unit`. `background (rows, n)`: training rows for the marginal game.
    `conditional`: the law of hidden features. `base_value`: mean of f over the training rows, in `unit`; v(empty) of
    the conditional game. `surrogate`: v(S) of the conditional game without completions; `value` says which of
    completions, surrogate and stacked answers, `share (n+1,)` how much of a stack is the completions', by number of
    observed features. `control`: what of f a polynomial can follow, taken out of completions. `amortized`: Shapley
    values in one pass. `reading`: scales of this model's own games, for the estimator `learnt`. `compiled`:
    explanations as graphs, by tier; `tiers`: what was measured of each tier. `trees`: the ensemble that `predict` is, before its link.
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
    surrogate: Surrogate | None = None
    value: str = "completions"
    share: Float[np.ndarray, " n1"] | None = None
    control: Control | None = None
    amortized: Amortized | None = None
    reading: Reading | None = None
    compiled: Mapping[str, Compiled] | None = None
    trees: Trees | None = None
    tiers: Mapping[str, Measured] = field(default_factory=dict)

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
