"""What the columns of a row are: features of a table, pixels of an image, words of a text, steps of a series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError
from ascribe.core.features import Feature, as_rows, check_rows

__all__ = ["KINDS", "Layout"]

KINDS = ("table", "image", "text", "series")


@dataclass(frozen=True)
class Layout:
    """`kind` and `shape` of one row, which is always flat, `n = prod(shape)` numbers:

        table   (n,)                          features, named
        image   (height, width, channels)     pixels, 0 ... 255, in that order
        text    (length,)                     word numbers; `padding` fills the end; `words` by number
        series  (context, inputs)             a window: step after step, the newest last; natural units, finite

    `words`: of a series the names of its inputs; `step_s`, `day`: seconds of its step, steps of its day (0: not known).

    An attribution of an image or a text has the same shape: a value for each number of the row. Where a superpixel was
    the player its value is spread evenly over its pixels, so that sums are kept.
    """

    kind: str = "table"
    shape: tuple[int, ...] = ()
    padding: int = 0
    words: tuple[str, ...] = field(default=(), repr=False)
    step_s: int = 0
    day: int = 0

    @property
    def n(self) -> int:
        return prod(self.shape)

    def rows(self, features: Sequence[Feature], X: object) -> Float[np.ndarray, "b n"]:
        """X as rows of numbers; images `(b, height, width, channels)` are laid flat. Raises InputError."""
        if self.kind == "table":
            return as_rows(features, X)
        held = np.asarray(X, dtype=float)
        if held.shape[1:] == self.shape or held.shape in (self.shape, (self.n,)):
            return held.reshape(-1, self.n)
        if held.ndim != 2 or held.shape[1] != self.n:
            raise InputError(f"a row of this model is {self.kind} {self.shape}: got an array of shape {held.shape}")
        return held

    def check(self, features: Sequence[Feature], X: Float[np.ndarray, "b n"]) -> tuple[np.ndarray, list[str]]:
        """Status (ok, out_of_domain, invalid) and reason of each row before any model sees it."""
        if self.kind == "table":
            return check_rows(features, X)
        if self.kind == "series":
            return self._finite(X)
        high = 255.0 if self.kind == "image" else max(len(self.words) - 1.0, 0.0)
        bad = ~((X >= 0) & (high >= X))
        what = "a pixel" if self.kind == "image" else "a word number"
        if self.kind == "text":
            bad |= np.round(X) != X
        status, reasons = np.full(len(X), "ok", dtype="<U13"), [""] * len(X)
        for i in np.flatnonzero(bad.any(axis=1)).tolist():
            j = int(np.flatnonzero(bad[i])[0])
            status[i], reasons[i] = "invalid", f"{what} is {X[i, j]:g} at {self._at(j)}: it must be in 0..{high:g}"
        return status, reasons

    def names(self, features: Sequence[Feature]) -> tuple[str, ...]:
        """Of the columns, in order. Pixels and words are named by where they are."""
        if self.kind == "table":
            return tuple(f.name for f in features)
        return tuple(self._at(j) for j in range(self.n))

    def _finite(self, X: Float[np.ndarray, "b n"]) -> tuple[np.ndarray, list[str]]:
        """A window holds a number everywhere: what was not measured has been filled by a stated rule before."""
        bad = ~np.isfinite(X)
        status, reasons = np.full(len(X), "ok", dtype="<U13"), [""] * len(X)
        for i in np.flatnonzero(bad.any(axis=1)).tolist():
            status[i] = "invalid"
            reasons[i] = f"{self._at(int(np.flatnonzero(bad[i])[0]))} is no finite number: fill the window first"
        return status, reasons

    def input(self, i: int) -> str:
        """Name of an input of a series.

        >>> Layout("series", (3, 2), words=("value", "observed")).input(1)
        'observed'
        """
        return self.words[i] if i < len(self.words) else f"input {i}"

    def _at(self, j: int) -> str:
        if self.kind == "series":
            step, i = divmod(j, self.shape[1])
            return f"{self.input(i)} @ {_before(self.shape[0] - step, self.step_s)}"
        return ",".join(str(int(k)) for k in np.unravel_index(j, self.shape))


def _before(steps: int, step_s: int) -> str:
    """How long before the forecast begins: days, hours and minutes, or steps where nobody knows how long one is.

    >>> _before(301, 300), _before(3, 0)
    ('-1 d 01:05', 'step -3')
    """
    if not step_s:
        return f"step -{steps}"
    days, rest = divmod(steps * step_s, 86400)
    hours, minutes, seconds = rest // 3600, rest % 3600 // 60, rest % 60
    time = f"{hours:02d}:{minutes:02d}" + (f":{seconds:02d}" if seconds else "")
    return f"-{days} d {time}" if days else f"-{time}"
