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

from ascribe.core.scaling import Scores, fit_scores
from ascribe.train.densities import draw_q, log_q
from ascribe.train.emshap_networks import Proposal, Tilt
from ascribe.train.factor_mixture import FactorMixture, components_within, fit_factor_mixture
from ascribe.train.loop import History, Loop, Progress, train
from ascribe.train.masking import observed_masks

__all__ = ["EmShapFit", "EmShapOptions", "fit_emshap"]

GAIN_DRAWS = 64
FOLDS, FOLDS_BELOW = 5, 6000  # rows: above, the held-out part alone tells well enough
WHOLE = 50  # rows for each component and feature, from which the mixture is fitted again on every row
CHOICE_COMPONENTS = 8  # by which the scores are chosen


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
    splits = _splits(kept, held, drawn)
    rows = _scored(X, splits, seed, options, device)
    scores = rows.scores
    part = _weighted(progress)
    components = _components(rows, splits, seed, options, part(0.0, 0.1, "mixture"))[0]
    mixture = _fitted(rows, kept, components, seed, options)
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
        correction = _paired(rows.nll(plain, held, seed) - rows.nll(proposal, held, seed))
        if correction[0] <= 2 * correction[1]:
            proposal = plain
            if len(X) >= WHOLE * mixture.c * X.shape[1]:  # too few parameters for held rows to be remembered by
                whole = _fitted(rows, np.arange(len(X)), components, seed, options)
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
        return _paired(-torch.cat(found).cpu().numpy())

    second = train(
        tilt,
        len(kept),
        lambda index, t: rows.tilt_terms(proposal, tilt, kept[index], t, rng, options.draws, dice).mean(),
        lambda: -gain()[0],
        _limited(options.energy_loop, None if max_seconds is None else 0.3 * max_seconds),
        rng,
        part(0.8, 1.0, "energy"),
    )
    return EmShapFit(scores, proposal.cpu(), tilt.cpu(), first, second, gain(), correction, held)


class _Rows:
    """The training rows as scores, and the terms of the two losses over them."""

    def __init__(
        self, scores: Scores, X: np.ndarray, rng: np.random.Generator, options: EmShapOptions, device: str
    ) -> None:
        self.scores = scores
        self.spread, self.middle = _on(scores.randomise(X, rng), device), _on(scores.forward(X), device)
        self.options, self.device, self.n = options, device, X.shape[1]

    def masked(self, index: np.ndarray, t: float, source: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores with atoms spread where hidden (a density is fitted) and in the middle where observed (as served)."""
        masks = observed_masks(len(index), self.n, t, source, self.options.masking)
        observed = torch.as_tensor(masks, device=self.device)
        at = torch.as_tensor(index, device=self.device)
        return torch.where(observed, self.middle[at], self.spread[at]), observed

    def proposal_loss(
        self, proposal: Proposal, index: np.ndarray, t: float, source: np.random.Generator
    ) -> torch.Tensor:
        z, observed = self.masked(index, t, source)
        seen = z + self.options.noise * torch.randn_like(z)
        return -log_q(proposal(seen, observed), z, observed).mean() / self.n

    def nll(self, proposal: torch.nn.Module, index: np.ndarray, seed: int) -> np.ndarray:
        """-log q of each row under one mask; the same masks for every proposal and epoch: fits are compared."""
        fixed = np.random.default_rng(seed + 1)
        found = []
        with torch.no_grad():
            for part in _parts(index):
                z, observed = self.masked(part, 1.0, fixed)
                found.append(-log_q(proposal(z, observed), z, observed).cpu().numpy())
        return np.concatenate(found)

    def fixed_masks(self, index: np.ndarray, seed: int) -> list[np.ndarray]:
        """The masks of `nll`, part by part."""
        fixed = np.random.default_rng(seed + 1)
        return [observed_masks(len(part), self.n, 1.0, fixed, self.options.masking) for part in _parts(index)]

    def tilt_terms(
        self,
        proposal: Proposal,
        tilt: Tilt,
        index: np.ndarray,
        t: float,
        source: np.random.Generator,
        s: int,
        dice: torch.Generator,
    ) -> torch.Tensor:
        """t(x) + log mean exp(-t(z_k)) (r,): 0 everywhere while the tilt is constant."""
        z, observed = self.masked(index, t, source)
        with torch.no_grad():
            drawn = draw_q(proposal(z, observed), s, dice)
        full = torch.where(observed[:, None], z[:, None], drawn).reshape(-1, self.n)
        wide = observed[:, None].expand(-1, s, -1).reshape(-1, self.n)
        return tilt(z, observed) + torch.logsumexp(-tilt(full, wide).view(len(index), s), 1) - math.log(s)


Splits = list[tuple[np.ndarray, np.ndarray]]  # rows to fit on, rows to judge on


def _splits(kept: np.ndarray, held: np.ndarray, drawn: bool) -> Splits:
    """By what mixtures are compared: the held-out rows; of a small table whose rows were drawn, five folds of all."""
    if not drawn or len(kept) > FOLDS_BELOW:
        return [(kept, held)]
    folds = np.array_split(np.concatenate([held, kept]), FOLDS)
    return [(np.concatenate(folds[:k] + folds[k + 1 :]), fold) for k, fold in enumerate(folds)]


def _scored(X: np.ndarray, splits: Splits, seed: int, options: EmShapOptions, device: str) -> _Rows:
    """Rows under the scores that make judged rows likelier, in natural units, by a small mixture: normal quantiles,
    or straight lines where they gain more than two standard errors.
    """
    plain, straight = fit_scores(X), fit_scores(X, straight=True)
    found = [_Rows(s, X, np.random.default_rng(seed), options, device) for s in (plain, straight)]
    if np.array_equal(plain.table, straight.table):
        return found[0]
    nll = []
    for rows in found:
        told = _components(rows, splits, seed, replace(options, components=CHOICE_COMPONENTS), None)[1]
        for k, (_, judge) in enumerate(splits):
            Z = rows.spread[torch.as_tensor(judge, device=device)].cpu().numpy()
            hidden = ~np.concatenate(rows.fixed_masks(judge, seed))
            told[k] = told[k] - (rows.scores.log_slope(Z) * hidden).sum(axis=1)
        nll.append(np.concatenate(told))
    gain, error = _paired(nll[0] - nll[1])
    return found[1] if gain > 2 * error else found[0]


def _components(
    rows: _Rows, splits: Splits, seed: int, options: EmShapOptions, progress: Progress | None
) -> tuple[int, list[np.ndarray]]:
    """How many components make judged rows likeliest, and -log q of each part; more only for more than two standard
    errors.
    """
    sizes = components_within(min(len(fit) for fit, _ in splits), rows.n)
    sizes = [c for c in sizes if options.components is None or c <= options.components]
    best, lowest = sizes[0], None
    for k, c in enumerate(sizes):
        nll = [rows.nll(_fitted(rows, fit, c, seed, options), judge, seed) for fit, judge in splits]
        if lowest is not None:
            gain, error = _paired(np.concatenate(lowest) - np.concatenate(nll))
            if gain <= 2 * error:
                continue  # four may be no better than two, and eight be
        best, lowest = c, nll
        if progress:
            progress((k + 1) / len(sizes), f"{c} components, {np.concatenate(nll).mean():.3f} nats a row")
    assert lowest is not None
    return best, lowest


def _fitted(rows: _Rows, index: np.ndarray, components: int, seed: int, options: EmShapOptions) -> FactorMixture:
    Z = rows.spread[torch.as_tensor(index, device=rows.device)].cpu().numpy()
    return fit_factor_mixture(Z, components, options.rank, seed).to(rows.device)


def _parts(index: np.ndarray) -> list[np.ndarray]:
    return np.array_split(index, math.ceil(len(index) / 2048))


def _paired(difference: np.ndarray) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(difference.mean()), float(difference.std(ddof=1) / math.sqrt(len(difference)))


def _lengthened(options: EmShapOptions, rows: int) -> Loop:
    """Epochs enough for `steps`."""
    loop = options.loop
    return replace(loop, epochs=max(loop.epochs, math.ceil(options.steps / math.ceil(rows / loop.batch))))


def _limited(loop: Loop, seconds: float | None) -> Loop:
    return replace(loop, max_seconds=seconds)


def _on(a: np.ndarray, device: str) -> torch.Tensor:
    return torch.as_tensor(a, dtype=torch.float32, device=device)


def _weighted(progress: Progress | None) -> Callable[[float, float, str], Progress | None]:
    """Progress of one stage as a part of the whole."""

    def part(begin: float, end: float, word: str) -> Progress | None:
        if progress is None:
            return None
        return lambda done, text: progress(begin + (end - begin) * done, f"{word}: {text}")

    return part
