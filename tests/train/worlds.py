"""Small tables with a known law, and sizes of networks that train in a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ascribe.train.families import emshap
from ascribe.train.families.emshap import EmShapFit, EmShapOptions
from ascribe.train.loop import History, Loop

TINY = EmShapOptions(
    components=2, rank=1, hidden=8, embedding=3, energy_width=8, energy_blocks=1, draws=4, steps=1,
    loop=Loop(epochs=3, batch=128, lr=4e-3), energy_loop=Loop(epochs=2, batch=128),
)  # fmt: skip


def crossed(rows: int, seed: int = 0) -> np.ndarray:
    """x1 = +-x0 by a fair coin, x2 = x0 + x3 noise, x3 a counter that is 0 in two rows of five."""
    rng = np.random.default_rng(seed)
    x0, x3 = rng.standard_normal(rows), np.maximum(rng.standard_normal(rows) + 0.25, 0) * 1e9
    sign = np.where(rng.random(rows) < 0.5, 1, -1)
    return np.column_stack([5 + x0, sign * x0 + 0.1 * rng.standard_normal(rows), x0 + rng.standard_normal(rows), x3])


def bent(rows: int, seed: int = 0) -> np.ndarray:
    """The same, but x2 = (x0 - 5)^2 + noise: what two Gaussians cannot say and a network can."""
    X = crossed(rows, seed)
    X[:, 2] = (X[:, 0] - 5) ** 2 + 0.3 * np.random.default_rng([seed, 1]).standard_normal(rows)
    return X


@dataclass(frozen=True)
class Stage:
    """What one stage of the fit hands to the loop."""

    network: nn.Module
    rows: int
    loss: Callable[[np.ndarray, float], torch.Tensor]
    validate: Callable[[], float]


def stages(monkeypatch: Any, X: np.ndarray, **options: Any) -> tuple[Stage, Stage, EmShapFit]:
    """The proposal's stage and the energy's, with networks as they start: nothing is trained, and the correction is
    kept although it gains nothing yet.
    """
    held: list[Stage] = []
    judged, wait = emshap.paired, []

    def spy(network: nn.Module, rows: int, loss: Any, validate: Any, *rest: Any) -> History:
        held.append(Stage(network, rows, loss, torch.no_grad()(validate)))
        wait.append(len(held) == 1)
        return History([0.0], 0, 0, 0.0)

    def gained(difference: np.ndarray) -> tuple[float, float]:
        return (1.0, 0.0) if wait and wait.pop() else judged(difference)  # the question after the first stage

    monkeypatch.setattr(emshap, "train", spy)
    monkeypatch.setattr(emshap, "paired", gained)
    fit = emshap.fit_emshap(X, 0, options=replace(TINY, **options))
    assert fit.proposal is held[0].network
    held[0].network.requires_grad_(True)
    return held[0], held[1], fit


def stirred(network: nn.Module, scale: float = 0.3, seed: int = 0) -> nn.Module:
    """A proposal whose correction, which starts at zero, says something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for head in (network.logits, network.shift, network.widen, network.stretch):
            for p in head.parameters():
                p.copy_(scale * torch.randn(p.shape, generator=generator))
    return network
