"""One-pass explainer: a network that answers with a whole game, whose Shapley values are known in closed form.

    h(S; x) = v(empty) + sum_{i in S} a_i(x) + sum_r c_r(x) (prod_{i in S} q_ri(x) - 1),     0 < q < 1
    e_i(x)  = Shapley values of h = a_i - sum_r c_r d_ri  int_0^1 prod_{j != i} (1 - t d_rj) dt,    d = 1 - q

(the multilinear extension along its diagonal, Owen 1972; Gauss-Legendre nodes t). A feature enters twice: with all
others into a state of the row, and alone into codes that the state is multiplied with,

    a_i = state_0(x)' code_i0(x_i),      d_ri = sigmoid(bias_ri + state_r(x)' code_ir(x_i))

as in the game of a network whose first layer adds what features say: what i brings is its own code times what the rest
makes of it, which holds where a feature meets values of others that it never met.

    L = mean over rows and coalitions of (v(x, S) - h(S; x))^2 / var f

Values v have next to no noise, labels of single Shapley values have a variance of several times their own: so the game
is what is learnt, and e is read off it. v is known everywhere: rows are made (`train.rows`), and fresh ones all along.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 - torch's own abbreviation

from ascribe.core.scaling import REACH, Scores
from ascribe.train.emshap.masking import observed_masks
from ascribe.train.emshap.residual import Averaged, Ramps, Residual
from ascribe.train.loop import History, Loop, Progress, train
from ascribe.train.rows import made_rows

__all__ = ["JUDGED", "AmortizedFit", "AmortizedNetwork", "AmortizedOptions", "Games", "Label", "fit_amortized"]

Label = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""Rows (r, n) in natural units, coalitions (r, k, n) -> v (r, k) in the output's unit."""

JUDGED = 512  # held-out rows that an epoch is judged by
AT_ONCE = 64  # rows labelled at a time
STEEP = 1e30  # slope within a run of equal knots


@dataclass(frozen=True)
class AmortizedOptions:
    """`products`: R. `code`: length of a feature's code for each product, `additive` of the one for a. `masks` per row;
    `rows` made anew every `passes` epochs. `decay`: of the average of weights.

    R and `additive` are multiples of 16: sums run over 64 bytes, otherwise their order, and the last bit, depends on a
    row's place in the batch.
    """

    products: int = 16
    code: int = 8
    additive: int = 32
    nodes: int = 8
    width: int = 192
    blocks: int = 2
    ramps: int = 8
    masks: int = 16
    rows: int = 16_384
    passes: int = 3
    decay: float = 0.998
    loop: Loop = field(default_factory=lambda: Loop(epochs=72, batch=256, lr=4e-3, weight_decay=1e-2, patience=72))


class AmortizedNetwork(nn.Module):
    """`x (r, n)` in natural units -> `attribution (r, n)` in the output's unit, before the efficiency correction."""

    table: torch.Tensor
    slope: torch.Tensor
    middle: torch.Tensor
    node: torch.Tensor
    weight: torch.Tensor
    sd: torch.Tensor

    def __init__(self, scores: Scores, sd: float, options: AmortizedOptions) -> None:
        super().__init__()
        n = scores.table.shape[0]
        self.n, self.products, self.code, self.additive = n, options.products, options.code, options.additive
        self.ramps = Ramps(options.ramps)
        states = self.products * self.code + self.additive
        self.body = Residual((1 + options.ramps) * n, self.products + states, options.width, options.blocks)
        self.codes = nn.Parameter(0.3 * torch.randn(n, 2 + options.ramps, states))
        self.bias = nn.Parameter(torch.randn(n, self.products) - 2.5)  # products must start apart
        node, weight = np.polynomial.legendre.leggauss(options.nodes)
        width = np.diff(scores.table.astype(float), axis=1)
        run = width < np.finfo(np.float32).tiny * 1e6  # of equal knots
        held = {
            "table": scores.table[:, :-1],
            "slope": np.where(run, STEEP, 1 / np.where(run, 1, width)),
            "middle": run / 2,
            "node": ((node + 1) / 2).reshape(-1, 1, 1),
            "weight": (weight / 2).reshape(-1, 1, 1),
            "sd": np.array(sd or 1.0),
        }
        for name, value in held.items():
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32))
        self.step = scores.step
        with torch.no_grad():
            self.body.leave.weight.mul_(0.3)

    def scores(self, x: torch.Tensor) -> torch.Tensor:
        """`core.scaling.Scores.forward`: each interval adds its share, a run of equal knots half of itself at them."""
        above = x.unsqueeze(-1) - self.table
        return (above * self.slope + self.middle).clamp(0, 1).sum(-1) * self.step - REACH

    def heads(self, z: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Scores -> a (n, r), c (r, R), both in standard deviations of f, and logits (n, r, R) of d."""
        bent = self.ramps(z)
        out = self.body(torch.cat([z, bent.flatten(1)], dim=-1))
        alone = torch.cat([z.unsqueeze(-1), torch.ones_like(z).unsqueeze(-1), bent], dim=-1)  # (r, n, 2 + K)
        met = (alone.transpose(0, 1) @ self.codes) * out[:, self.products :]  # (n, r, states)
        cut = self.products * self.code
        logit = met[..., :cut].unflatten(-1, (self.code, self.products)).sum(-2) / self.code**0.5
        return met[..., cut:].sum(-1) / self.additive**0.5, out[:, : self.products], logit + self.bias.unsqueeze(1)

    def game(self, z: torch.Tensor, S: torch.Tensor) -> torch.Tensor:
        """(h - v(empty)) / sd under coalitions S (r, k, n) as 0/1 -> (r, k)."""
        a, c, logit = self.heads(z)
        product = torch.expm1(S @ -F.softplus(logit.transpose(0, 1)))  # (r, k, R)
        return (c.unsqueeze(1) * product).sum(2) + (S @ a.t().unsqueeze(2)).squeeze(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, c, logit = self.heads(self.scores(x))
        d = torch.sigmoid(logit)
        factor = -self.node * d.unsqueeze(1) + 1  # (n, nodes, r, R), at least 1 - the last node: never 0
        others = (self.weight * factor.prod(0)) / factor
        return self.sd * (a - (c * d * others.sum(1)).sum(2)).t()


@dataclass(frozen=True, eq=False)
class Games:
    """Values to learn, on a device: scores `z (r, n)`, coalitions `S (r, k, n)`, `y (r, k)` = (v - v(empty)) / sd."""

    z: torch.Tensor
    S: torch.Tensor
    y: torch.Tensor

    @classmethod
    def of(
        cls, X: np.ndarray, S: np.ndarray, v: np.ndarray, base_value: float, sd: float, scores: Scores, device: str
    ) -> Games:
        z, y = (torch.as_tensor(a, dtype=torch.float32) for a in (scores.forward(X), (v - base_value) / sd))
        return cls(z.to(device), torch.as_tensor(S, device=device), y.to(device))

    def error(self, network: AmortizedNetwork, rows: np.ndarray | None = None) -> torch.Tensor:
        """Mean (v - h)^2 / sd^2, of some rows or all."""
        z, S, y = self.z, self.S, self.y
        if rows is not None:
            z, S, y = (a[torch.as_tensor(rows, device=a.device)] for a in (z, S, y))
        return F.mse_loss(network.game(z, S.float()), y)


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
    """Learn the games that `label` values on rows made from `X (rows, n)` in natural units but those `held`, which
    validate.
    """
    options = options or AmortizedOptions()
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    kept = X[np.setdiff1d(np.arange(len(X)), held)]
    S_held, v_held = _labelled(label, X[held[:JUDGED]], options.masks, np.random.default_rng(seed + 1))
    sd = float(v_held.std()) or 1.0
    network = AmortizedNetwork(scores, sd, options).to(device)
    both = Averaged(network, options.decay)

    def games(rows: np.ndarray, S: np.ndarray, v: np.ndarray) -> Games:
        return Games.of(rows, S, v, base_value, sd, scores, device)

    def fresh() -> Games:
        rows = made_rows(kept, options.rows, scores, rng)
        return games(rows, *_labelled(label, rows, options.masks, rng))

    judging, known, epoch = games(X[held[:JUDGED]], S_held, v_held), fresh(), 0

    def loss(index: np.ndarray, t: float) -> torch.Tensor:
        both.follow()
        return known.error(network, index)

    def validate() -> float:
        nonlocal epoch, known
        epoch += 1
        if epoch % options.passes == 0 and epoch < options.loop.epochs:
            known = fresh()
        return float(judging.error(both.average))

    loop = replace(options.loop, max_seconds=max_seconds)
    history = train(both, options.rows, loss, validate, loop, rng, progress)
    return AmortizedFit(both.average.eval().cpu(), history)


def _labelled(label: Label, X: np.ndarray, k: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Coalitions (r, k, n), sizes uniform, each with its complement, and their values (r, k)."""
    half = observed_masks(len(X) * (k // 2), X.shape[1], 1.0, rng, "uniform").reshape(len(X), k // 2, -1)
    S = np.concatenate([half, ~half], axis=1)
    at = range(0, len(X), AT_ONCE)
    return S, np.concatenate([label(X[k : k + AT_ONCE], S[k : k + AT_ONCE]) for k in at])
