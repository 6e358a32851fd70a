"""Players of one image, text or window: which columns are present or absent together.

    image   the segments that were given, so many superpixels (`core.segmentation`), or a grid of patches, all channels
            of a pixel together
    text    every word; padding is nobody's, and neither is a marker that the vocabulary puts into every text
    series  each input on each day, days counted back from the end of the window (`core.days`)

A player's value is spread evenly over its columns, and its standard error with it, so that the sum over its columns is
the player's own. A column that is nobody's is always present and is worth 0.
"""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.by_rows import One
from ascribe.core.days import owners
from ascribe.core.errors import InputError
from ascribe.core.layout import Layout
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.segmentation import superpixels

__all__ = ["GRID", "NOBODY", "Segments", "grid", "nothing", "seated", "segments_of"]

GRID = 7  # patches along a side of an image
NOBODY = -1
NO_WORDS = "the text has no words"
NO_SEGMENTS = "no segment of this row can be hidden: each is below 0, or holds no word"
MARKERS = {"start", "end", "s", "/s", "cls", "sep", "bos", "eos", "pad"}  # in brackets, <s> or [CLS]


@dataclass(frozen=True, eq=False)
class Segments:
    """`owner (n,)`: the number 0 ... p-1 of the player that each column is part of, or `NOBODY`."""

    owner: np.ndarray

    @property
    def p(self) -> int:
        return int(self.owner.max(initial=NOBODY)) + 1

    def features_of(self, S: Bool[np.ndarray, "m p"]) -> Bool[np.ndarray, "m n"]:
        """The columns present in each coalition of players."""
        return np.concatenate([S, np.ones((len(S), 1), bool)], axis=1)[:, self.owner]  # -1 is the last: present

    def spread(self, values: Float[np.ndarray, " p"]) -> Float[np.ndarray, " n"]:
        """Of each column: its player's value / the player's number of columns.

        >>> Segments(np.array([0, 0, 1, -1])).spread(np.array([3.0, 5.0])).tolist()
        [1.5, 1.5, 5.0, 0.0]
        """
        size = np.bincount(self.owner[self.owner >= 0], minlength=self.p)
        return np.concatenate([values / size, [0.0]])[self.owner]

    def mean(self, x: Float[np.ndarray, " n"], channels: int) -> Float[np.ndarray, " n"]:
        """An image (h, w, channels) whose every segment has one colour, the mean of its own."""
        out = x.reshape(-1, channels).copy()
        owner = self.owner.reshape(-1, channels)
        for c in range(channels):
            mine = owner[:, c] >= 0
            size = np.bincount(owner[mine, c], minlength=self.p)
            total = np.bincount(owner[mine, c], out[mine, c], self.p)
            out[mine, c] = (total / np.maximum(size, 1))[owner[mine, c]]
        return out.reshape(-1)


def nothing(options: Options) -> One:
    """The answer of a row without players."""
    reason = NO_WORDS if options.segments is None else NO_SEGMENTS
    return One(np.nan, np.nan, np.empty(0), np.empty(0), status="invalid", reason=reason)


def segments_of(layout: Layout, options: Options, X: Float[np.ndarray, "b n"], i: int) -> Segments:
    """The players of row `i` of an image, a text or a window; none (p = 0) in a text without words.

    Raises InputError for segments of another shape, and for groups, which are of a table.
    """
    if options.groups:
        raise InputError(f"groups put features of a table together: give segments= for a {layout.kind}")
    given = options.segments
    if layout.kind == "image":
        if given is None:
            owner = grid(layout.shape)
        elif np.ndim(given) == 0:
            if not 1 <= int(given) <= layout.shape[0] * layout.shape[1]:
                raise InputError(f"so many superpixels cannot be made of this image: {int(given)}")
            found = superpixels(X[i].reshape(layout.shape), int(given))
            owner = np.repeat(found.reshape(-1), layout.shape[2])
        else:
            owner = _given(layout, np.asarray(given), len(X), i)
    elif layout.kind == "series":
        owner = owners(layout) if given is None else _given(layout, np.asarray(given), len(X), i)
    else:
        owner = np.arange(layout.n) if given is None else _given(layout, np.asarray(given), len(X), i)
        owner = np.where(_nobodys(layout, X[i]), NOBODY, owner)
    number = np.unique(owner[owner >= 0], return_inverse=True)[1]
    held = np.full(layout.n, NOBODY)
    held[owner >= 0] = number
    return Segments(held)


def seated(model: Model, options: Options, X: Float[np.ndarray, "b n"]) -> dict[int, Segments]:
    """The players of every row that can be answered."""
    good = np.flatnonzero(model.check(X)[0] != "invalid").tolist()
    return {i: segments_of(model.layout, options, X, i) for i in good}


def grid(shape: tuple[int, ...], sides: int = GRID) -> np.ndarray:
    """Patches of an image (h, w, channels): at most `sides` along each side, a number for each column (n,)."""
    height, width, channels = shape
    down, across = min(sides, height), min(sides, width)
    row, column = np.arange(height) * down // height, np.arange(width) * across // width
    return np.repeat((row[:, None] * across + column).reshape(-1), channels)


def _given(layout: Layout, segments: np.ndarray, b: int, i: int) -> np.ndarray:
    """(n,), (b, n), or of an image (h, w) or (b, h, w), as numbers of row i's columns."""
    if not np.issubdtype(segments.dtype, np.integer):
        if not (np.isfinite(segments).all() and (segments == np.round(segments)).all()):
            raise InputError("segments are whole numbers, one for each column; below 0: always present")
        segments = segments.astype(int)
    pixels = layout.shape[:2] if layout.kind == "image" else ()
    if segments.shape == (layout.n,):
        return segments
    if pixels and segments.shape == pixels:
        return np.repeat(segments.reshape(-1), layout.shape[2])
    if segments.shape == (b, layout.n):
        return segments[i]
    if pixels and segments.shape == (b, *pixels):
        return np.repeat(segments[i].reshape(-1), layout.shape[2])
    wanted = f"({layout.n},) or ({b}, {layout.n})" + (f", or {pixels}" if pixels else "")
    raise InputError(f"segments of this {layout.kind} are numbers of shape {wanted}, not {segments.shape}")


def _nobodys(layout: Layout, x: np.ndarray) -> np.ndarray:
    """Where a text holds padding or a marker."""
    marks = [k for k, word in enumerate(layout.words) if _is_marker(word)]
    return (x == layout.padding) | np.isin(x, marks)


def _is_marker(word: str) -> bool:
    return word[:1] + word[-1:] in ("<>", "[]") and word[1:-1].lower() in MARKERS
