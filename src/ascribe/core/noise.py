"""Completion noise: one array for all coalitions and all rows, in blocks.

Common random numbers: v(S + i) - v(S) sees the same noise on both sides, so much of it cancels. Since the noise
depends on the seed alone, a row explained alone and the same row inside a batch get the same completions.
"""

from __future__ import annotations

from functools import lru_cache

from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError

__all__ = ["blocks_of", "sobol_blocks"]

MIN_BLOCKS, MAX_BLOCKS = 8, 128


def blocks_of(s: int) -> int:
    """How many blocks `s` completions are cut into: the smallest divisor of `s` that is >= 8, or `s`.

    The standard error of quasi-random completions comes from the spread between blocks, never from sd/sqrt(s) across
    points.

    >>> [blocks_of(s) for s in (4, 16, 64, 100)]
    [4, 8, 8, 10]
    """
    if s < 2:
        raise InputError(f"samples must be at least 2 (two completions are the least that have a spread), got {s}")
    found = next(r for r in range(min(MIN_BLOCKS, s), s + 1) if s % r == 0)
    if found > MAX_BLOCKS:
        raise InputError(f"{s} samples cannot be cut into at most {MAX_BLOCKS} equal blocks: use {-(-s // 8) * 8}")
    return found


@lru_cache(maxsize=16)
def sobol_blocks(s: int, width: int, seed: int) -> Float[np.ndarray, "s width"]:
    """`s` points of (0, 1)^width: one scrambled Sobol' net (Owen 1997), whose `blocks_of(s)` runs of neighbours are the
    blocks: each is uniform by itself, together they fill the gaps that each leaves.

    Filling one another's gaps, blocks err in opposite directions, so that the spread between them is rather too large
    an error of their mean than too small (`docs/decisions/0008-noise.md`).
    """
    from scipy.stats import qmc  # half a second to import: paid at the first explanation, not at start-up

    blocks_of(s)  # refuses what cannot be cut
    whole = 1 << (s - 1).bit_length()  # Sobol' balance needs powers of two; the first points are kept
    points = qmc.Sobol(width, scramble=True, rng=np.random.default_rng(seed)).random(whole)[:s]
    noise = np.clip(points, 1e-7, 1 - 1e-7)
    noise.setflags(write=False)  # cached: drawn once for all requests that agree on samples and seed
    return noise
