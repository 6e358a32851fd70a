"""Scores: a monotone map per feature between natural units and about N(0, 1).

Counters are heavy-tailed, zero in many rows, and differ by ten orders of magnitude. A piecewise-linear table on a
uniform grid of scores takes care of all three, has an inverse, and is a handful of graph operators (section 3 of the
design: the scaler is inside the graph).

    inverse:  x = lerp(table_j, (z - z_0)/h)
    forward:  z = z_0 + h sum_k clip((x - t_k)/(t_{k+1} - t_k), 0, 1)

A run of equal knots t_k = t_{k+1} is an atom (a value that many rows share, such as 0): forward maps it to the middle
of its run, inverse maps the whole run back to it exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import ndtr

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.errors import InputError

__all__ = ["REACH", "Scores", "fit_scores", "held", "refuse_unheld"]

KNOTS = 129
REACH = 4.0  # the grid covers scores in [-4, 4]: one value in 16,000 lies beyond
DISTINCT = 0.5  # share of values that differ, at least, in a feature without atoms
ROUNDED = 0.01  # of a column's standard deviation, that its single precision may take
NORMAL_BELOW = 1.2  # Kolmogorov distance x sqrt(rows) of a normal marginal; its moments fitted, 1 in 1,000 exceeds it


@dataclass(frozen=True, eq=False)
class Scores:
    """`table (n, k)`: the natural value of each feature at scores -4 ... 4, never decreasing, float32."""

    table: Float[np.ndarray, "n k"]

    @property
    def step(self) -> float:
        """h: distance between two knots, in scores."""
        return 2 * REACH / (self.table.shape[1] - 1)

    @property
    def normal(self) -> Bool[np.ndarray, " n"]:
        """Features whose table is the straight line of a normal marginal."""
        slope = np.diff(self.table, axis=1)
        return np.asarray((np.ptp(slope, axis=1) <= 1e-3 * slope.mean(axis=1)) & (slope[:, 0] > 0))

    def log_slope(self, Z: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b n"]:
        """log dz/dx at scores: what a density of scores is multiplied by to be one of natural units (0 at an atom)."""
        at = np.clip(((np.asarray(Z) + REACH) / self.step).astype(int), 0, self.table.shape[1] - 2)
        width = np.take_along_axis(np.diff(self.table.astype(float), axis=1).T, at, axis=0)
        with np.errstate(divide="ignore"):
            return np.where(width > 0, np.log(self.step / np.where(width > 0, width, 1)), 0.0)

    def forward(self, X: Float[np.ndarray, "*b n"]) -> Float[np.ndarray, "*b n"]:
        """Natural units -> scores. Values beyond the table get its end; NaN stays NaN."""
        X = np.asarray(X, dtype=np.float32)
        Z = np.empty_like(X)
        for j, knots in enumerate(self.table):
            left = np.searchsorted(knots, X[..., j], "left")
            right = np.searchsorted(knots, X[..., j], "right")
            i = np.clip(left - 1, 0, len(knots) - 2)
            width = knots[i + 1] - knots[i]
            inside = np.clip((X[..., j] - knots[i]) / np.where(width > 0, width, 1), 0, 1)
            at_knot = right > left  # the middle of the run of knots that equal x (a run of one: the knot itself)
            between = np.clip(left - 1 + inside, 0, len(knots) - 1)  # beyond the table: its end
            position = np.where(at_knot, (left + right - 1) / 2, between)
            Z[..., j] = np.where(np.isnan(X[..., j]), np.nan, position * self.step - REACH)
        return Z

    def inverse(self, Z: Float[np.ndarray, "*b n"]) -> Float[np.ndarray, "*b n"]:
        """Scores -> natural units, float32. Scores beyond +-4 get the table's end."""
        n, k = self.table.shape
        position = np.clip((np.asarray(Z, np.float32) + np.float32(REACH)) * np.float32(1 / self.step), 0, k - 1)
        i = np.minimum(position.astype(np.int32), k - 2)
        at = i + np.arange(n, dtype=np.int32) * k
        flat = self.table.ravel()
        low = flat.take(at)
        return low + (position - i) * (flat.take(at + 1) - low)

    def randomise(self, X: Float[np.ndarray, "b n"], rng: np.random.Generator) -> Float[np.ndarray, "b n"]:
        """Forward, but an atom is spread over its whole run in proportion to the normal law (distributional
        transform): a density can then be fitted where the data has point masses.
        """
        Z = self.forward(X)
        X = np.asarray(X, dtype=np.float32)
        from scipy.special import ndtri

        for j, knots in enumerate(self.table):
            left = np.searchsorted(knots, X[:, j], "left")
            run = np.searchsorted(knots, X[:, j], "right") - left
            atom = run > 1
            low, high = (ndtr(at * self.step - REACH) for at in (left[atom], (left + run - 1)[atom]))
            low = np.where(left[atom] == 0, 0.0, low)
            high = np.where((left + run)[atom] == len(knots), 1.0, high)
            Z[atom, j] = ndtri(np.clip(low + (high - low) * rng.random(atom.sum()), 1e-5, 1 - 1e-5))
        return Z


def fit_scores(X: Float[np.ndarray, "b n"], straight: float = 0.0) -> Scores:
    """Tables from training rows: normal quantiles, or mean + sd z where the marginal is normal within sampling noise
    (there the straight line has less estimation error in the tails than sample quantiles have).

    `straight`: every feature without atoms whose rows all lie within so many sd, normal or not, gets the straight line
    mean + sd max(1, max |z| / 4) score, which reaches its farthest row. A mixture of Gaussians in natural units stays
    one only under straight lines.
    """
    grid = np.linspace(-REACH, REACH, KNOTS)
    p = ndtr(grid)
    count = len(X)
    table = np.empty((X.shape[1], KNOTS))
    for j in range(X.shape[1]):
        ordered = np.sort(X[:, j].astype(float))
        mean, sd = ordered.mean(), ordered.std()
        if sd > 0:
            z = (ordered - mean) / sd
            cdf = ndtr(z)
            rank = np.arange(count) / count
            distance = max(np.abs(cdf - rank).max(), np.abs(cdf - rank - 1 / count).max())
            normal = distance * np.sqrt(count) < NORMAL_BELOW
            far = np.abs(z).max()
            if normal or (far <= straight and np.unique(ordered).size > DISTINCT * count):
                table[j] = mean + sd * (1 if normal else max(1, far / REACH)) * grid
                continue
        table[j] = np.quantile(ordered, p, method="hazen")
    return Scores(np.maximum.accumulate(table, axis=1).astype(np.float32))


def held(X: Float[np.ndarray, "b n"]) -> Bool[np.ndarray, " n"]:
    """Columns whose values single precision tells apart: rounding moves them by less than `ROUNDED` of their standard
    deviation (root mean square). A constant has nothing to be told apart.

    >>> held(np.array([[1.7e9, 0.1, 3.0], [1.7e9 + 10.0, 0.1, 3.1]])).tolist()
    [False, True, True]
    """
    with np.errstate(over="ignore", invalid="ignore"):
        moved = np.sqrt(np.mean((X.astype(np.float32) - X) ** 2, axis=0))
    return (moved <= ROUNDED * X.std(axis=0)) | (X.min(axis=0) == X.max(axis=0))


def refuse_unheld(X: Float[np.ndarray, "b n"], names: Sequence[str]) -> None:
    """Scores are of single precision. Raises InputError for a column that this cannot hold, or not tell apart.

    >>> refuse_unheld(np.array([[1.7e9], [1.7e9 + 10.0]]), ["when"])  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ascribe.core.errors.InputError: 'when' lies in 1700000000..1700000010, too narrow for single precision ...
    """
    most = np.finfo(np.float32).max
    for name, column, fine in zip(names, X.T, held(X), strict=True):
        span = f"'{name}' lies in {column.min():.10g}..{column.max():.10g}"
        if np.abs(column).max() > most:
            raise InputError(f"{span}, beyond what single precision holds: change its unit")
        if not fine:
            raise InputError(
                f"{span}, too narrow for single precision to tell its values apart: subtract an offset, or leave it "
                "out (a time is no feature)"
            )
