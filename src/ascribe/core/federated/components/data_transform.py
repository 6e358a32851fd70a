"""DataIO, called DataTransform from FATE 1.6 on: the columns of a row, missing values and outliers replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ascribe.core.arrays import np
from ascribe.core.errors import InputError
from ascribe.core.federated.table import Context, Table

__all__ = ["FORMATS", "DataTransform"]

FORMATS = ("dense", "sparse", "tag")
NOTHING = ("", "none", "null", "nan")  # texts that an absent number has


@dataclass(frozen=True, eq=False)
class DataTransform:
    """First the input format, then the imputer, then outliers; each in the terms of the file.

        dense            rows pass
        sparse, tag      exactly the columns of `header`; an absent one is "" with an imputer, else 0
        imputer          exactly the columns of `fills`; an absent value, or one whose text in lower case is among
                         `missing`, becomes the text fills[column]; None: there is no imputer
        outliers         a value whose text in lower case is among `outliers` becomes caps[column]

    Raises InputError for another format, and for a fill that is no number.
    """

    input_format: str = "dense"
    header: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    fills: Mapping[str, str] | None = None
    outliers: tuple[str, ...] = ()
    caps: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.input_format not in FORMATS:
            raise InputError(f"input format '{self.input_format}' is not known: use one of {', '.join(FORMATS)}")

    def local_inference(self, context: Context, rows: Table) -> Table:
        """Rows as the model's columns."""
        if self.input_format != "dense":
            absent = "" if self.fills is not None else 0.0
            rows = rows.having({name: self._or(rows, name, absent) for name in self.header})
        if self.fills is not None:
            rows = rows.having({name: self._imputed(rows, name, fill) for name, fill in self.fills.items()})
        if self.outliers:
            rows = rows.having({name: self._capped(rows, name) for name in rows.columns})
        return rows

    def _or(self, rows: Table, name: str, absent: str | float) -> np.ndarray:
        held = rows.columns.get(name)
        if held is None:
            return np.full(len(rows), absent, dtype=object)
        if held.dtype != object and absent == 0.0:
            return np.where(np.isnan(held), 0.0, held)
        gone = _absent(held)
        return np.where(gone, absent, held.astype(object)) if gone.any() else held

    def _imputed(self, rows: Table, name: str, fill: str) -> np.ndarray:
        held = rows.columns.get(name)
        if held is None:
            return np.full(len(rows), fill, dtype=object)
        if held.dtype != object and all(word in NOTHING or not _number(word) for word in self.missing):
            return (
                np.where(np.isnan(held), float(fill), held) if _number(fill) else _replaced(held, np.isnan(held), fill)
            )
        return _replaced(held, _absent(held) | _among(rows, name, self.missing), fill)

    def _capped(self, rows: Table, name: str) -> np.ndarray:
        held = rows.columns[name]
        found = _among(rows, name, self.outliers)
        return _replaced(held, found, self.caps[name]) if name in self.caps and found.any() else held


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _absent(held: np.ndarray) -> np.ndarray:
    if held.dtype != object:
        return np.isnan(held)
    return np.array([value is None or value != value for value in held.tolist()], dtype=bool)


def _among(rows: Table, name: str, words: tuple[str, ...]) -> np.ndarray:
    return np.array([text is not None and text.lower() in words for text in rows.texts(name)], dtype=bool)


def _replaced(held: np.ndarray, where: np.ndarray, text: str) -> np.ndarray:
    out = held.astype(object)
    out[where] = text
    return out
