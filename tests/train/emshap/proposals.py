"""Proposals that are not trained, and rows for them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from ascribe.train.emshap.encoders import ENCODERS
from ascribe.train.emshap.factor_mixture import FactorMixture
from ascribe.train.emshap.networks import Proposal

N = 5
JUNK = [math.nan, 1e6, -1e6, math.inf]
every_encoder = pytest.mark.parametrize("encoder", ENCODERS)


def a_mixture(n: int = N, c: int = 2, rank: int = 2) -> FactorMixture:
    rng = np.random.default_rng(0)
    return FactorMixture(
        np.full(c, 1 / c), rng.standard_normal((c, n)), rng.uniform(0.2, 1, (c, n)), rng.standard_normal((c, n, rank))
    )


def proposal(encoder: str | None = "gru", mixture: FactorMixture | None = None, seed: int = 0) -> Proposal:
    """As it starts: its correction says nothing yet."""
    torch.manual_seed(seed)
    return Proposal(mixture or a_mixture(), encoder, hidden=8, embedding=3).eval()


def batch(rows: int = 40, n: int = N, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    score = torch.randn(rows, n, generator=generator)
    observed = torch.rand(rows, n, generator=generator) < 0.5
    observed[0], observed[1] = False, True
    return score, observed
