"""What stands for an absent input, by name or as a row.

    zero            0 in every column
    mean            of the background rows; of categories the most frequent one
    black, grey     an image of 0, of 127.5
    blur            the image itself, blurred by a Gaussian of an eighth of its smaller side
    padding         a text of padding
    calendar        of a window: the mean of the background windows nearest to it on the calendar (`core.matched`)

By itself: mean of the background of a table or of windows (zero without one), black of an image, padding of a text.
"""

from __future__ import annotations

from scipy.ndimage import gaussian_filter

from ascribe.core.arrays import Float, np
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.matched import CALENDAR, matched
from ascribe.core.model import Model
from ascribe.core.words import quoted

__all__ = ["KINDS", "baseline_rows", "own_baseline"]

KINDS = {"zero": "table image series", "mean": "table image series", "black": "image", "grey": "image",
         "blur": "image", "padding": "text", CALENDAR: "series"}  # fmt: skip
BLUR = 1 / 8  # standard deviation, of the smaller side


def own_baseline(model: Model) -> str:
    """The name of the baseline of a model for which none was named."""
    if model.layout.kind in ("table", "series"):
        return "zero" if model.background is None else "mean"
    return {"image": "black", "text": "padding"}[model.layout.kind]


def baseline_rows(
    model: Model, X: Float[np.ndarray, "b n"], baseline: np.ndarray | str | None = None
) -> Float[np.ndarray, "b n"]:
    """The baseline of each row: all the same but for `blur`.

    Raises InputError for an unknown name, one that is not of this kind of row, or a row of another length;
    CapabilityError for `mean` or `calendar` without a background.
    """
    if baseline is None:
        baseline = own_baseline(model)
    if not isinstance(baseline, str):
        row = np.asarray(baseline, dtype=float).reshape(-1)
        if row.shape != X.shape[1:]:
            raise InputError(f"a baseline is a row of {X.shape[1]} numbers, got {np.shape(baseline)}")
        if not np.isfinite(row).all():
            raise InputError("a baseline holds a number in every column: fill what is missing")
        return np.tile(row, (len(X), 1))
    kind = model.layout.kind
    known = [name for name, kinds in KINDS.items() if kind in kinds.split()]
    if baseline not in known:
        raise InputError(f"no baseline {quoted(baseline)} of a model of a {kind}: use {', '.join(known)}, or a row")
    if baseline == "blur":
        return _blurred(X, model.layout.shape)
    if baseline == CALENDAR:
        return np.array([matched(model, x).mean(axis=0) for x in X]).reshape(X.shape)
    return np.tile(_row(model, baseline, X.shape[1]), (len(X), 1))


def _row(model: Model, name: str, n: int) -> Float[np.ndarray, " n"]:
    if name == "mean":
        if model.background is None:
            raise CapabilityError("baseline 'mean' needs background rows, which this model does not offer: use 'zero'")
        rows = np.asarray(model.background, dtype=float)
        there = np.isfinite(rows)
        found = np.where(there, rows, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
        for j, feature in enumerate(model.features):
            if feature.categories and there[:, j].any():
                kinds, counts = np.unique(rows[there[:, j], j], return_counts=True)
                found[j] = kinds[np.argmax(counts)]
        return found
    return np.full(n, {"grey": 127.5, "padding": float(model.layout.padding)}.get(name, 0.0))


def _blurred(X: Float[np.ndarray, "b n"], shape: tuple[int, ...]) -> Float[np.ndarray, "b n"]:
    sigma = BLUR * min(shape[:2])
    images = X.reshape(-1, *shape)
    return gaussian_filter(images, (0, sigma, sigma, 0), mode="nearest").reshape(X.shape)
