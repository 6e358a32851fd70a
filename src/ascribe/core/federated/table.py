"""Rows as they come to a party: named columns of numbers or texts, some of them absent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ascribe.core.arrays import Float, np
from ascribe.core.federated.codes import BAD_FEATURE, OK
from ascribe.core.words import quoted

__all__ = ["Context", "Table"]

NUMBER = re.compile(
    r"\s*[+-]?(\d+(\.\d*)?([eE][+-]?\d+)?|\.\d+([eE][+-]?\d+)?|inf(inity)?|nan)\s*", re.IGNORECASE | re.ASCII
)  # digits can be read in one way only: a long text that is no number is refused in one pass


@dataclass(eq=False)
class Context:
    """One call on its way through a pipeline: at which party, for how many rows, and what became of each.

    `code (rows,)`: 0 or the first code that the row met, with its reason; `defaulted (rows,)`: splits or columns of
    the model that had no value, of `wanted (rows,)` in all; `data (rows, n)`: the columns that reached the last
    component that reports.
    """

    party: str
    rows: int
    code: np.ndarray = field(init=False)
    reasons: list[str] = field(init=False)
    defaulted: np.ndarray = field(init=False)
    wanted: np.ndarray = field(init=False)
    data: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.code, self.reasons = np.full(self.rows, OK), [""] * self.rows
        self.defaulted, self.wanted = np.zeros(self.rows, np.int64), np.zeros(self.rows, np.int64)
        self.data = np.zeros((self.rows, 0))

    def fail(self, rows: Iterable[int] | np.ndarray, code: int, reason: str) -> None:
        """These rows are not answered; the others are."""
        for i in rows:
            if self.code[i] == OK:
                self.code[i], self.reasons[i] = code, reason


@dataclass(frozen=True, eq=False)
class Table:
    """`length` rows; a column is floats (NaN = absent) or objects (None = absent). Never written into."""

    length: int
    columns: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return self.length

    @classmethod
    def of_rows(cls, rows: Sequence[Mapping[str, object]]) -> Table:
        """Rows of name -> number or text; a row may lack any.

        >>> Table.of_rows([{"a": "1.5"}, {"b": 2}]).numbers("a", Context("guest:1", 2)).tolist()
        [1.5, nan]
        """
        columns: dict[str, np.ndarray] = {}
        for i, row in enumerate(rows):
            for name, value in row.items():
                if name not in columns:
                    columns[name] = np.full(len(rows), None, dtype=object)
                columns[name][i] = value
        return cls(len(rows), columns)

    @classmethod
    def of_matrix(cls, names: Sequence[str], X: Float[np.ndarray, "b n"]) -> Table:
        """Numbers, NaN where a value is absent."""
        return cls(len(X), {name: np.asarray(X[:, j], dtype=float) for j, name in enumerate(names)})

    def having(self, columns: Mapping[str, np.ndarray]) -> Table:
        """The same rows with exactly these columns."""
        return Table(self.length, dict(columns))

    def numbers(self, name: str, context: Context) -> np.ndarray:
        """A column as floats (b,). Absent are a column that is not there, None, "" and NaN: NaN. A row whose value is
        no number, or an integer beyond all floats, fails, with the column's name.
        """
        held = self.columns.get(name)
        if held is None:
            return np.full(self.length, np.nan)
        if held.dtype != object:
            return np.asarray(held, dtype=float)
        values = held.tolist()
        if (quick := _quick(values)) is not None:
            return quick
        out = np.full(self.length, np.nan)
        for i, value in enumerate(values):
            if value is None or (isinstance(value, str) and not value.strip()):
                continue
            if isinstance(value, bool | int | float | np.number | np.bool_) or (
                isinstance(value, str) and NUMBER.fullmatch(value)
            ):
                try:
                    out[i] = float(value)
                except OverflowError:  # an integer may have any number of digits
                    context.fail([i], BAD_FEATURE, f"{quoted(name)} is a number of too many digits")
            else:
                context.fail([i], BAD_FEATURE, f"{quoted(name)} is {quoted(value)}, which is no number")
        return out

    def matrix(self, names: Sequence[str], context: Context) -> Float[np.ndarray, "b n"]:
        """Columns as floats, in this order."""
        out = np.empty((self.length, len(names)))
        for j, name in enumerate(names):
            out[:, j] = self.numbers(name, context)
        return out

    def texts(self, name: str) -> np.ndarray:
        """A column as texts (b,), None where it is absent."""
        held = self.columns.get(name)
        if held is None:
            return np.full(self.length, None, dtype=object)
        out = np.empty(self.length, dtype=object)
        for i, value in enumerate(held.tolist()):
            out[i] = None if value is None or value != value else str(value)
        return out


def _quick(values: list[object]) -> np.ndarray | None:
    """Numbers and texts of numbers all at once; None where one of them needs a closer look."""
    if not {type(value) for value in values} <= {int, float, str}:
        return None
    text = "".join(value for value in values if isinstance(value, str))
    if not text.isascii() or "_" in text:  # Python reads more than the plain numbers of a file
        return None
    try:
        return np.array([float(value) for value in values])  # type: ignore[arg-type]
    except (ValueError, OverflowError):
        return None
