"""Perturbations of a row, as LIME draws them: what the model is asked, what the linear model sees, and how near it is.

    table   z_j ~ N(x_j, sd_j) around the row, sd_j of the background, within what is physically possible; seen as
            r_j = (z_j - mean_j) / sd_j. A feature with categories, or one that is missing in the row, is drawn from the
            background; seen as r_j = [z_j = x_j] - share of the background where it is. Nothing is discretised.
            distance: of z to x in deviations, with 1 for another category
    image   each segment is kept with probability 1/2, hidden otherwise;    r_j = [kept]
    text    1 ... p words are removed, that number and then the words at random;    r_j = [kept]
            distance of both: 1 - cos(r, 1) = 1 - sqrt(kept / p)

    w = sqrt(exp(-distance^2 / width^2)),     width .75 sqrt(n) of a table, .25 otherwise

Kernels and laws of images and texts are those of Ribeiro et al. 2016 and of the package `lime`, which draws tables
around the training mean unless told otherwise: then nearly nothing is near a row far from that mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ascribe.core.arrays import Bool, Float, Predict, np
from ascribe.core.features import Feature

__all__ = ["TABLE_WIDTH", "WIDTH", "Table", "asked", "kept", "near"]

CELLS = 1 << 19  # numbers perturbed at a time
TABLE_WIDTH, WIDTH = 0.75, 0.25


def near(distance: Float[np.ndarray, " m"], width: float) -> Float[np.ndarray, " m"]:
    """Weights sqrt(exp(-d^2 / width^2))."""
    return np.exp(-0.5 * (distance / width) ** 2)


def kept(kind: str, p: int, m: int, rng: np.random.Generator) -> Bool[np.ndarray, "m p"]:
    """Which players stay, of an image or a text; the first row keeps all."""
    if kind == "image":
        S = rng.random((m, p)) < 0.5
    else:
        gone = rng.integers(1, p + 1, size=(m, 1))
        S = np.argsort(np.argsort(rng.random((m, p)), axis=1), axis=1) >= gone
    S[0] = True
    return S


def asked(predict: Predict, m: int, n: int, rows: Callable[[slice], np.ndarray]) -> Float[np.ndarray, " m"]:
    """f of m rows that are made a part at a time."""
    return np.concatenate([np.asarray(predict(rows(at)), dtype=float).reshape(-1) for at in _parts(m, n)])


def _parts(m: int, n: int) -> Iterator[slice]:
    step = max(1, CELLS // n)
    for k in range(0, m, step):
        yield slice(k, k + step)


@dataclass(frozen=True, eq=False)
class Table:
    """Perturbations of rows of a table: the law of its background, by column."""

    features: tuple[Feature, ...]
    background: Float[np.ndarray, "rows n"]

    def around(
        self, x: Float[np.ndarray, " n"], m: int, rng: np.random.Generator
    ) -> tuple[Float[np.ndarray, "m n"], Float[np.ndarray, "m n"], Float[np.ndarray, " m"], Float[np.ndarray, " n"]]:
        """Rows z (m, n), the first being x; what the linear model sees of them (m, n); their distances (m,); and what
        it sees of x (n,). The draws are those of the seed alone, so rows explained together share them.
        """
        n = len(x)
        noise, picked = rng.standard_normal((m, n)), rng.integers(len(self.background), size=(m, n))
        Z, R, apart, own = np.empty((m, n)), np.zeros((m, n)), np.zeros((m, n)), np.zeros(n)
        for j, feature in enumerate(self.features):
            column = self.background[:, j]
            if feature.categories or np.isnan(x[j]):
                z = column[picked[:, j]]
                z[0] = x[j]
                same, share = _same(z, x[j]), float(_same(column, x[j]).mean())
                R[:, j], apart[:, j], own[j] = same - share, ~same, 1 - share
            else:
                held = column[~np.isnan(column)]
                mean, sd = (float(held.mean()), float(held.std())) if len(held) else (x[j], 0.0)
                z = np.clip(x[j] + sd * noise[:, j], feature.low, feature.high)
                z[0] = x[j]
                if sd > 0:
                    R[:, j], apart[:, j], own[j] = (z - mean) / sd, (z - x[j]) / sd, (x[j] - mean) / sd
            Z[:, j] = z
        return Z, R, np.sqrt((apart**2).sum(axis=1)), own


def _same(z: np.ndarray, x: float) -> Bool[np.ndarray, " m"]:
    return np.isnan(z) if np.isnan(x) else z == x
