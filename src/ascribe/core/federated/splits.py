"""One party's own splits, and the way of its rows at each of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.trees.shape import fixed, needing
from ascribe.core.trees.walk import ZERO, in_set

__all__ = ["Splits"]

_need = needing("these splits cannot be used")
NONE = np.zeros(0, bool)


@dataclass(frozen=True, eq=False)
class Splits:
    """`k` splits in the order of `Structure.splits_of`, over the party's own `columns`. At split j left is where

        absent (NaN)      missing_left[j]; or as the number 0 where `absent_zero`
        a number x        x <= threshold[j] + epsilon, x rounded to float32 first if `single`;
                          a zero (|x| <= 1e-35) goes as an absent one does where zero_missing[j]
        a category c      categories[category_start[j] + c], if split j has that many; else other_left[j]

    A split with categories is categorical; x is cut to an integer. Raises InputError for arrays that do not fit.
    """

    columns: tuple[str, ...]
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    epsilon: float = 0.0
    single: bool = False
    absent_zero: bool = False
    zero_missing: np.ndarray = field(default_factory=lambda: NONE)
    category_start: np.ndarray = field(default_factory=lambda: np.zeros(1, np.int64))
    categories: np.ndarray = field(default_factory=lambda: NONE)
    other_left: np.ndarray = field(default_factory=lambda: NONE)

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", tuple(str(c) for c in self.columns))
        k = len(self.feature)
        for name, empty in FILLED.items():
            if len(getattr(self, name)) == empty:
                object.__setattr__(self, name, np.zeros(k + empty))
        fixed(self, KINDS)
        for name in KINDS.keys() - {"categories"}:
            shape = (k + FILLED.get(name, 0),)
            _need(getattr(self, name).shape == shape, f"{name} has not {k} entries")
        _need(len(set(self.columns)) == len(self.columns), "a column is named twice")
        _need(bool(((self.feature >= 0) & (self.feature < len(self.columns))).all()), "a split names an unknown column")
        _need(not np.isnan(self.threshold).any() and np.isfinite(self.epsilon), "a threshold is not a number")
        ends = self.category_start
        _need(ends[0] == 0 and ends[-1] == len(self.categories) and bool((np.diff(ends) >= 0).all()),
              "category_start must rise from 0 to the number of categories")  # fmt: skip

    def __len__(self) -> int:
        return len(self.feature)

    def bits(self, X: Float[np.ndarray, "b n"]) -> Bool[np.ndarray, "b k"]:
        """True = left, at every split, on a row's path or not; X in the order of `columns`."""
        out = np.empty((len(self), len(X)), bool)  # split by split: each is one stretch of memory
        with np.errstate(over="ignore"):
            Z: np.ndarray = np.asarray(X).T.astype(np.float32 if self.single else np.float64)
        cut, sized = (self.threshold + self.epsilon)[:, None], np.diff(self.category_start) > 0
        for j in range(len(self.columns)):
            at = np.flatnonzero((self.feature == j) & ~sized)
            z = Z[[j]]
            gone = np.isnan(z)
            if self.absent_zero:
                z, gone = np.where(gone, z.dtype.type(0), z), np.zeros_like(gone)
            left = z <= cut[at]
            if self.zero_missing[at].any():
                gone = gone | (self.zero_missing[at][:, None] & (np.abs(z) <= ZERO))
            out[at] = np.where(gone, self.missing_left[at][:, None], left) if gone.any() else left
        for i in np.flatnonzero(sized):
            out[i] = self._by_category(int(i), X[:, self.feature[i]])
        return out.T

    def defaulted(self, X: Float[np.ndarray, "b n"]) -> np.ndarray:
        """How many splits of each row are decided without a value (b,)."""
        return np.asarray(np.isnan(X).astype(np.int64) @ np.bincount(self.feature, minlength=len(self.columns)))

    def _by_category(self, i: int, x: np.ndarray) -> np.ndarray:
        first, end = self.category_start[i : i + 2]
        return in_set(x, self.categories, first, end, self.other_left[i], self.missing_left[i])


KINDS = {
    "feature": np.int64, "threshold": np.float64, "missing_left": bool, "zero_missing": bool,
    "category_start": np.int64, "categories": bool, "other_left": bool,
}  # fmt: skip
FILLED = {"zero_missing": 0, "category_start": 1, "other_left": 0}  # left out: how long they are then
