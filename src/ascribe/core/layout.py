"""What the columns of a row are: features of a table, pixels of an image, words of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError
from ascribe.core.features import Feature, as_rows, check_rows

__all__ = ["KINDS", "Layout"]

KINDS = ("table", "image", "text")


@dataclass(frozen=True)
class Layout:
    """`kind` and `shape` of one row, which is always flat, `n = prod(shape)` numbers:

        table   (n,)                          features, named
        image   (height, width, channels)     pixels, 0 ... 255, in that order
        text    (length,)                     word numbers; `padding` fills the end; `words` by number

    An attribution of an image or a text has the same shape: a value for each number of the row. Where a superpixel was
    the player its value is spread evenly over its pixels, so that sums are kept.
    """

    kind: str = "table"
    shape: tuple[int, ...] = ()
    padding: int = 0
    words: tuple[str, ...] = field(default=(), repr=False)

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

    def _at(self, j: int) -> str:
        return ",".join(str(int(k)) for k in np.unravel_index(j, self.shape))
