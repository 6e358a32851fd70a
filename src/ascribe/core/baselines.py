"""What stands for an absent input: a row, given or by name.

zero      0 in every column
mean      of the background rows, column by column; the most common value of a feature that has categories. Of an
          image without background rows: its own mean colour
blur      an image, blurred until only its colours are left: Gaussian, deviation a tenth of the longer side
grey      an image of 127.5;    black   one of 0
padding   a text without words
"""

from __future__ import annotations

from collections.abc import Callable

from scipy.ndimage import gaussian_filter

from ascribe.core.arrays import Float, np
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.words import listed, quoted

__all__ = ["BASELINES", "BLUR", "GREY", "baseline_of", "usual"]

GREY = 127.5
BLUR = 0.1  # of the longer side
USUAL = {"table": "mean", "image": "grey", "text": "padding"}


def baseline_of(model: Model, options: Options, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """The row that stands for what is absent of `x`: that of `options`, or the usual one of the model's layout.

    Raises InputError for an unknown name, a name of another layout or a row of another shape; CapabilityError for the
    mean of a table without background rows.
    """
    asked = usual(model) if options.baseline is None else options.baseline
    if not isinstance(asked, str):
        row = np.asarray(asked, dtype=float).reshape(-1)
        if row.shape != x.shape:
            raise InputError(f"a baseline is one row of {len(x)} numbers, not {row.size}")
        return row
    if asked not in BASELINES:
        raise InputError(f"unknown baseline {quoted(asked)}: use one of {', '.join(BASELINES)}, or a row")
    kinds, make = BASELINES[asked]
    if model.layout.kind not in kinds:
        fit = [name for name, (of, _) in BASELINES.items() if model.layout.kind in of]
        raise InputError(f"'{asked}' is no baseline of a {model.layout.kind}: use one of {listed(fit)}, or a row")
    return make(model, x)


def usual(model: Model) -> str:
    """The baseline's name where none is asked for: mean of a table, grey of an image, padding of a text."""
    return USUAL[model.layout.kind]


def _mean(model: Model, x: np.ndarray) -> np.ndarray:
    if model.background is None:
        if model.layout.kind == "table":
            raise CapabilityError("the mean needs background rows, which this model does not offer: give a row")
        height, width, channels = model.layout.shape
        return np.tile(x.reshape(-1, channels).mean(axis=0), height * width)
    rows = np.asarray(model.background, dtype=float)
    mean = np.array([c[~np.isnan(c)].mean() if (~np.isnan(c)).any() else np.nan for c in rows.T])
    for j, feature in enumerate(model.features):
        if feature.categories:
            found, count = np.unique(rows[:, j], return_counts=True)
            mean[j] = found[np.argmax(count)]
    return mean


def _blur(model: Model, x: np.ndarray) -> np.ndarray:
    height, width, _ = model.layout.shape
    sigma = BLUR * max(height, width)
    return np.asarray(gaussian_filter(x.reshape(model.layout.shape), (sigma, sigma, 0), mode="nearest")).reshape(-1)


def _all(number: float) -> Callable[[Model, np.ndarray], np.ndarray]:
    return lambda model, x: np.full(len(x), number)


BASELINES: dict[str, tuple[tuple[str, ...], Callable[[Model, np.ndarray], np.ndarray]]] = {
    "zero": (("table", "image"), _all(0.0)),
    "mean": (("table", "image"), _mean),
    "blur": (("image",), _blur),
    "grey": (("image",), _all(GREY)),
    "black": (("image",), _all(0.0)),
    "padding": (("text",), lambda model, x: np.full(len(x), float(model.layout.padding))),
}
