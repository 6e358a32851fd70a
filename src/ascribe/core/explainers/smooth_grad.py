"""SmoothGrad: the mean slope over noisy copies of the row.

    value_j = (1/m) sum_k df/dx_j (x + e_k),      e_k normal, standard deviation = noise x range of the column

The range is 255 of a pixel, what training covered of a table's column (or its background), and of a word's vector that
of the row's vectors. With sign, in the output's unit for one unit of the column; it sums to nothing. The standard error
is that of the mean. Smilkov, Thorat, Kim, Viegas and Wattenberg, 2017, arXiv 1706.03825.
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.answered import Found, Kind, answered
from ascribe.core.arrays import Float, np
from ascribe.core.attribution import Attribution
from ascribe.core.errors import InputError
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.slopes import around, slopes

__all__ = ["smooth_grad"]


def smooth_grad(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """By `draws` and `noise` of `options.path`; the same noise for every row of one seed.

    Raises InputError for fewer than two draws, noise that is not positive, or a column whose range nobody knows.
    """
    assert model.gradient is not None
    gradient, path = model.gradient, options.path
    if path.draws < 2 or not path.noise > 0:
        raise InputError(f"smooth_grad takes two draws or more, and positive noise: got {path.draws}, {path.noise}")

    def ask(rows: Float[np.ndarray, "a n"]) -> Found:
        (a, n), Z = rows.shape, gradient.points(rows)
        values, stderr = np.empty((a, n)), np.empty((a, n))
        noise = np.random.default_rng(options.seed).standard_normal((path.draws, Z.shape[1]))
        width = _range(model) if gradient.embed is None else None

        def copies(held: Float[np.ndarray, "r k"]) -> Float[np.ndarray, "r s k"]:
            sd = path.noise * (np.ptp(held, axis=1)[:, None, None] if width is None else width)
            return held[:, None] + sd * noise

        for held, g in around(gradient, Z, rows, path.draws, copies):
            parts = gradient.shares(g.reshape(-1, Z.shape[1]), n).reshape(*g.shape[:2], n)
            values[held] = parts.mean(axis=1)
            stderr[held] = parts.std(axis=1, ddof=1) / np.sqrt(path.draws)
        prediction = slopes(gradient, Z, rows)[0]
        return Found(values, prediction, stderr=stderr, budget=path.draws, samples=path.draws)

    unit = f"{model.unit} per unit of the input" if model.unit else ""
    return answered(model, X, Kind("smooth_grad", "slope", "gradient", "noise", unit=unit), options, step, ask)


def _range(model: Model) -> Float[np.ndarray, " n"]:
    """How far each column goes."""
    if model.layout.kind == "image":
        return np.full(model.layout.n, 255.0)
    if model.layout.kind == "series":
        if model.background is None:
            raise InputError("smooth_grad needs the range of the inputs: give the model background windows")
        return np.asarray(np.ptp(model.background, axis=0), dtype=float)
    width = np.array([f.seen_high - f.seen_low for f in model.features])
    if not np.isfinite(width).all() and model.background is not None:
        width = np.where(
            np.isfinite(width), width, np.nanmax(model.background, axis=0) - np.nanmin(model.background, 0)
        )
    if not np.isfinite(width).all():
        name = model.features[int(np.flatnonzero(~np.isfinite(width))[0])].name
        raise InputError(f"smooth_grad needs the range of {name}: give the model background rows")
    return width
