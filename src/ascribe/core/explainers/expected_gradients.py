"""Expected Gradients: Integrated Gradients from every background row, as a mean of random points.

    phi_j = E [ (x_j - x0_j) df/dx_j (x0 + a (x - x0)) ],      x0 of the background, a uniform in 0 ... 1

In expectation the values sum to f(x) less the mean of f over the background; the standard error is that of the mean
over `draws`. Erion, Janizek, Sturmfels, Lundberg and Lee, 2021, arXiv 1906.10670; Captum calls it GradientShap.
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.answered import Found, Kind, answered
from ascribe.core.arrays import Float, np
from ascribe.core.attribution import Attribution
from ascribe.core.errors import InputError
from ascribe.core.gradient import Gradient
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.slopes import around, slopes

__all__ = ["expected_gradients"]


def expected_gradients(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """By `options.path.draws`, the same for every row of one seed. Raises InputError for fewer than two draws or a
    baseline: the background is what it starts from.
    """
    assert model.gradient is not None and model.background is not None
    gradient, draws = model.gradient, options.path.draws
    if draws < 2:
        raise InputError(f"draws is the number of random points of a row, at least 2, got {draws}")
    if options.baseline is not None:
        raise InputError("expected_gradients starts from the background rows: ask integrated_gradients for a baseline")
    rng = np.random.default_rng(options.seed)
    background = np.asarray(model.background, dtype=float)
    drawn, share = background[rng.integers(len(background), size=draws)], rng.random(draws)

    def ask(rows: Float[np.ndarray, "a n"]) -> Found:
        (a, n), Z, start = rows.shape, gradient.points(rows), gradient.points(drawn)
        values, stderr = np.empty((a, n)), np.empty((a, n))
        copies = lambda held: start + share[:, None] * (held[:, None] - start)  # noqa: E731
        for held, g in around(gradient, Z, rows, draws, copies):
            parts = g * (Z[held][:, None] - start)
            parts = gradient.shares(parts.reshape(-1, Z.shape[1]), n).reshape(*parts.shape[:2], n)
            values[held] = parts.mean(axis=1)
            stderr[held] = parts.std(axis=1, ddof=1) / np.sqrt(draws)
        prediction, base = slopes(gradient, Z, rows)[0], _base(gradient, background, rows)
        return Found(values, prediction, base, stderr, budget=draws, samples=len(background))

    kind = Kind("expected_gradients", "marginal", "path", "random", "completeness_gap")
    return answered(model, X, kind, options, step, ask)


def _base(gradient: Gradient, background: np.ndarray, rows: np.ndarray) -> Float[np.ndarray, " a"]:
    """Mean of f over the background; where words are embedded, what else the network does with them is the row's."""
    points = gradient.points(background)
    if gradient.embed is None:
        return np.full(len(rows), slopes(gradient, points, background)[0].mean())
    each = [slopes(gradient, points, np.repeat(row[None], len(points), axis=0))[0].mean() for row in rows]
    return np.array(each)
