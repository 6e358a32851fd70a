"""Which scores and which mixture the proposal starts from: what makes rows that are held out likeliest.

In turn, each for more than two standard errors of the paired difference: straight lines instead of normal quantiles as
scores; more components; components that share all but their scale, under straight lines that reach every row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from ascribe.core.scaling import REACH, Scores, fit_scores
from ascribe.train.emshap.factor_mixture import MOST_CELLS, FactorMixture, components_within, fit_factor_mixture
from ascribe.train.emshap.scored_rows import ScoredRows, paired
from ascribe.train.emshap.shared_scale import SCALES, fit_shared_scale
from ascribe.train.loop import Progress

__all__ = ["Choice", "Splits", "chosen", "splits_of"]

FOLDS, FOLDS_BELOW = 5, 6000  # rows: above, the held-out part alone tells well enough
FEW = 8  # components, by which the scores are chosen

Splits = list[tuple[np.ndarray, np.ndarray]]  # rows to fit on, rows to judge on
Fit = Callable[[ScoredRows, np.ndarray], FactorMixture]  # on the rows at these positions


@dataclass(frozen=True, eq=False)
class Choice:
    """`fitted(index)`: the mixture of the rows at these positions. `parts`: components with a covariance of their own;
    `words` for the account.
    """

    rows: ScoredRows
    fit: Fit
    parts: int
    words: str

    def fitted(self, index: np.ndarray) -> FactorMixture:
        return self.fit(self.rows, index)


def splits_of(kept: np.ndarray, held: np.ndarray, drawn: bool) -> Splits:
    """By what mixtures are compared: the held-out rows; of a small table whose rows were drawn, five folds of all."""
    if not drawn or len(kept) > FOLDS_BELOW:
        return [(kept, held)]
    folds = np.array_split(np.concatenate([held, kept]), FOLDS)
    return [(np.concatenate(folds[:k] + folds[k + 1 :]), fold) for k, fold in enumerate(folds)]


def chosen(
    X: np.ndarray,
    scored: Callable[[Scores], ScoredRows],
    splits: Splits,
    seed: int,
    rank: int,
    most: int | None = None,
    progress: Progress | None = None,
) -> Choice:
    """`scored`: the rows `X (rows, n)` under given scores. `most`: components, at most; None: as the rows allow."""
    rows = _scored(X, scored, splits, seed, rank)
    components, told = _components(rows, splits, seed, rank, most, progress)
    free = Choice(rows, _free(components, rank, seed), components, f"{components} components")
    scales = min(SCALES, most or SCALES, MOST_CELLS // rows.n)
    scores = fit_scores(X, straight=np.inf)
    if scales < 2 or np.array_equal(scores.table, fit_scores(X).table):
        return free  # all marginals normal, or none without atoms: no tails to share
    shared = Choice(scored(scores), _shared(scales, rank), 1, "one shape at several scales")
    judged = _natural(shared.rows, _nll(shared.rows, shared.fit, splits, seed), splits, seed)
    gain, error = paired(_natural(rows, told, splits, seed) - judged)
    if gain <= 2 * error:
        return free
    if progress:
        progress(1.0, f"{shared.words}, {gain:.3f} nats a row gained")
    return shared


def _scored(X: np.ndarray, scored: Callable[[Scores], ScoredRows], splits: Splits, seed: int, rank: int) -> ScoredRows:
    """Rows under normal quantiles, or under straight lines where those make a small mixture likelier."""
    tables = fit_scores(X), fit_scores(X, straight=REACH)
    found = [scored(scores) for scores in tables]
    if np.array_equal(tables[0].table, tables[1].table):
        return found[0]
    plain, straight = (_natural(rows, _components(rows, splits, seed, rank, FEW)[1], splits, seed) for rows in found)
    gain, error = paired(plain - straight)
    return found[1] if gain > 2 * error else found[0]


def _components(
    rows: ScoredRows, splits: Splits, seed: int, rank: int, most: int | None, progress: Progress | None = None
) -> tuple[int, np.ndarray]:
    """How many components make judged rows likeliest, and their -log q; more only for more than two standard errors."""
    sizes = components_within(min(len(fit) for fit, _ in splits), rows.n)
    sizes = [c for c in sizes if most is None or c <= most]
    best, lowest = sizes[0], None
    for k, c in enumerate(sizes):
        nll = _nll(rows, _free(c, rank, seed), splits, seed)
        if lowest is not None:
            gain, error = paired(lowest - nll)
            if gain <= 2 * error:
                continue  # four may be no better than two, and eight be
        best, lowest = c, nll
        if progress:
            progress((k + 1) / len(sizes), f"{c} components, {nll.mean():.3f} nats a row")
    assert lowest is not None
    return best, lowest


def _free(components: int, rank: int, seed: int) -> Fit:
    def fit(rows: ScoredRows, index: np.ndarray) -> FactorMixture:
        return fit_factor_mixture(_of(rows, index), components, rank, seed).to(rows.device)

    return fit


def _shared(scales: int, rank: int) -> Fit:
    def fit(rows: ScoredRows, index: np.ndarray) -> FactorMixture:
        return fit_shared_scale(_of(rows, index), scales, rank).to(rows.device)

    return fit


def _of(rows: ScoredRows, index: np.ndarray) -> np.ndarray:
    return np.asarray(rows.spread[torch.as_tensor(index, device=rows.device)].cpu())


def _nll(rows: ScoredRows, fit: Fit, splits: Splits, seed: int) -> np.ndarray:
    """-log q of the judged rows, part after part."""
    return np.concatenate([rows.nll(fit(rows, kept), judge, seed) for kept, judge in splits])


def _natural(rows: ScoredRows, nll: np.ndarray, splits: Splits, seed: int) -> np.ndarray:
    """The same in natural units."""
    return nll - np.concatenate([rows.slope(judge, seed) for _, judge in splits])
