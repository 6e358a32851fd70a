"""Completion noise: one array for all coalitions and all rows.

Common random numbers: v(S + i) - v(S) sees the same noise on both sides, so much of it cancels. Since the noise
depends on the seed alone, a row explained alone and the same row inside a batch get the same completions.

Plain points are independent, so that the spread of the answers over them is an honest error; a Sobol' net has less
error and no honest estimate of it (`docs/decisions/0008-noise.md`).
"""

from __future__ import annotations

from functools import lru_cache

from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError

__all__ = ["plain_points", "refuse_few", "sobol_points"]

TINY = 1e-7


def refuse_few(s: int) -> None:
    """Raises InputError below two completions."""
    if s < 2:
        raise InputError(f"samples must be at least 2 (two completions are the least that have a spread), got {s}")


def plain_points(s: int, width: int, seed: int) -> Float[np.ndarray, "s width"]:
    """`s` independent points of (0, 1)^width. Raises InputError below two: one completion has no spread."""
    return _kept("plain", s, width, seed)


def sobol_points(s: int, width: int, seed: int) -> Float[np.ndarray, "s width"]:
    """`s` points of (0, 1)^width: one scrambled Sobol' net (Owen 1997). Raises InputError below two."""
    return _kept("sobol", s, width, seed)


@lru_cache(maxsize=16)  # drawn once for all requests that agree on samples and seed
def _kept(kind: str, s: int, width: int, seed: int) -> Float[np.ndarray, "s width"]:
    refuse_few(s)
    rng = np.random.default_rng(seed)
    if kind == "sobol":
        from scipy.stats import qmc  # half a second to import: paid at the first explanation, not at start-up

        whole = 1 << (s - 1).bit_length()  # Sobol' balance needs powers of two; the first points are kept
        points = qmc.Sobol(width, scramble=True, rng=rng).random(whole)[:s]
    else:
        points = rng.random((s, width))
    points = np.clip(points, TINY, 1 - TINY)
    points.setflags(write=False)
    return points
