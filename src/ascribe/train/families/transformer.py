"""A small Transformer encoder over the features of a table: every feature is a word.

    token_j   the feature's name and which of its values it has: a category, or a bin between quantiles of training rows
    f(x)      linear( encoder( [class], E[token_1], ..., E[token_n] )_class ),      E one table of vectors

So attention is between features, drawn per layer and head, and slopes are taken in the vectors of E, as of words. The
class token stands before the features: `extra = 1`. Gorishniy et al., 2021, arXiv 2106.11959, without its numerical
tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from ascribe.core.errors import InputError
from ascribe.core.features import Feature
from ascribe.train.loop import Loop, train

__all__ = ["TableTransformer", "TransformerOptions", "fit_transformer"]

HELD = 0.1  # share of the rows that training stops on


@dataclass(frozen=True)
class TransformerOptions:
    """`width` numbers a token, `heads` in each of `depth` layers, `bins` of a feature without categories."""

    width: int = 32
    heads: int = 4
    depth: int = 2
    bins: int = 16
    dropout: float = 0.1
    loop: Loop = field(default_factory=lambda: Loop(epochs=6, batch=256, lr=3e-3, weight_decay=1e-3, patience=2))


class TableTransformer(nn.Module):
    """`forward(x (rows, n) natural units) -> margins, then probabilities (rows, 2 k)` of k classes."""

    edges: Tensor
    first: Tensor

    def __init__(self, features: Sequence[Feature], X: np.ndarray, classes: int, options: TransformerOptions) -> None:
        super().__init__()
        edges, counts = _edges(features, X, options.bins)
        self.register_buffer("edges", torch.as_tensor(edges, dtype=torch.float32))
        self.register_buffer("first", torch.as_tensor(np.cumsum([0, *counts[:-1]])))
        self.tokens = nn.Embedding(sum(counts), options.width)
        self.start = nn.Parameter(torch.randn(1, 1, options.width) * 0.1)
        layer = nn.TransformerEncoderLayer(
            options.width, options.heads, 2 * options.width, options.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, options.depth, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.LayerNorm(options.width), nn.Linear(options.width, classes))

    def forward(self, x: Tensor) -> Tensor:
        margin = self.margin(x)
        return torch.cat([margin, margin.softmax(1)], 1)

    def margin(self, x: Tensor) -> Tensor:
        """(rows, k)."""
        place = (x.unsqueeze(2) >= self.edges).sum(2) + self.first
        words = self.tokens(place)
        row = torch.cat([self.start + 0 * words[:, :1], words], 1)
        margin: Tensor = self.head(self.encoder(row)[:, 0])
        return margin


def fit_transformer(
    features: Sequence[Feature], X: np.ndarray, y: np.ndarray, classes: int, seed: int = 0,
    options: TransformerOptions | None = None,
) -> tuple[TableTransformer, float]:  # fmt: skip
    """The network and its accuracy on the tenth of the rows that training stopped on. `X (rows, n)`, `y (rows,)`: the
    number of each row's class.

    Raises InputError for labels that are not 0 ... classes - 1, or rows of another length.
    """
    options = options or TransformerOptions()
    y = np.asarray(y)
    if X.shape != (len(y), len(features)) or not np.isin(y, np.arange(classes)).all():
        raise InputError(f"a row has {len(features)} features and a class in 0 ... {classes - 1}: got {X.shape}")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    held, used = order[: max(1, int(HELD * len(y)))], order[max(1, int(HELD * len(y))) :]
    torch.manual_seed(seed)
    network = TableTransformer(features, X[used], classes, options)
    rows, told = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y.astype(np.int64))

    def loss(index: np.ndarray, t: float) -> Tensor:
        at = torch.as_tensor(used[index])
        return nn.functional.cross_entropy(network.margin(rows[at]), told[at])

    def validate() -> float:
        return float(nn.functional.cross_entropy(network.margin(rows[held]), told[held]))

    train(network, len(used), loss, validate, options.loop, rng)
    network.eval()
    with torch.no_grad():
        right = network.margin(rows[held]).argmax(1) == told[held]
    return network, float(right.float().mean())


def _edges(features: Sequence[Feature], X: np.ndarray, bins: int) -> tuple[np.ndarray, list[int]]:
    """(n, most): where the next value begins, filled up with infinity; and how many values each feature has."""
    found = []
    for j, feature in enumerate(features):
        if feature.categories:
            found.append(np.arange(len(feature.categories) - 1) + 0.5)
        else:
            found.append(np.unique(np.quantile(X[:, j], np.linspace(0, 1, bins + 1)[1:-1])))
    edges = np.full((len(found), max(1, *map(len, found))), np.inf)
    for j, held in enumerate(found):
        edges[j, : len(held)] = held
    return edges, [len(held) + 1 for held in found]
