"""How to explain, as a command line said it: an option each; those of one method are refused by the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ascribe.cli.options import (
    Baseline,
    Budget,
    Draws,
    Groups,
    Latency,
    Layer,
    Method,
    Noise,
    Rule,
    Samples,
    Seed,
    Segments,
    Steps,
    Stride,
    Target,
    Tier,
    Value,
    Window,
)
from ascribe.cli.rows import given

__all__ = ["How"]


@dataclass(frozen=True)
class How:
    """`method`: None where none was named. `baseline`: a name, or a file whose first row, picture or sentence it is."""

    groups: Groups = None
    method: Method = None
    budget: Budget = None
    samples: Samples = 32
    seed: Seed = 0
    value: Value = "auto"
    target_stderr: Target = None
    tier: Tier = None
    max_latency_ms: Latency = None
    baseline: Baseline = None
    segments: Segments = None
    steps: Steps = None
    rule: Rule = None
    draws: Draws = None
    noise: Noise = None
    window: Window = None
    stride: Stride = None
    layer: Layer = ""

    def ask(self, model: Any, rows: Any, step: Callable[[], None]) -> Any:
        """The opened model's answer. Raises InputError for an option that the method does not know, and as `explain`:
        it says what there is.
        """
        from ascribe.bundle.tables import read_groups
        from ascribe.core import tiers
        from ascribe.core.explainers import refuse_unused
        from ascribe.core.options import Path as Way

        method = tiers.named(model.model, self.method, self.tier, self.max_latency_ms)
        refuse_unused(method, self._own())
        way = Way()
        return model.explain(
            rows, method, self.budget, self.samples, self.seed, value=self.value, step=step, tier=self.tier,
            groups=read_groups(self.groups) if self.groups else None, target_stderr=self.target_stderr,
            max_latency_ms=self.max_latency_ms, baseline=self._baseline(model), segments=self.segments,
            steps=self.steps, rule=self.rule or way.rule, window=self.window, stride=self.stride, layer=self.layer,
            draws=way.draws if self.draws is None else self.draws,
            noise=way.noise if self.noise is None else self.noise,
        )  # fmt: skip

    def chosen(self) -> list[str]:
        """Names of the options that were given, other than as they are by themselves."""
        return [field.name for field in fields(self) if getattr(self, field.name) != field.default]

    def _own(self) -> list[str]:
        """Options that one method or another takes, as far as they were given."""
        names = ("baseline", "segments", "steps", "rule", "draws", "noise", "window", "stride", "layer")
        return [name for name in names if getattr(self, name) not in (None, "")]

    def _baseline(self, model: Any) -> Any:
        if self.baseline is None or not Path(self.baseline).exists():
            return self.baseline
        return given(model.model.layout.kind, Path(self.baseline)).take([0]).rows
