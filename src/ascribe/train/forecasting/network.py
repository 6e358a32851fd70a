"""The sequence-to-sequence network: GRU encoder over patches of the context, attention, GRU decoder over patches ahead.

    e_1 ... e_E = GRU(patches of the context)                       patch: P steps with all their inputs
    context_k   = attention(s_{k-1}; e)                             s_0 = e_E
    s_k         = GRU([ahead_k, context_k, (patch k - 1)], s_{k-1})
    patch k     = rest_k + W2 ReLU(W1 ReLU(s_k))                    P scores, and the way to each quantile

`ahead_k` is what is known of patch k before anything is forecast: the seasonal regression, the same time of a day and
of a week before, the calendar. `rest` is the seasonal regression, so that the network forecasts what that leaves over,
or nothing. Quantiles are the median and positive steps away from it: they cannot cross. Everything is in scores of the
window; the last patch may reach beyond the horizon and is cut.
"""

from __future__ import annotations

import math
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad, softplus

from ascribe.train.forecasting.attending import Attending
from ascribe.train.forecasting.front import Front, Seen
from ascribe.train.forecasting.options import NetworkOptions
from ascribe.train.forecasting.seasonal import Seasonal

__all__ = ["Forecaster", "Scores", "Seq2Seq"]

QUARTERS = 4  # of a day, at least, unless a day is a patch


class Scores(NamedTuple):
    """median (b, h); quantiles (b, h, q) of the levels; weights (b, heads, patches ahead, patches of the context)."""

    median: Tensor
    quantiles: Tensor
    weights: Tensor


class Seq2Seq(nn.Module):
    """Scores of a window from what the front sees. `below`, `above`: how many levels lie on either side of .5."""

    def __init__(self, front: Front, options: NetworkOptions) -> None:
        super().__init__()
        window, self.options = front.window, options
        self.patch = min(options.patch, max(1, window.day // QUARTERS)) if options.patch else window.day
        self.context, self.horizon = window.context, window.horizon
        self.taken = [
            k for k, name in enumerate(window.inputs) if name in ("value", "observed", *options.calendar)
            or not name.startswith(("minute_", "weekday_", "monthday_"))
        ]  # fmt: skip
        self.below = sum(level < 0.5 for level in options.levels)
        self.above = sum(level > 0.5 for level in options.levels)
        self.median = 0.5 in options.levels
        lags = len(self._lags(front.j))
        ahead = self.patch * (1 + lags) + 4 + 7
        fed = self.patch if options.decoding == "stepwise" else 0
        h, drop = options.hidden, options.dropout if options.layers > 1 else 0.0
        columns = len(self.taken) * (self.patch if options.whole else 1)
        self.encoder = nn.GRU(columns, h, options.layers, batch_first=True, dropout=drop)
        self.decoder = nn.GRU(ahead + h + fed, h, options.layers, batch_first=True, dropout=drop)
        self.attending = Attending(h, options.heads if options.attention == "multi-head" else 0, options.dropout)
        last = nn.Linear(options.dense, self.patch * (1 + self.below + self.above))
        thin = nn.Dropout(options.dropout)
        self.dense = nn.Sequential(nn.ReLU(), thin, nn.Linear(h, options.dense), nn.ReLU(), thin, last)
        with torch.no_grad():
            last.weight.mul_(0.1)  # it begins near the seasonal regression
            last.bias.zero_()

    def forward(self, seen: Seen, seasonal: Tensor, told: Tensor | None = None) -> Scores:
        """`seasonal (b, h)`: scores of the regression. `told (b, h)`: in training, patches to be fed instead of the
        network's own, NaN where it feeds its own.
        """
        states, state = self.encoder(self._patches(seen.inputs[..., self.taken]))
        held = self.attending.keys(states)
        ahead = self._ahead(seen, seasonal)
        rest = self._cut(seasonal) if self.options.rest else torch.zeros_like(self._cut(seasonal))
        given = None if told is None else self._cut(told)
        before, found, weights = self._newest(seen.score), [], []
        for k in range(ahead.shape[1]):
            context, looked = self.attending(state[-1], held)
            parts = [ahead[:, k], context] + ([before] if self.options.decoding == "stepwise" else [])
            out, state = self.decoder(torch.cat(parts, dim=1).unsqueeze(1), state)
            patch = self.dense(out.squeeze(1)).unflatten(1, (self.patch, -1))
            patch = torch.cat([patch[..., :1] + rest[:, k].unsqueeze(-1), patch[..., 1:]], dim=-1)
            before = patch[..., 0]
            if given is not None:
                before = torch.where(torch.isfinite(given[:, k]), given[:, k], before)
            found.append(patch)
            weights.append(looked)
        return Scores(*self._levels(torch.cat(found, dim=1)[:, : self.horizon]), torch.cat(weights, dim=2))

    def _levels(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """(b, h, 1 + below + above) -> the median, and the quantiles in the order of the levels."""
        median, steps = raw[..., :1], softplus(raw[..., 1:])
        down = median - torch.cumsum(steps[..., : self.below], dim=-1).flip(-1)
        up = median + torch.cumsum(steps[..., self.below :], dim=-1)
        return median.squeeze(-1), torch.cat([down, *([median] if self.median else []), up], dim=-1)

    def _patches(self, inputs: Tensor) -> Tensor:
        """(b, c, i) -> (b, ceil(c / P), P i), or i means; the first patch is filled with its first step."""
        short = -self.context % self.patch
        if short:
            inputs = torch.cat([inputs[:, :1].expand(-1, short, -1), inputs], dim=1)
        patches: Tensor = inputs.unflatten(1, (-1, self.patch))
        return patches.flatten(2) if self.options.whole else patches.mean(dim=2)

    def _newest(self, score: Tensor) -> Tensor:
        """(b, P): the last patch of the context; of a shorter one, filled with its first step."""
        short = max(0, self.patch - self.context)
        return torch.cat([score[:, :1].expand(-1, short), score[:, -self.patch :]], dim=1)

    def _cut(self, ahead: Tensor) -> Tensor:
        """(b, h) -> (b, patches ahead, P), the last filled with what comes last."""
        short = -self.horizon % self.patch
        if short:
            ahead = torch.cat([ahead, ahead[:, -1:].expand(-1, short)], dim=1)
        cut: Tensor = ahead.unflatten(1, (-1, self.patch))
        return cut

    def _ahead(self, seen: Seen, seasonal: Tensor) -> Tensor:
        """(b, patches ahead, ...): what is known of each before anything is forecast."""
        lags = [self._cut(seen.lags[..., j]) for j in self._lags(seen.lags.shape[-1])]
        middle = slice((self.patch - 1) // 2, None, self.patch)
        short = -self.horizon % self.patch
        clock = pad(torch.cat([seen.moment, seen.weekday], dim=-1), (0, 0, 0, short))[:, middle]
        return torch.cat([self._cut(seasonal), *lags, clock], dim=-1)

    @staticmethod
    def _lags(j: int) -> list[int]:
        """Which same-time lags a patch ahead sees: the nearest and the furthest."""
        return sorted({0, j - 1}) if j else []


class Forecaster(nn.Module):
    """x (b, n) float32, natural units -> forecast (b, h), quantiles (b, h, q): means of the networks, in scores; then
    quantiles are moved by `offsets (h, q)`. `least`: nothing is forecast below; -inf for no such bound.
    """

    offsets: Tensor
    under: Tensor
    over: Tensor

    def __init__(self, seasonal: Seasonal, networks: list[Seq2Seq], offsets: Tensor, least: float = -math.inf) -> None:
        super().__init__()
        self.front, self.seasonal, self.networks = seasonal.front, seasonal, nn.ModuleList(networks)
        self.least = least
        levels = torch.tensor(networks[0].options.levels)
        self.register_buffer("offsets", offsets)
        self.register_buffer("under", levels < 0.5)
        self.register_buffer("over", levels > 0.5)

    @property
    def first(self) -> Seq2Seq:
        """One of the networks, all of which have the same sizes."""
        return cast(Seq2Seq, self.networks[0])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.attended(x)[:2]

    def attended(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """And the weights of the same pass (b, heads, patches ahead, patches of the context)."""
        seen = self.front(x)
        median, quantiles, weights = self.scores(seen)
        quantiles = torch.where(self.under, torch.minimum(quantiles, median.unsqueeze(-1)), quantiles)
        quantiles = torch.where(self.over, torch.maximum(quantiles, median.unsqueeze(-1)), quantiles)
        forecast, quantiles = self.front.straight(median, seen), self.front.straight(quantiles, seen)
        if math.isfinite(self.least):
            forecast, quantiles = forecast.clamp(min=self.least), quantiles.clamp(min=self.least)
        return forecast, quantiles, weights

    def scores(self, seen: Seen) -> Scores:
        """Means of the networks; the quantiles moved."""
        base = self.seasonal.score(seen)
        told = [network(seen, base) for network in self.networks]
        median, quantiles, weights = (torch.stack(part).mean(dim=0) for part in zip(*told, strict=True))
        return Scores(median, quantiles + self.offsets, weights)
