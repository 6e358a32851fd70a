"""One-pass explainer: a network that answers with a whole game, whose Shapley values are known in closed form.

    h(S; x) = v(empty) + sum_r c_r(x) (prod_{i in S} q_ri(x) - 1),     0 < q < 1
    e_i(x)  = Shapley values of h = -sum_r c_r d_ri  int_0^1 prod_{j != i} (1 - t d_rj) dt,    d = 1 - q

(the multilinear extension along its diagonal, Owen 1972; Gauss-Legendre nodes t). c and q come from one network of x.

    L = mean over rows and coalitions of (v(x, S) - h(S; x))^2 / var f

Values v have next to no noise, labels of single Shapley values have a variance of several times their own: so the game
is what is learnt, and e is read off it. Products of factors below 1 saturate as conditional games do, where several
features tell the same. Most rows are crossed, each feature from one of two training rows, so that the network has seen
the like when the data drifts: v is known everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own abbreviation

from ascribe.core.scaling import Scores
from ascribe.train.loop import History, Loop, Progress, train
from ascribe.train.masking import observed_masks
from ascribe.train.residual import Averaged, Ramps, Residual

__all__ = ["AmortizedFit", "AmortizedNetwork", "AmortizedOptions", "Label", "fit_amortized"]

Label = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Rows (r, n) in natural units, coalitions (r, k, n) -> v (r, k) in the output's unit."""

JUDGED = 512  # held-out rows that an epoch is judged by
AT_ONCE = 64  # rows labelled at a time
LANES = 16  # sums run over multiples of 64 bytes: otherwise their order, and the last bit, depends on a row's place


@dataclass(frozen=True)
class AmortizedOptions:
    """`products`: R. `masks` per row. `rows` of the table at most, and `crossed` ones beside them. `decay`: of the
    average of weights.
    """

    products: int = 16
    nodes: int = 8
    width: int = 192
    blocks: int = 2
    ramps: int = 8
    masks: int = 16
    rows: int = 16_384
    crossed: int = 65_536
    decay: float = 0.998
    loop: Loop = field(default_factory=lambda: Loop(epochs=24, batch=256, lr=4e-3, weight_decay=1e-2, patience=24))


class AmortizedNetwork(nn.Module):
    """`x (r, n)` in natural units -> `attribution (r, n)` in the output's unit, before the efficiency correction."""

    table: torch.Tensor
    slope: torch.Tensor
    jump: torch.Tensor
    node: torch.Tensor
    weight: torch.Tensor
    sd: torch.Tensor

    def __init__(self, scores: Scores, sd: float, options: AmortizedOptions) -> None:
        super().__init__()
        n = scores.table.shape[0]
        self.n, self.products = n, options.products
        self.ramps = Ramps(options.ramps)
        self.body = Residual((1 + options.ramps) * n, options.products * (n + 1), options.width, options.blocks)
        node, weight = np.polynomial.legendre.leggauss(options.nodes)
        width = np.diff(scores.table.astype(float), axis=1)
        tiny = width < np.finfo(np.float32).tiny * 1e6
        held = {
            "table": scores.table[:, :-1],
            "slope": scores.step * np.where(tiny, 0, 1 / np.where(tiny, 1, width)),
            "jump": scores.step * tiny / 2,
            "node": ((node + 1) / 2).reshape(-1, 1, 1, 1),
            "weight": (weight / 2).reshape(-1, 1, 1, 1),
            "sd": np.array(sd or 1.0),
        }
        for name, value in held.items():
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32))
        self.step = scores.step
        with torch.no_grad():
            self.body.leave.weight.mul_(0.3)
            self.body.leave.bias[self.products :].normal_(-2.5, 1.0)  # products must start apart

    def scores(self, x: torch.Tensor) -> torch.Tensor:
        """`core.scaling.Scores.forward`: each interval adds its share, a run of equal knots half of itself."""
        above = x.unsqueeze(-1) - self.table
        inside = torch.minimum(torch.clamp(above * self.slope, min=0), self.step * (self.slope > 0))
        return (inside + self.jump * (torch.sign(above) + 1)).sum(-1) - 4.0

    def heads(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores -> c (r, R) in standard deviations of f, log q (r, R, n)."""
        out = self.body(torch.cat([z, self.ramps(z).flatten(1)], dim=-1))
        return out[:, : self.products], -F.softplus(out[:, self.products :]).view(-1, self.products, self.n)

    def game(self, z: torch.Tensor, S: torch.Tensor) -> torch.Tensor:
        """(h - v(empty)) / sd under coalitions S (r, k, n) as 0/1 -> (r, k)."""
        c, log_q = self.heads(z)
        return (c.unsqueeze(1) * torch.expm1(S @ log_q.transpose(1, 2))).sum(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        c, log_q = self.heads(self.scores(x))
        d = F.pad(-torch.expm1(log_q), (0, -self.n % LANES))
        factor = (1 - self.node * d).clamp(min=1e-4)  # (nodes, r, R, n)
        others = factor.log().sum(-1, keepdim=True).exp() / factor
        return -self.sd * (c.unsqueeze(-1) * d * (self.weight * others).sum(0)).sum(1)[:, : self.n]


@dataclass(frozen=True, eq=False)
class AmortizedFit:
    """`history`: held-out mean (v - h)^2 per epoch in units of var f."""

    network: AmortizedNetwork
    history: History


def fit_amortized(
    label: Label,
    X: np.ndarray,
    base_value: float,
    scores: Scores,
    held: np.ndarray,
    seed: int = 0,
    device: str = "cpu",
    progress: Progress | None = None,
    max_seconds: float | None = None,
    options: AmortizedOptions | None = None,
) -> AmortizedFit:
    """Learn the games that `label` values on rows `X (rows, n)` in natural units but those `held`, which validate."""
    options = options or AmortizedOptions()
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    kept = np.setdiff1d(np.arange(len(X)), held)
    rows = X[rng.permutation(kept)[: options.rows]]
    rows = np.concatenate([rows, _crossed(X[kept], options.crossed, rng)])
    part = None if progress is None else lambda done, text: progress(0.3 * done, text)
    S, v = _labelled(label, rows, options.masks, rng, part)
    S_held, v_held = _labelled(label, X[held[:JUDGED]], options.masks, np.random.default_rng(seed + 1))
    sd = float(v.std()) or 1.0
    network = AmortizedNetwork(scores, sd, options).to(device)
    both = Averaged(network, options.decay)
    average = both.average
    Z, Z_held = (_on(scores.forward(x), device) for x in (rows, X[held[:JUDGED]]))
    y, y_held = (_on((a - base_value) / sd, device) for a in (v, v_held))
    masks, masks_held = torch.as_tensor(S, device=device), _on(S_held, device)

    def loss(index: np.ndarray, t: float) -> torch.Tensor:
        both.follow()
        at = torch.as_tensor(index, device=device)
        return F.mse_loss(network.game(Z[at], masks[at].float()), y[at])

    def validate() -> float:
        return float(F.mse_loss(average.game(Z_held, masks_held), y_held))

    late = None if progress is None else lambda done, text: progress(0.3 + 0.7 * done, text)
    loop = replace(options.loop, max_seconds=max_seconds)
    history = train(both, len(rows), loss, validate, loop, rng, late)
    return AmortizedFit(average.eval().cpu(), history)


def _crossed(X: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Rows that take a random share of their features from one row and the rest from another."""
    a, b = (X[rng.integers(len(X), size=count)] for _ in range(2))
    return np.where(rng.random(a.shape) < rng.random((count, 1)), a, b)


def _labelled(
    label: Label, X: np.ndarray, k: int, rng: np.random.Generator, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Coalitions (r, k, n), sizes uniform, each with its complement, and their values (r, k)."""
    half = observed_masks(len(X) * (k // 2), X.shape[1], 1.0, rng, "uniform").reshape(len(X), k // 2, -1)
    S = np.concatenate([half, ~half], axis=1)
    v = np.empty(S.shape[:2])
    for at in range(0, len(X), AT_ONCE):
        v[at : at + AT_ONCE] = label(X[at : at + AT_ONCE], S[at : at + AT_ONCE])
        if progress and at % (AT_ONCE * 16) == 0:
            progress(at / len(X), "valuing coalitions")
    return S, v


def _on(a: np.ndarray, device: str) -> torch.Tensor:
    return torch.as_tensor(a, dtype=torch.float32, device=device)
