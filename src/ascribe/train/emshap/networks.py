"""EmSHAP's two networks: the proposal q(x_u | x_S) and the energy's tilt t(x, S)."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own abbreviation

from ascribe.train.emshap.encoders import ENCODERS
from ascribe.train.emshap.factor_mixture import FactorMixture, Head

__all__ = ["Proposal", "Tilt"]

REACH = 3.0  # a correction changes logits and log-variances by at most this much


class Proposal(nn.Module):
    """`score (r, n)`, `observed (r, n)` bool -> logits (r, c), mean (r, c, n), diag (r, c, n), factor (r, c, n, l).

    A factor mixture's closed-form conditional, corrected by a network: with the state h of an encoder (GRU by default)

        logits + a(h),   mean + b(h),   diag * exp(e(h)),   factor * exp(g(h))  row by row

    a, b, e, g affine and 0 at the start. Step j of the encoder reads [score_j or the mixture's mean, the mixture's
    variance or 0, embedding_j, observed_j]. Hidden scores never enter: `where`, not a product, since 0 * NaN is NaN.
    `encoder` None: no correction.
    """

    def __init__(self, mixture: FactorMixture, encoder: str | None, hidden: int, embedding: int) -> None:
        super().__init__()
        self.mixture = mixture
        self.c, self.n, self.rank = mixture.loading.shape
        self.encoder: nn.Module | None = None
        if encoder is not None:
            self.embedding = nn.Parameter(0.3 * torch.randn(self.n, embedding))
            self.encoder = ENCODERS[encoder](self.n, 3 + embedding, hidden)
            width = int(self.encoder.width)  # type: ignore[arg-type]
            self.logits = nn.Linear(width, self.c)
            self.shift, self.widen, self.stretch = (nn.Linear(width, self.c * self.n) for _ in range(3))
            for head in (self.logits, self.shift, self.widen, self.stretch):
                nn.init.zeros_(head.weight)
                nn.init.zeros_(head.bias)

    def forward(self, score: torch.Tensor, observed: torch.Tensor) -> Head:
        logits, mean, diag, factor = self.mixture(score, observed)  # fitted already: no gradient reaches it
        if self.encoder is None:
            return logits, mean, diag, factor
        rows = score.shape[0]
        state = self.encoder(self._steps(score, observed, logits, mean, diag, factor))
        shape = (rows, self.c, self.n)
        return (
            logits + _within(self.logits(state)),
            mean + self.shift(state).view(shape),
            diag * _within(self.widen(state)).view(shape).exp() + 1e-5,
            factor * _within(self.stretch(state)).view(shape).exp().unsqueeze(-1),
        )

    def _steps(
        self,
        score: torch.Tensor,
        observed: torch.Tensor,
        logits: torch.Tensor,
        mean: torch.Tensor,
        diag: torch.Tensor,
        factor: torch.Tensor,
    ) -> torch.Tensor:
        pi = logits.exp().unsqueeze(1)  # normalised already
        centre = (pi @ mean).squeeze(1)
        second = (pi @ (mean**2 + diag + (factor**2).sum(3))).squeeze(1)
        known = torch.where(observed, score, centre)
        unsure = torch.where(observed, torch.zeros_like(score), second - centre**2)
        seen = observed.to(score.dtype)
        place = self.embedding.expand(score.shape[0], -1, -1)
        return torch.cat([known.unsqueeze(-1), unsure.unsqueeze(-1), place, seen.unsqueeze(-1)], dim=-1)


class Tilt(nn.Module):
    """`score (r, n)` of a completed row, `observed (r, n)` bool -> `tilt (r,)` = tau tanh(a / tau).

    a: MLP with skip connections; its last layer starts at 0, so the energy starts as the proposal's own.
    """

    def __init__(self, n: int, width: int, blocks: int, tau: float) -> None:
        super().__init__()
        self.tau = tau
        self.enter = nn.Linear(2 * n, width)
        self.blocks = nn.ModuleList(nn.Sequential(nn.SiLU(), nn.Linear(width, width)) for _ in range(blocks))
        self.leave = nn.Linear(width, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, score: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
        h = self.enter(torch.cat([score, observed.to(score.dtype)], dim=-1))
        for block in self.blocks:
            h = h + block(h)
        return self.tau * torch.tanh(self.leave(F.silu(h)).squeeze(-1) / self.tau)


def _within(a: torch.Tensor) -> torch.Tensor:
    return REACH * torch.tanh(a / REACH)
