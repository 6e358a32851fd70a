"""All that a model was probed for, on the same rows."""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.probes.robustness import Robustness
from ascribe.core.probes.stability import Stability

__all__ = ["Probes"]


@dataclass(frozen=True, eq=False)
class Probes:
    """`robust`: one of each attack; `stable`: one of each method; `refused`: what could not be asked, and why."""

    robust: tuple[Robustness, ...]
    stable: tuple[Stability, ...]
    rows: int
    unit: str
    output: str
    version: str
    seed: int
    refused: tuple[str, ...] = ()
