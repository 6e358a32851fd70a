"""EmSHAP: a GRU proposal with joint dependence, and an energy network that tilts it.

    L_q = - log q(x_u | x_S)                                              hidden part only        (eq. 14, proposal)
    L_t = t(x, S) + log (1/s) sum_k exp(-t(z_k, S)),   z_k ~ q detached    importance-sampled Z    (eq. 14, energy)

The proposal is trained first; the energy then with the proposal frozen. After Lu et al., arXiv 2404.01078, with the
corrections of `docs/decisions/0002-energy-as-a-tilt.md`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own abbreviation

from ascribe.core.scaling import Scores, fit_scores
from ascribe.train.loop import History, Loop, Progress, train
from ascribe.train.masking import observed_masks

__all__ = ["EmShapFit", "EmShapOptions", "Proposal", "Tilt", "fit_emshap"]


@dataclass(frozen=True)
class EmShapOptions:
    """Sizes and schedules. `tau` bounds the tilt: |t| <= tau, so ess/s >= 1/cosh(tau)^2. `draws`: s of L_t. `noise`: sd
    of the noise on observed scores in training. `masking`: see `masking.observed_masks`.
    """

    components: int = 4
    rank: int = 4
    hidden: int = 64
    embedding: int = 8
    energy_width: int = 64
    energy_blocks: int = 2
    tau: float = 1.0
    draws: int = 16
    noise: float = 0.005
    masking: str = "mixed"
    validation: float = 0.15
    loop: Loop = field(default_factory=lambda: Loop(epochs=40, batch=512, lr=4e-3, weight_decay=1e-3, patience=40))
    energy_loop: Loop = field(default_factory=lambda: Loop(epochs=8, batch=512, lr=2e-3, weight_decay=1e-3, patience=4))


class Proposal(nn.Module):
    """`score (r, n)`, `observed (r, n)` bool -> logits (r, c), mean (r, c, n), diag (r, c, n), factor (r, c, n, l).

    Step j of a bidirectional GRU reads [score_j or 0, observed_j, embedding_j]; the heads are affine in the two last
    states. Hidden scores never enter: `where`, not a product, since 0 * NaN is NaN.
    """

    def __init__(self, n: int, options: EmShapOptions) -> None:
        super().__init__()
        self.n, self.c, self.rank = n, options.components, options.rank
        self.embedding = nn.Parameter(0.3 * torch.randn(n, options.embedding))
        self.gru = nn.GRU(2 + options.embedding, options.hidden, batch_first=True, bidirectional=True)
        width = 2 * options.hidden
        self.logits = nn.Linear(width, self.c)
        self.mean = nn.Linear(width, self.c * n)
        self.diag = nn.Linear(width, self.c * n)
        self.factor = nn.Linear(width, self.c * n * self.rank)
        with torch.no_grad():
            self.factor.weight.mul_(0.3)
            self.mean.bias.normal_(0, 0.3)  # components must start apart

    def forward(
        self, score: torch.Tensor, observed: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        rows = score.shape[0]
        known = torch.where(observed, score, torch.zeros_like(score))
        steps = torch.cat(
            [known.unsqueeze(-1), observed.unsqueeze(-1).to(score.dtype), self.embedding.expand(rows, -1, -1)], dim=-1
        )
        _, last = self.gru(steps)
        state = torch.cat([last[0], last[1]], dim=-1)
        return (
            self.logits(state),
            self.mean(state).view(rows, self.c, self.n),
            F.softplus(self.diag(state)).view(rows, self.c, self.n) + 1e-3,
            self.factor(state).view(rows, self.c, self.n, self.rank),
        )


class Tilt(nn.Module):
    """`score (r, n)` of a completed row, `observed (r, n)` bool -> `tilt (r,)` = tau tanh(a / tau).

    a: MLP with skip connections; its last layer starts at 0, so the energy starts as the proposal's own.
    """

    def __init__(self, n: int, options: EmShapOptions) -> None:
        super().__init__()
        self.tau = options.tau
        self.enter = nn.Linear(2 * n, options.energy_width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.SiLU(), nn.Linear(options.energy_width, options.energy_width))
            for _ in range(options.energy_blocks)
        )
        self.leave = nn.Linear(options.energy_width, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, score: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
        h = self.enter(torch.cat([score, observed.to(score.dtype)], dim=-1))
        for block in self.blocks:
            h = h + block(h)
        return self.tau * torch.tanh(self.leave(F.silu(h)).squeeze(-1) / self.tau)


Head = tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]


def log_q(head: Head, z: torch.Tensor, observed: torch.Tensor) -> torch.Tensor:
    """log q(z_u | z_S) (r,); the formula of `core.mixture.Mixture.log_density`, differentiable."""
    logits, mean, diag, factor = head
    h = (~observed).unsqueeze(1)
    D = torch.where(h, diag, torch.ones_like(diag))
    Fh = factor * h.unsqueeze(-1)
    r = torch.where(h, z.unsqueeze(1) - mean, torch.zeros_like(mean))
    scaled = Fh / D.unsqueeze(-1)
    M = torch.eye(factor.shape[-1], device=z.device) + scaled.transpose(2, 3) @ Fh
    L = torch.linalg.cholesky(M)
    c = (scaled * r.unsqueeze(-1)).sum(2)
    white = torch.linalg.solve_triangular(L, c.unsqueeze(-1), upper=False).squeeze(-1)
    quadratic = (r**2 / D).sum(2) - (white**2).sum(2)
    log_det = 2 * torch.diagonal(L, dim1=2, dim2=3).log().sum(2) + D.log().sum(2)
    normal = -0.5 * (quadratic + log_det + h.sum(2) * math.log(2 * math.pi))
    return torch.logsumexp(logits + normal, dim=1) - torch.logsumexp(logits, dim=1)  # exactly 0 if nothing is hidden


def draw_q(head: Head, s: int, generator: torch.Generator) -> torch.Tensor:
    """Plain draws (r, s, n), detached."""
    logits, mean, diag, factor = (t.detach() for t in head)
    rows, _, n, rank = factor.shape
    device = mean.device
    component = torch.multinomial(torch.softmax(logits, dim=1), s, replacement=True, generator=generator)  # (r, s)
    at = torch.arange(rows, device=device)[:, None]
    eps = torch.randn(rows, s, rank, 1, generator=generator, device=device)
    delta = torch.randn(rows, s, n, generator=generator, device=device)
    correlated = (factor[at, component] @ eps).squeeze(-1)
    return mean[at, component] + correlated + diag[at, component].sqrt() * delta


@dataclass(frozen=True, eq=False)
class EmShapFit:
    """Trained parts. `gain`: held-out log-likelihood of the energy over the proposal alone, in nats per row, with its
    standard error. Histories hold validation losses in nats per row. `held`: positions of the rows that validated and
    that no gradient has seen.
    """

    scores: Scores
    proposal: Proposal
    tilt: Tilt
    proposal_history: History
    tilt_history: History
    gain: tuple[float, float]
    held: np.ndarray


def fit_emshap(
    X: np.ndarray,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
    options: EmShapOptions | None = None,
    max_seconds: float | None = None,
) -> EmShapFit:
    """Fit on rows `X (rows, n)` in natural units; every seventh or so row validates, drawn by `seed`."""
    options = options or EmShapOptions()
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    scores = fit_scores(X)
    if scores.normal.all():  # one component is enough; more, and the schedule's uneven sizes, only fit noise
        options = replace(options, components=1, masking="uniform")
    order = rng.permutation(len(X))
    held = order[: max(2, round(options.validation * len(X)))]
    kept = order[len(held) :]
    Z, Z_mid = _on(scores.randomise(X, rng), device), _on(scores.forward(X), device)
    n = X.shape[1]
    proposal, tilt = Proposal(n, options).to(device), Tilt(n, options).to(device)

    def masked(index: np.ndarray, t: float, source: np.random.Generator) -> tuple[torch.Tensor, ...]:
        """Scores with atoms spread where hidden (a density is fitted) and in the middle where observed (as served)."""
        observed = torch.as_tensor(observed_masks(len(index), n, t, source, options.masking), device=device)
        at = torch.as_tensor(index, device=device)
        return torch.where(observed, Z_mid[at], Z[at]), observed

    def proposal_loss(index: np.ndarray, t: float) -> torch.Tensor:
        z, observed = masked(kept[index], t, rng)
        seen = z + options.noise * torch.randn_like(z)
        return -log_q(proposal(seen, observed), z, observed).mean() / n

    def proposal_validation() -> float:
        fixed = np.random.default_rng(seed + 1)  # the same masks each epoch: epochs are compared, not masks
        total = 0.0
        for part in np.array_split(held, math.ceil(len(held) / 2048)):
            z, observed = masked(part, 1.0, fixed)
            total -= float(log_q(proposal(z, observed), z, observed).sum())
        return total / len(held)

    generator = torch.Generator(device=device).manual_seed(seed)

    def tilt_terms(
        index: np.ndarray, t: float, source: np.random.Generator, s: int, dice: torch.Generator = generator
    ) -> torch.Tensor:
        """t(x) + log mean exp(-t(z_k)) (r,): 0 everywhere while the tilt is constant."""
        z, observed = masked(index, t, source)
        with torch.no_grad():
            drawn = draw_q(proposal(z, observed), s, dice)
        full = torch.where(observed[:, None], z[:, None], drawn)
        wide = observed[:, None].expand(-1, s, -1)
        log_z = torch.logsumexp(-tilt(full.reshape(-1, n), wide.reshape(-1, n)).view(len(index), s), 1) - math.log(s)
        return tilt(z, observed) + log_z

    def tilt_validation() -> float:
        return -_gain(tilt_terms, held, seed, device)[0]

    half = None if max_seconds is None else 0.8 * max_seconds
    rest = None if max_seconds is None else 0.2 * max_seconds
    part = _weighted(progress)
    first = train(
        proposal,
        len(kept),
        proposal_loss,
        proposal_validation,
        _limited(options.loop, half),
        rng,
        part(0.0, 0.8, "proposal"),
    )
    proposal.requires_grad_(False)
    second = train(
        tilt, len(kept), lambda i, t: tilt_terms(kept[i], t, rng, options.draws).mean(), tilt_validation,
        _limited(options.energy_loop, rest), rng, part(0.8, 1.0, "energy"),
    )  # fmt: skip
    with torch.no_grad():
        gain = _gain(tilt_terms, held, seed, device)
    return EmShapFit(scores, proposal.cpu(), tilt.cpu(), first, second, gain, held)


def _gain(terms: Callable[..., torch.Tensor], held: np.ndarray, seed: int, device: str) -> tuple[float, float]:
    """Mean and standard error over held-out rows of log p - log q, at 64 draws; the same masks and draws each time."""
    fixed = np.random.default_rng(seed + 2)
    dice = torch.Generator(device=device).manual_seed(seed + 2)
    rows = held[:2048]
    parts = np.array_split(rows, math.ceil(len(rows) / 512))
    gains = -torch.cat([terms(part, 1.0, fixed, 64, dice) for part in parts])
    return float(gains.mean()), float(gains.std() / math.sqrt(len(gains)))


def _on(a: np.ndarray, device: str) -> torch.Tensor:
    return torch.as_tensor(a, dtype=torch.float32, device=device)


def _limited(loop: Loop, seconds: float | None) -> Loop:
    return replace(loop, max_seconds=seconds)


def _weighted(progress: Progress | None):  # type: ignore[no-untyped-def]
    """Progress of one stage as a part of the whole."""

    def part(begin: float, end: float, word: str) -> Progress | None:
        if progress is None:
            return None
        return lambda done, text: progress(begin + (end - begin) * done, f"{word}: {text}")

    return part
