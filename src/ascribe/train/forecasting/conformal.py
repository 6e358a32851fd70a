"""Quantiles moved so that they hold what they say on windows that were not learnt from (split conformal).

    E = y - quantile_a                in scores of the window, over the origins of a held-out block, a group of steps
    offset_a = E_(ceil((m + 1) a))    above the median; its mirror below; then the median over the blocks

so that a share a of what came in a typical block lies below the moved quantile (Y. Romano, E. Patterson, E. Candes,
"Conformalized quantile regression", 2019, each side by itself). What is exchangeable is a block of days rather than a
window: pooled, the days around one holiday would set the width of every other day. Neighbouring steps of the horizon
are one group: the windows of a block overlap, and a step by itself has few that do not.

This is an assumption, and says nothing for days like those of the worst block: there the interval is too narrow.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

__all__ = ["moved"]

GROUPS = 8  # of the horizon
FEW = 20  # windows of a block, on average: of fewer a twentieth is none, and all blocks are one


def moved(missed: np.ndarray, levels: tuple[float, ...], block: np.ndarray, groups: int = GROUPS) -> np.ndarray:
    """missed (o, h, q): y - quantile, NaN where nothing was measured; block (o,): number of each origin's block ->
    offsets (h, q); 0 for the median.

    >>> moved(np.arange(1.0, 20.0)[:, None, None].repeat(2, 2), (0.05, 0.95), np.zeros(19)).tolist()
    [[1.0, 19.0]]
    """
    if len(block) < FEW * len(np.unique(block)):
        block = np.zeros(len(block))
    each = [_of_block(missed[block == one], levels, groups) for one in np.unique(block)]
    return np.nan_to_num(np.nanmedian(each, axis=0)) if each else np.zeros(missed.shape[1:])


def _of_block(missed: np.ndarray, levels: tuple[float, ...], groups: int) -> np.ndarray:
    """Offsets of one block, NaN where nothing was measured."""
    _, h, q = missed.shape
    found = np.zeros((h, q))
    edges = np.unique(np.linspace(0, h, groups + 1).round().astype(int))
    for first, last in pairwise(edges):
        for k, level in enumerate(levels):
            held = missed[:, first:last, k]
            held = np.sort(held[np.isfinite(held)])
            if level != 0.5 and not len(held):
                found[first:last, k] = np.nan
            elif level != 0.5:
                m = len(held)
                rank = min(m, int(np.ceil((m + 1) * max(level, 1 - level) - 1e-9)))
                found[first:last, k] = held[rank - 1] if level > 0.5 else held[m - rank]
    return found
