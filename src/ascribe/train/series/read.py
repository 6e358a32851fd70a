"""From where series lie to a mended `Series`, with all that was found on the way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from ascribe.bundle.zones import clock
from ascribe.core.errors import InputError
from ascribe.core.forecast.gaps import Rules, fill
from ascribe.core.forecast.grid import grid, phase_of, step_of
from ascribe.core.forecast.mended import Mend, merged, plain, told
from ascribe.core.forecast.mending import mend, remarks
from ascribe.core.forecast.series import Series
from ascribe.train.series.options import SeriesOptions
from ascribe.train.series.samples import Samples, samples_of
from ascribe.train.series.tables import rows_of

__all__ = ["Read", "mended", "read_series"]


@dataclass(frozen=True, eq=False)
class Read:
    """`series`, mended; `mends`: what was found and done; `quarantine`: rows that were put aside, with `row` and
    `reason`; `zone` of the calendar; `origin`: where the rows are from, for a bundle's lineage.
    """

    series: Series
    mends: tuple[Mend, ...]
    quarantine: pl.DataFrame
    zone: str
    rules: Rules
    origin: dict[str, Any] = field(default_factory=dict)

    def told(self, most: int = 20) -> list[str]:
        """Lines for people."""
        return told(self.mends, most)

    def lineage(self) -> dict[str, Any]:
        """Plain values for a bundle: where from, how many rows, what was done by which rule."""
        mended = plain(self.mends)
        return {**self.origin, "quarantined": len(self.quarantine), "fill": self.rules.in_words(), "mended": mended}


def read_series(options: SeriesOptions, rules: Rules | None = None) -> Read:
    """Read, put aside what is no sample, put the rest on one grid, mend. Raises InputError, SchemaError, LakeError,
    SourceError; InputError too where no series has two values.
    """
    table, origin = rows_of(options)
    return mended(table, options, rules or Rules(), origin)


def mended(table: pl.DataFrame, options: SeriesOptions, rules: Rules, origin: dict[str, Any] | None = None) -> Read:
    """The same for a table in memory; nothing is read and no clock is looked at."""
    held = samples_of(table, options, rules)
    step_s = step_of(held.time_s, held.which, options.step_s)
    phase_s = phase_of(held.time_s, step_s)
    on = grid(held.names, held.which, held.time_s, held.values, step_s, phase_s)
    at_s = on.start_s + step_s * np.arange(len(on.values), dtype=np.int64)
    local_s = clock(held.zone)(at_s)
    done = mend(held.names, on.start_s, step_s, on.values, local_s, rules)
    if not (done.observed.sum(axis=0) > 1).any():
        raise InputError(f"no series of {', '.join(options.value)} has two values: there is nothing to learn from")
    extra = _exogenous(held, on.start_s, step_s, phase_s, local_s, rules)
    series = Series(
        held.names, on.start_s, step_s, done.values, done.observed, local_s, extra, options.exogenous, options.unit
    )
    found = [*held.mends, *on.mends, *done.mends, *remarks(held.names, on.start_s, step_s, done.values, done.observed)]
    return Read(series, tuple(merged(found, held.names)), held.quarantine, held.zone, rules, origin or {})


def _exogenous(held: Samples, start_s: int, step_s: int, phase_s: int, local_s: np.ndarray, rules: Rules) -> np.ndarray:
    """(t, s, e): on the same grid, gaps filled by the same rules; a column that stands still is believed."""
    t, s = len(local_s), len(held.names)
    span = (start_s, start_s + step_s * t)
    columns = [
        grid(held.names, held.which, held.time_s, column, step_s, phase_s, span).values for column in held.exogenous.T
    ]
    never = np.zeros((t, s), bool)
    filled = [fill(column, never, start_s, step_s, local_s, rules)[0] for column in columns]
    return np.stack(filled, axis=2) if filled else np.zeros((t, s, 0))
