"""A model as a frozen record of capabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

from ascribe.core.adjusted.learnt import Reading
from ascribe.core.amortized import Amortized
from ascribe.core.arrays import Float, Predict, np
from ascribe.core.compiled import Compiled
from ascribe.core.conditional import Conditional
from ascribe.core.control import Control
from ascribe.core.errors import InputError, NotFound
from ascribe.core.features import Feature
from ascribe.core.forecast.curves import Curves
from ascribe.core.gradient import Gradient
from ascribe.core.inside import Attention, Layers
from ascribe.core.latency import Measured
from ascribe.core.layout import Layout
from ascribe.core.surrogate import Surrogate
from ascribe.core.terms import Terms
from ascribe.core.trees import Trees
from ascribe.core.words import listed, quoted

__all__ = ["Model"]

CAPABILITIES = (
    "predict", "background", "conditional", "surrogate", "amortized", "compiled", "gradient", "layers", "attention",
    "trees", "terms", "curves", "remote_predict", "routes",
)  # fmt: skip
PREDICTED = ""  # the output of a classifier that has not been told which class: the one that it predicts


@dataclass(frozen=True, eq=False)
class Model:
    """What is known of a model: a capability is there or None. From ONNX in production, plain functions in a test.

    `predict`: rows (b, n) -> (b,) in `unit`. `background (rows, n)`: training rows for the marginal game.
    `conditional`: the law of hidden features. `base_value`: mean of f over the training rows, in `unit`; v(empty) of
    the conditional game. `surrogate`: v(S) of the conditional game without completions; `value` says which of
    completions, surrogate and stacked answers, `share (n+1,)` how much of a stack is the completions', by number of
    observed features. `control`: what of f a polynomial can follow, taken out of completions. `amortized`: Shapley
    values in one pass. `reading`: scales of this model's own games, for the estimator `learnt`. `compiled`:
    explanations as graphs, by tier; `tiers`: what was measured of each tier.

    `layout`: what the columns of a row are. `gradient`, `layers`, `attention`: of networks. A model of several
    `outputs` (class labels) or `spaces` (margin, probability) explains `output` in `space`; `choose` gives the others;
    `scores`: rows (b, n) -> all outputs (b, k) in `space`. `trees`: the ensemble that the model is; they have the
    output explained alone, or among theirs by name. `terms`: what each feature adds, of a model that is their sum.

    `curves`: of a forecast, whose rows are windows and whose outputs are what can be named of its steps: all steps at
    once, with their bounds.

    A federated model has no `predict`, so that no explainer asks hosts for made-up rows: `routes`: ids of rows -> the
    reply of every host, one exchange; `remote_predict`: the guest's rows (b, n) and those replies -> margins (b,).
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
    tiers: Mapping[str, Measured] = field(default_factory=dict)
    layout: Layout = field(default_factory=Layout)
    gradient: Gradient | None = None
    layers: Layers | None = None
    attention: Attention | None = None
    outputs: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()
    space: str = ""
    scores: Callable[[np.ndarray], np.ndarray] | None = None
    select: Callable[[str, str], Model] | None = None
    trees: Trees | None = None
    terms: Terms | None = None
    curves: Curves | None = None
    remote_predict: Callable[[np.ndarray, Mapping[str, Any]], np.ndarray] | None = None
    routes: Callable[[Sequence[str]], Mapping[str, Any]] | None = None

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Of the columns of a row, in order."""
        return self.layout.names(self.features)

    def rows(self, X: object) -> Float[np.ndarray, "b n"]:
        """X as rows of numbers. Raises InputError for another shape."""
        return self.layout.rows(self.features, X)

    def check(self, X: Float[np.ndarray, "b n"]) -> tuple[np.ndarray, list[str]]:
        """Status and reason of each row before the model sees it."""
        return self.layout.check(self.features, X)

    def choose(self, output: str | None = None, space: str | None = None) -> Model:
        """The model of one output, by name or number, in one space; None: as it is.

        Raises NotFound naming what there is.
        """
        name, where = self.output if output is None else output, self.space if space is None else space
        if name not in self.outputs and name.isdecimal() and int(name) < len(self.outputs):
            name = self.outputs[int(name)]
        if (name, where) == (self.output, self.space):
            return self
        if name != PREDICTED and name not in self.outputs:
            raise NotFound(f"no output {quoted(name)}: this model has {listed(self.outputs or (self.output,))}")
        if where not in self.spaces or self.select is None:
            raise NotFound(f"no space {quoted(where)}: this model answers in {listed(self.spaces) or 'one only'}")
        return self.select(name, where)

    def settled(self, X: object) -> Model:
        """The model whose output is the class that it predicts for the rows, where no output has been chosen.

        Raises InputError where rows are predicted as different classes: one attribution is of one output.
        """
        if self.output != PREDICTED or self.scores is None:
            return self
        rows = self.rows(X)
        good = rows[self.check(rows)[0] != "invalid"]
        found = np.unique(np.argmax(self.scores(good), axis=1)) if len(good) else np.zeros(1, int)
        if len(found) > 1:
            labels = listed([self.outputs[k] for k in found])
            raise InputError(
                f"the rows are predicted as different classes ({labels}): name one of them as output "
                "(`--target`; where that is a column, `--output-name`)"
            )
        return self.choose(self.outputs[int(found[0])])

    @property
    def offers(self) -> frozenset[str]:
        """Names of the capabilities that are there.

        >>> sorted(Model((Feature("x"),), predict=lambda X: X[:, 0]).offers)
        ['predict']
        """
        names = {f.name for f in fields(self)} & set(CAPABILITIES)
        return frozenset(name for name in names if getattr(self, name) is not None)
