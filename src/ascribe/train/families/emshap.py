"""EmSHAP: a proposal with joint dependence, and an energy network that tilts it.

    L_q = - log q(x_u | x_S)                                              hidden part only        (eq. 14, proposal)
    L_t = t(x, S) + log (1/s) sum_k exp(-t(z_k, S)),   z_k ~ q detached    importance-sampled Z    (eq. 14, energy)

The proposal is a closed-form factor mixture, then the GRU's correction of it, each kept only where it raises the
likelihood of rows that were held out; the energy is trained last, with the proposal frozen. After Lu et al., arXiv
2404.01078, with the corrections of `docs/decisions/0002-energy-as-a-tilt.md` and `0009-factor-mixture.md`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ascribe.core.scaling import Scores
from ascribe.train.emshap.mixture_choice import chosen, splits_of
from ascribe.train.emshap.networks import Proposal, Tilt
from ascribe.train.emshap.scored_rows import ScoredRows, paired
from ascribe.train.loop import History, Loop, Progress, train

__all__ = ["EmShapFit", "EmShapOptions", "fit_emshap"]

GAIN_DRAWS = 64
WHOLE = 50  # rows for each component and feature, from which the mixture is fitted again on every row


@dataclass(frozen=True)
class EmShapOptions:
    """Sizes and schedules. `components`: most of the mixture (None: as the rows allow). `encoder`: gru, mlp, set, or
    None for the mixture alone. `tau` bounds the tilt: |t| <= tau, so ess/s >= 1/cosh(tau)^2. `draws`: s of L_t.
    `noise`: sd of the noise on observed scores in training. `masking`: see `masking.observed_masks`. `steps`: least
    number of training steps of the correction, which small tables reach by more epochs.
    """

    components: int | None = None
    rank: int = 8
    encoder: str | None = "gru"
    hidden: int = 64
    embedding: int = 8
    energy_width: int = 64
    energy_blocks: int = 2
    tau: float = 1.0
    draws: int = 16
    noise: float = 0.005
    masking: str = "mixed"
    validation: float = 0.15
    steps: int = 600
    loop: Loop = field(default_factory=lambda: Loop(epochs=8, batch=256, lr=4e-3, weight_decay=1e-3, patience=8))
    energy_loop: Loop = field(default_factory=lambda: Loop(epochs=5, batch=512, lr=2e-3, weight_decay=1e-3, patience=3))


@dataclass(frozen=True, eq=False)
class EmShapFit:
    """Trained parts. `gain`: held-out log-likelihood of the energy over the proposal alone, in nats per row, with its
    standard error; `correction`: that of the network's correction over the mixture alone (0, 0 where there is none; it
    is kept where it gains more than two standard errors). Histories hold validation losses in nats per row. `held`:
    positions of the rows that validated and that no gradient has seen.
    """

    scores: Scores
    proposal: Proposal
    tilt: Tilt
    proposal_history: History
    tilt_history: History
    gain: tuple[float, float]
    correction: tuple[float, float]
    held: np.ndarray


def fit_emshap(
    X: np.ndarray,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
    options: EmShapOptions | None = None,
    max_seconds: float | None = None,
    held: np.ndarray | None = None,
) -> EmShapFit:
    """Fit on rows `X (rows, n)` in natural units. `held`: positions of the rows that validate; None: every seventh or
    so, drawn by `seed`.
    """
    options = options or EmShapOptions()
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    order = rng.permutation(len(X))
    drawn = held is None
    held = order[: max(2, round(options.validation * len(X)))] if held is None else rng.permutation(held)
    kept = order[~np.isin(order, held)]
    part = _weighted(progress)

    def scored(scores: Scores) -> ScoredRows:
        return ScoredRows(scores, X, np.random.default_rng(seed), options.masking, options.noise, device)

    splits = splits_of(kept, held, drawn)
    choice = chosen(X, scored, splits, seed, options.rank, options.components, part(0.0, 0.1, "mixture"))
    rows, mixture = choice.rows, choice.fitted(kept)
    limit = None if max_seconds is None else 0.7 * max_seconds
    plain = Proposal(mixture, None, options.hidden, options.embedding).to(device)
    correction, first = (0.0, 0.0), History([float(rows.nll(plain, held, seed).mean())], 0, 0, 0.0)
    proposal = plain
    if options.encoder is not None:
        proposal = Proposal(mixture, options.encoder, options.hidden, options.embedding).to(device)
        loop = _limited(_lengthened(options, len(kept)), limit)
        first = train(
            proposal,
            len(kept),
            lambda index, t: rows.proposal_loss(proposal, kept[index], t, rng),
            lambda: float(rows.nll(proposal, held, seed).mean()),
            loop,
            rng,
            part(0.1, 0.8, "proposal"),
        )
        correction = paired(rows.nll(plain, held, seed) - rows.nll(proposal, held, seed))
        if correction[0] <= 2 * correction[1]:
            proposal = plain
            if len(X) >= WHOLE * choice.parts * X.shape[1]:  # too few parameters for held rows to be remembered by
                whole = choice.fitted(np.arange(len(X)))
                proposal = Proposal(whole, None, options.hidden, options.embedding).to(device)
    proposal.requires_grad_(False)
    tilt = Tilt(X.shape[1], options.energy_width, options.energy_blocks, options.tau).to(device)
    dice = torch.Generator(device=device).manual_seed(seed)

    def gain() -> tuple[float, float]:
        """log p - log q of held-out rows; the same masks and draws each time."""
        fixed, again = np.random.default_rng(seed + 2), torch.Generator(device=device).manual_seed(seed + 2)
        parts = np.array_split(held[:2048], math.ceil(len(held[:2048]) / 512))
        with torch.no_grad():
            found = [rows.tilt_terms(proposal, tilt, p, 1.0, fixed, GAIN_DRAWS, again) for p in parts]
        return paired(-torch.cat(found).cpu().numpy())

    second = train(
        tilt,
        len(kept),
        lambda index, t: rows.tilt_terms(proposal, tilt, kept[index], t, rng, options.draws, dice).mean(),
        lambda: -gain()[0],
        _limited(options.energy_loop, None if max_seconds is None else 0.3 * max_seconds),
        rng,
        part(0.8, 1.0, "energy"),
    )
    return EmShapFit(rows.scores, proposal.cpu(), tilt.cpu(), first, second, gain(), correction, held)


def _lengthened(options: EmShapOptions, rows: int) -> Loop:
    """Epochs enough for `steps`."""
    loop = options.loop
    return replace(loop, epochs=max(loop.epochs, math.ceil(options.steps / math.ceil(rows / loop.batch))))


def _limited(loop: Loop, seconds: float | None) -> Loop:
    return replace(loop, max_seconds=seconds)


def _weighted(progress: Progress | None) -> Callable[[float, float, str], Progress | None]:
    """Progress of one stage as a part of the whole."""

    def part(begin: float, end: float, word: str) -> Progress | None:
        if progress is None:
            return None
        return lambda done, text: progress(begin + (end - begin) * done, f"{word}: {text}")

    return part
