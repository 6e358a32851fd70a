"""Training rows as scores, and the terms of EmSHAP's two losses over them."""

from __future__ import annotations

import math

import numpy as np
import torch

from ascribe.core.scaling import Scores
from ascribe.train.emshap.densities import draw_q, log_q
from ascribe.train.emshap.masking import observed_masks
from ascribe.train.emshap.networks import Proposal, Tilt

__all__ = ["ScoredRows", "paired"]


class ScoredRows:
    """`X (rows, n)` under `scores`; `rng` spreads its atoms. `masking`: see `masking.observed_masks`. `noise`: sd of
    what is added to observed scores in training.
    """

    def __init__(
        self, scores: Scores, X: np.ndarray, rng: np.random.Generator, masking: str, noise: float, device: str
    ) -> None:
        self.scores, self.masking, self.noise = scores, masking, noise
        self.spread, self.middle = _on(scores.randomise(X, rng), device), _on(scores.forward(X), device)
        self.device, self.n = device, X.shape[1]

    def masked(self, index: np.ndarray, t: float, source: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores with atoms spread where hidden (a density is fitted) and in the middle where observed (as served)."""
        masks = observed_masks(len(index), self.n, t, source, self.masking)
        observed = torch.as_tensor(masks, device=self.device)
        at = torch.as_tensor(index, device=self.device)
        return torch.where(observed, self.middle[at], self.spread[at]), observed

    def proposal_loss(
        self, proposal: Proposal, index: np.ndarray, t: float, source: np.random.Generator
    ) -> torch.Tensor:
        z, observed = self.masked(index, t, source)
        seen = z + self.noise * torch.randn_like(z)
        q: torch.Tensor = log_q(proposal(seen, observed), z, observed)
        return -q.mean() / self.n

    def nll(self, proposal: torch.nn.Module, index: np.ndarray, seed: int) -> np.ndarray:
        """-log q of each row under one mask; the same masks for every proposal and epoch: fits are compared."""
        fixed = np.random.default_rng(seed + 1)
        found = []
        with torch.no_grad():
            for part in _parts(index):
                z, observed = self.masked(part, 1.0, fixed)
                found.append(-log_q(proposal(z, observed), z, observed).cpu().numpy())
        return np.concatenate(found)

    def slope(self, index: np.ndarray, seed: int) -> np.ndarray:
        """log dz/dx of what `nll` hides, (r,): `nll` less this is in natural units, whatever the scores are."""
        fixed = np.random.default_rng(seed + 1)
        masks = [observed_masks(len(part), self.n, 1.0, fixed, self.masking) for part in _parts(index)]
        Z = self.spread[torch.as_tensor(index, device=self.device)].cpu().numpy()
        return np.asarray((self.scores.log_slope(Z) * ~np.concatenate(masks)).sum(axis=1))

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
        own: torch.Tensor = tilt(z, observed)
        return own + torch.logsumexp(-tilt(full, wide).view(len(index), s), 1) - math.log(s)


def paired(difference: np.ndarray) -> tuple[float, float]:
    """Mean and its standard error."""
    return float(difference.mean()), float(difference.std(ddof=1) / math.sqrt(len(difference)))


def _parts(index: np.ndarray) -> list[np.ndarray]:
    return np.array_split(index, math.ceil(len(index) / 2048))


def _on(a: np.ndarray, device: str) -> torch.Tensor:
    return torch.as_tensor(a, dtype=torch.float32, device=device)
