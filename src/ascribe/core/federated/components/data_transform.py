"""DataIO, called DataTransform from FATE 1.6 on: the columns of a row, missing values and outliers replaced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ascribe.core.arrays import np
from ascribe.core.errors import InputError
from ascribe.core.federated.table import Context, Table

__all__ = ["FORMATS", "DataTransform"]

FORMATS = ("dense", "sparse", "tag")


@dataclass(frozen=True, eq=False)
class DataTransform:
    """First the input format, then the imputer, then outliers; each in the terms of the file.

        dense            rows pass
        sparse, tag      exactly the columns of `header`; an absent one is "" with an imputer, else 0
        imputer          exactly the columns of `fills`; an absent value, or one whose text in lower case is among
                         `missing`, becomes the text fills[column]; None: there is no imputer
        outliers         a value whose text in lower case is among `outliers` becomes caps[column]

    Of a column of numbers the text is gone (-999 of a file is -999.0): there a value is among words as a number.

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
        return np.where(gone, absent, _objects(held)) if gone.any() else held

    def _imputed(self, rows: Table, name: str, fill: str) -> np.ndarray:
        held = rows.columns.get(name)
        if held is None:
            return np.full(len(rows), fill, dtype=object)
        gone = _absent(held) | _among(rows, name, self.missing)
        return (
            np.where(gone, float(fill), held) if held.dtype != object and _number(fill) else _replaced(held, gone, fill)
        )

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
    held = rows.columns.get(name)
    if held is not None and held.dtype != object:
        return np.isin(held, [float(word) for word in words if _number(word)])  # NaN is among none
    return np.array([text is not None and text.lower() in words for text in rows.texts(name)], dtype=bool)


def _replaced(held: np.ndarray, where: np.ndarray, text: str) -> np.ndarray:
    out = _objects(held)
    out[where] = text
    return out


def _objects(held: np.ndarray) -> np.ndarray:
    """Numbers as a file writes them, so that words can be found among them: 7 and not 7.0."""
    if held.dtype == object:
        return held.copy()
    whole = np.isfinite(held) & (held == np.round(held)) & (np.abs(held) < 2**53)
    values = zip(held.tolist(), whole.tolist(), strict=True)
    return np.array([None if v != v else str(int(v)) if short else repr(v) for v, short in values], dtype=object)
