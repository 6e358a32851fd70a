"""Where series lie and which columns are what."""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.durations import span
from ascribe.core.errors import InputError

__all__ = ["SeriesOptions"]


@dataclass(frozen=True)
class SeriesOptions:
    """`data`: a file (Parquet, CSV, Arrow), a Delta table (directory or `s3://`), or a URL of SQLAlchemy with `query`.

    A long table has one column of values and `series` names whose they are; of a wide one each column of `value` is a
    series. `step`: as 5min (None: the one that the data has). `last`: only so much before the newest sample, as 60d.
    `only`: names of the series to take. `zone`: of times that say none, and of the calendar. `version`: of a Delta
    table. `now_s`: what lies after it (epoch seconds) is in the future; None does not look.

    Raises InputError for options that exclude one another.
    """

    data: str
    time: str
    value: tuple[str, ...]
    series: str | None = None
    query: str | None = None
    step: str | None = None
    last: str | None = None
    only: tuple[str, ...] = ()
    exogenous: tuple[str, ...] = ()
    zone: str | None = None
    unit: str = ""
    version: int | None = None
    now_s: float | None = None

    def __post_init__(self) -> None:
        if not self.value:
            raise InputError("no column of values: name it with --value")
        twice = [self.time, *self.value, *self.exogenous, *([self.series] if self.series else [])]
        if len(set(twice)) < len(twice):
            raise InputError(
                f"a column has two parts to play among {', '.join(twice)}: each is time, value or one more"
            )
        if self.step is not None and (self.step_s or 0) < 1:
            raise InputError(f"a step of {self.step}: whole seconds, at least one")

    @property
    def step_s(self) -> int | None:
        """Whole seconds. Raises InputError for half ones."""
        if self.step is None:
            return None
        seconds = span(self.step)
        if seconds != int(seconds):
            raise InputError(f"a step of {self.step}: whole seconds, at least one")
        return int(seconds)

    @property
    def last_s(self) -> float | None:
        return None if self.last is None else span(self.last)

    @property
    def columns(self) -> tuple[str, ...]:
        """All that are read."""
        return (self.time, *([self.series] if self.series else []), *self.value, *self.exogenous)
