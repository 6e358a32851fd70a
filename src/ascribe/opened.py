"""A bundle, opened: what `ascribe.open` gives."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.bundle.preparation import prepared
from ascribe.core import tiers
from ascribe.core.attribution import Attribution
from ascribe.core.energy import Energy
from ascribe.core.errors import CapabilityError, InputError, NotFound
from ascribe.core.explainers import available
from ascribe.core.features import Feature
from ascribe.core.model import Model
from ascribe.core.options import Options, Patch, Path
from ascribe.frames import matrix

__all__ = ["Groups", "OpenModel", "frozen", "timed"]

Groups = Mapping[str, Sequence[str]]


@dataclass(frozen=True, eq=False)
class OpenModel:
    """A bundle, opened. Rows may be an array (in the order of `features`), a polars or pandas frame, or Arrow; named
    columns are taken by name, others ignored.

    >>> background = np.random.default_rng(0).standard_normal((100, 2))
    >>> known = Model((Feature("load"), Feature("fan")), lambda X: 50 + 10 * X[:, 0], background, unit="W")
    >>> opened = OpenModel(known, None)  # `ascribe.open` makes it of a bundle
    >>> opened.features, opened.predict([[1.0, 0.0]]).tolist()
    (('load', 'fan'), [60.0])
    >>> a = opened.explain([[1.0, 0.0]], method="kernel_shap")
    >>> abs(a.values.sum() - (60 - a.base_value)) < 1e-9, a.info.unit
    (np.True_, 'W')
    """

    model: Model
    bundle: Bundle

    @property
    def outputs(self) -> tuple[str, ...]:
        """What can be predicted: class labels, or targets, of which the first is what this model predicts."""
        return self.model.outputs or (self.bundle.manifest.target.name, *self.bundle.parts())

    def output(self, target: str | None = None, space: str | None = None) -> OpenModel:
        """The model of one of `outputs` (None: as it is), with tiers and unit of its own; of a classifier in one of
        `spaces`, "margin" or "probability".

        Raises NotFound naming what there is, BundleError.
        """
        if self.model.outputs or space is not None:
            return OpenModel(self.model.choose(target, space), self.bundle)
        if target in (None, self.outputs[0]):
            return self
        from ascribe.bundle.runtime import load

        parts = self.bundle.parts()
        if target not in parts:
            raise NotFound(f"this bundle does not predict '{target}': it predicts {', '.join(self.outputs)}")
        return OpenModel(replace(load(parts[target]), version=self.version), parts[target])

    @property
    def features(self) -> tuple[str, ...]:
        """Names, in order."""
        return self.model.names

    @property
    def schema(self) -> tuple[Feature, ...]:
        """Name, unit, bounds and training range of each feature."""
        return self.model.features

    @property
    def offers(self) -> frozenset[str]:
        """Capabilities."""
        return self.model.offers

    @property
    def explainers(self) -> tuple[str, ...]:
        """Methods that `explain` accepts for this model."""
        return available(self.model)

    @property
    def unit(self) -> str:
        """Of predictions and attributions, such as W."""
        return self.model.unit

    @property
    def spaces(self) -> tuple[str, ...]:
        """Of a classifier: margin, probability or both; the first unless chosen."""
        return self.model.spaces

    @property
    def version(self) -> str:
        """Of the bundle: when it was made, and the first digits of its hash."""
        return self.model.version

    def rows(self, X: Any) -> np.ndarray:
        """What is given as rows (b, n) of the model: of a table, frames with texts for categories; files, bytes or
        pictures; sentences. Raises InputError, SchemaError.
        """
        layout = self.model.layout
        if layout.kind == "table":
            return matrix(X, self.features, self.schema)[0]
        return prepared(layout, self.bundle.manifest.preparation, X)

    def predict(self, X: Any) -> np.ndarray:
        """Predictions (rows,) in `unit`, of a class its number in `space`; NaN for a row that cannot be answered."""
        assert self.model.predict is not None
        return self._asked(X, self.model.predict)

    def scores(self, X: Any) -> np.ndarray:
        """All outputs (rows, k) of a classifier, in `space`. Raises CapabilityError for a model of one output."""
        ask = self.model.scores
        if ask is None:
            raise CapabilityError("this model has one output: ask predict")
        return self._asked(X, ask)

    def forecast(self, X: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of a model that forecasts: all steps of windows X, with their lower and upper bounds, (rows, steps) each.

        Raises CapabilityError for another model.
        """
        from ascribe.bundle.forecast import Forecaster

        if self.model.curves is None:
            raise CapabilityError("this model does not forecast: ask predict")
        return Forecaster(self.model, self.model.curves).forecast(X)

    def _asked(self, X: Any, ask: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        rows = self.rows(X)
        good = self.model.check(rows)[0] != "invalid"
        found = np.asarray(ask(np.where(good[:, None], rows, 0.0)), dtype=float)
        found[~good] = np.nan
        return found

    def explain(
        self,
        X: Any,
        method: str = "conditional_shap",
        budget: int | None = None,
        samples: int = 32,
        seed: int = 0,
        estimator: str = "auto",
        groups: Groups | None = None,
        step: Callable[[], None] | None = None,
        value: str = "auto",
        target_stderr: float | None = None,
        tier: str | None = None,
        max_latency_ms: float | None = None,
        output: str | int | None = None,
        space: str | None = None,
        baseline: Any = None,
        steps: int | None = None,
        rule: str = "gauss_legendre",
        tolerance: float = 0.01,
        draws: int = 32,
        noise: float = 0.15,
        segments: Any = None,
        window: int | None = None,
        stride: int | None = None,
        layer: str = "",
    ) -> Attribution:
        """Attributions of rows: `budget` coalitions (None: by the number of players), `samples` completions each.
        `output`, `space`: of a classifier or a bundle of several targets; by itself the class predicted. The rest is
        that of gradient, occlusion and layer methods (`core.options`). `value` and `target_stderr`: see
        `ascribe.explain`; "auto" is the value that training judged best.

        `tier`: fast, balanced, accurate or exact instead of a method; `max_latency_ms`: the most accurate tier that
        was measured to answer so many rows in that time. With `target_stderr` and nothing else chosen, the cheapest
        tier whose every standard error is below it answers.

        Raises InputError, BudgetError, CapabilityError; a bad row is a status, not an error.
        """
        options = Options(
            estimator, budget, samples, seed, frozen(groups), value, target_stderr,
            baseline=baseline if baseline is None or isinstance(baseline, str) else self.rows(baseline)[0],
            segments=None if segments is None else np.asarray(segments),
            path=Path(steps, rule, tolerance, draws, noise), patch=Patch(window, stride), layer=layer,
        )  # fmt: skip
        asked = (
            self if output is None and space is None else self.output(None if output is None else str(output), space)
        )
        method, rows = tiers.named(asked.model, method, tier, max_latency_ms), self.rows(X)
        return timed(lambda: tiers.explain(asked.model, rows, method, options, tier, max_latency_ms, step))

    @property
    def tiers(self) -> tuple[str, ...]:
        """Tiers that `explain` accepts for this model, fastest first."""
        return tiers.offered(self.model)

    def energy(self, X: Any, S: Any) -> Energy:
        """g, log q, means and variances of rows (b, n) under coalitions S (m, n), True = observed.

        Raises CapabilityError if the model has no energy model.
        """
        ask = getattr(self.model.conditional, "energy", None)
        if ask is None:
            raise CapabilityError("this model was bundled without an energy model: train it with `ascribe train`")
        rows, coalitions = matrix(X, self.features)[0], np.atleast_2d(np.asarray(S, dtype=bool))
        if coalitions.shape[1] != len(self.features):
            raise InputError(f"coalitions must be (m, {len(self.features)}), got {coalitions.shape}")
        found: Energy = ask(rows, coalitions)
        return found


def timed(ask: Callable[[], Attribution]) -> Attribution:
    """The answer, with the milliseconds that it took."""
    begin = time.perf_counter()
    a = ask()
    return replace(a, info=replace(a.info, timings={"explain": (time.perf_counter() - begin) * 1e3}))


def frozen(groups: Groups | None) -> dict[str, tuple[str, ...]] | None:
    """Groups that nobody changes any more."""
    return None if groups is None else {name: tuple(members) for name, members in groups.items()}
