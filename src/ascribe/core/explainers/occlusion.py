"""Occlusion: how far the prediction falls when a part is hidden; Zeiler & Fergus 2014.

    value_j = mean over windows w that cover column j of  f(x) - f(x with w hidden)

Windows of `patch.window` lie `patch.stride` apart: squares of an image, all channels of a pixel together; runs of
words, or of columns of a table (by itself: single ones), or groups of features. The last window of a side is cut off
at the edge. Each column has the
whole effect of its windows: values are not shares, they do not add up to the prediction, and two inputs of which one
is enough are worth nothing both.
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.arrays import Bool, np
from ascribe.core.attribution import Attribution, Info
from ascribe.core.by_rows import One, by_rows
from ascribe.core.errors import InputError
from ascribe.core.features import players_of
from ascribe.core.model import Model
from ascribe.core.options import Options, Patch
from ascribe.core.perturbations import asked
from ascribe.core.players import NO_WORDS, segments_of
from ascribe.core.reference import reference_row

__all__ = ["occlusion"]

OF_IMAGE = 8  # windows that lie side by side where none is named
ESTIMATOR = "windows"
CELLS = 1 << 24  # hidden or not, numbers held at a time


def occlusion(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """Hidden columns are the baseline's. Nothing is drawn, so standard errors are 0.

    Raises InputError for a window or a stride below 1, a stride above the window, or segments.
    """
    X = model.rows(X)
    if options.segments is not None:
        raise InputError("occlusion hides windows: give window= and stride=, or ask kernel_shap or lime for segments")
    if options.groups and model.layout.kind != "table":
        raise InputError(f"groups put features of a table together: give window= for a {model.layout.kind}")
    names = players_of(model.names, options.groups).names if options.groups else model.names
    answer = (_groups if options.groups else _windows)(model, X, options)
    info = Info(
        method="occlusion", game="occlusion", value="baseline", estimator=ESTIMATOR, budget=0, samples=0,
        seed=options.seed, tier=options.tier or Info.tier,
    )  # fmt: skip
    return by_rows(model, X, names, answer, info, step)


def _groups(model: Model, X: np.ndarray, options: Options) -> Callable[[int], One]:
    assert model.predict is not None
    predict, n = model.predict, X.shape[1]
    if options.patch != Patch():
        raise InputError("a window lies on columns, groups are hidden as they are: give one or the other")
    member = players_of(model.names, options.groups).member
    held = np.vstack([np.zeros((1, n), bool), member, np.ones((1, n), bool)])

    def answer(i: int) -> One:
        x, hidden = X[i], reference_row(model, options, X[i])
        f = asked(predict, len(held), n, lambda at: np.where(held[at], hidden, x))
        return One(f[0], f[-1], f[0] - f[1:-1], np.zeros(len(member)), budget=len(held), estimator=ESTIMATOR)

    return answer


def _windows(model: Model, X: np.ndarray, options: Options) -> Callable[[int], One]:
    assert model.predict is not None
    predict, layout, n = model.predict, model.layout, X.shape[1]
    shape = layout.shape if layout.kind == "image" else (n,)
    boxes = _boxes(layout.kind, shape, options.patch)
    step = max(1, CELLS // n)

    def answer(i: int) -> One:
        x, hidden = X[i], reference_row(model, options, X[i])
        mine = segments_of(layout, options, X, i).owner >= 0 if layout.kind == "text" else np.ones(n, bool)
        if not mine.any():
            return NO_WORDS
        ends = asked(predict, 2, n, lambda at: np.stack([x, np.where(mine, hidden, x)])[at])
        total, count, spent = np.zeros(n), np.zeros(n), 2
        for k in range(0, len(boxes), step):
            masks = _masks(shape, boxes[k : k + step]) & mine
            masks = masks[masks.any(axis=1)]  # a window over padding hides nothing
            if len(masks):
                fall = ends[0] - asked(predict, len(masks), n, _hider(masks, hidden, x))
                total, count, spent = total + fall @ masks, count + masks.sum(axis=0), spent + len(masks)
        values = total / np.maximum(count, 1)
        return One(ends[0], ends[1], values, np.zeros(n), budget=spent, estimator=ESTIMATOR)

    return answer


def _hider(masks: np.ndarray, hidden: np.ndarray, x: np.ndarray) -> Callable[[slice], np.ndarray]:
    return lambda at: np.where(masks[at], hidden, x)


def _boxes(kind: str, shape: tuple[int, ...], patch: Patch) -> list[tuple[slice, ...]]:
    """Where windows lie, along each side but the channels'."""
    image = kind == "image"
    sides = shape[:2] if image else shape
    window = (max(1, min(sides) // OF_IMAGE) if image else 1) if patch.window is None else patch.window
    stride = (max(1, window // 2) if image else 1) if patch.stride is None else patch.stride
    if not 1 <= stride <= window:
        raise InputError(f"a stride is at least 1 and at most the window, got {stride} and {window}")
    starts = [range(0, max(0, -(-(side - window) // stride)) * stride + 1, stride) for side in sides]
    if image:
        return [(slice(y, y + window), slice(x, x + window)) for y in starts[0] for x in starts[1]]
    return [(slice(k, k + window),) for k in starts[0]]


def _masks(shape: tuple[int, ...], boxes: list[tuple[slice, ...]]) -> Bool[np.ndarray, "k n"]:
    masks = np.zeros((len(boxes), *shape), bool)
    for mask, box in zip(masks, boxes, strict=True):
        mask[box] = True
    return masks.reshape(len(boxes), -1)
