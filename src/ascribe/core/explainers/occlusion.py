"""Occlusion: how far the prediction falls when a part is hidden; Zeiler & Fergus 2014.

    value_j = mean over windows w that cover column j of  f(x) - f(x with w hidden)

Windows of `patch.window` lie `patch.stride` apart: squares of an image, all channels of a pixel together; runs of
words, or of columns of a table (by itself: single ones), or groups of features. Of a series it is each input on each
day that is hidden. The last window of a side is cut off at the edge. Where segments are given they are hidden one by
one, and a segment's value is spread over its columns; of windows each column has the whole effect. Values are not
shares, and `additive` is false: the efficiency gap of single columns, groups and segments tells what they leave over,
which can be much; of windows none is told. Of two inputs of which one is enough both are worth nothing.
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
from ascribe.core.players import nothing, seated
from ascribe.core.reference import reference_row
from ascribe.core.spending import sides_of

__all__ = ["occlusion"]

ESTIMATOR = "windows"
CELLS = 1 << 24  # hidden or not, numbers held at a time


def occlusion(model: Model, X: np.ndarray, options: Options, step: Callable[[], None] | None) -> Attribution:
    """Hidden columns are the baseline's. Nothing is drawn, so standard errors are 0.

    Raises InputError for a stride below 1 or above the window, or for windows beside segments or groups.
    """
    X = model.rows(X)
    if options.groups and model.layout.kind != "table":
        raise InputError(f"groups put features of a table together: give segments= for a {model.layout.kind}")
    whole = options.groups or options.segments is not None or model.layout.kind == "series"
    if whole and options.patch != Patch():
        raise InputError("a window lies on columns, groups and segments are hidden as they are: give one or the other")
    names = players_of(model.names, options.groups).names if options.groups else model.names
    kind = _groups if options.groups else _segments if whole else _windows
    answer = kind(model, X, options)
    info = Info(
        method="occlusion", game="occlusion", value="baseline", estimator=ESTIMATOR, budget=0, samples=0,
        seed=options.seed, tier=options.tier or Info.tier,
    )  # fmt: skip
    single = model.layout.kind != "image" and options.patch.window in (None, 1)
    return by_rows(model, X, names, answer, info, step, sums=bool(whole) or single)


def _groups(model: Model, X: np.ndarray, options: Options) -> Callable[[int], One]:
    assert model.predict is not None
    predict, n = model.predict, X.shape[1]
    member = players_of(model.names, options.groups).member
    held = np.vstack([np.zeros((1, n), bool), member, np.ones((1, n), bool)])

    def answer(i: int) -> One:
        x, hidden = X[i], reference_row(model, options, X[i])
        f = asked(predict, len(held), n, lambda at: np.where(held[at], hidden, x))
        return One(f[0], f[-1], f[0] - f[1:-1], np.zeros(len(member)), budget=len(held), estimator=ESTIMATOR)

    return answer


def _segments(model: Model, X: np.ndarray, options: Options) -> Callable[[int], One]:
    assert model.predict is not None
    predict, n, seats = model.predict, X.shape[1], seated(model, options, X)

    def answer(i: int) -> One:
        segments, x, hidden = seats[i], X[i], reference_row(model, options, X[i])
        p = segments.p
        if not p:
            return nothing(options)
        S = np.vstack([np.ones((1, p), bool), ~np.eye(p, dtype=bool), np.zeros((1, p), bool)])
        f = asked(predict, len(S), n, lambda at: np.where(segments.features_of(S[at]), x, hidden))
        values = segments.spread(f[0] - f[1:-1])
        return One(f[0], f[-1], values, np.zeros(n), owner=segments.owner, budget=len(S), estimator=ESTIMATOR)

    return answer


def _windows(model: Model, X: np.ndarray, options: Options) -> Callable[[int], One]:
    assert model.predict is not None
    predict, layout, n = model.predict, model.layout, X.shape[1]
    shape = layout.shape if layout.kind == "image" else (n,)
    seats = seated(model, options, X) if layout.kind == "text" else {}
    boxes = _boxes(layout.kind, shape, options.patch)
    step = max(1, CELLS // n)

    def answer(i: int) -> One:
        x, hidden = X[i], reference_row(model, options, X[i])
        mine = seats[i].owner >= 0 if i in seats else np.ones(n, bool)
        if not mine.any():
            return nothing(options)
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
    sides, window, stride = sides_of(kind, shape, patch)
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
