"""Rows of a table -> samples: whose, when, how much; and the quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ascribe.bundle.zones import UTC
from ascribe.core.errors import InputError, SchemaError
from ascribe.core.forecast.gaps import Rules
from ascribe.core.forecast.mended import Mend
from ascribe.core.words import listed
from ascribe.train.clean import REASON, ROW, refuse_taken
from ascribe.train.series.moments import Moments, moments
from ascribe.train.series.options import SeriesOptions

__all__ = ["Samples", "samples_of"]

STRAY = 0.01  # of the samples, at most, are stray: more of them are data


@dataclass(frozen=True, eq=False)
class Samples:
    """Sample i is of series names[which[i]] at time_s[i] (epoch seconds): values[i], NaN where none was measured, and
    exogenous (k, e). `quarantine`: rows as they came, with `row` and `reason`; `zone` that the calendar goes by.
    """

    names: tuple[str, ...]
    which: np.ndarray
    time_s: np.ndarray
    values: np.ndarray
    exogenous: np.ndarray
    quarantine: pl.DataFrame
    mends: tuple[Mend, ...]
    zone: str


def samples_of(table: pl.DataFrame, options: SeriesOptions, rules: Rules) -> Samples:
    """Quarantined, each row for its first reason: no series, no time that can be read, no such local time, a time in
    the future, a time far from all others, a value that is no number. A value that is absent is a gap, and no bad row.

    Raises InputError where no row is left or a series that is asked for is absent; SchemaError for a column without
    numbers or times, and for one that the quarantine has itself.
    """
    refuse_taken(table.columns)
    who = table[options.series].cast(pl.String) if options.series else pl.Series("series", [""] * len(table))
    known = sorted(who.drop_nulls().unique().to_list()) if options.series else list(options.value)
    if missing := [name for name in options.only if name not in known]:
        raise InputError(f"there is no series {listed(missing)}: the data has {listed(known)}")
    value = [name for name in options.value if options.series or not options.only or name in options.only]
    table = table.with_row_index(ROW)  # before any is left out
    if options.only and options.series:
        keep = who.is_in(list(options.only)) | who.is_null()
        table, who = table.filter(keep), who.filter(keep)
    when = moments(table[options.time], who.fill_null(""), options.zone)
    reason = np.array(when.reason, dtype=object)
    reason[who.is_null().to_numpy() & (reason == "")] = "no series"
    _far(when.time_s, reason, options, rules)
    numbers = _numbers(table, [*value, *options.exogenous], reason)
    good = reason == ""
    quarantine = table.with_columns(pl.Series(REASON, reason.tolist(), pl.String)).filter(pl.Series(~good))
    if not good.any():
        raise InputError(f"no row is left to learn from; the first was put aside because: {reason[0]}")
    if options.last_s is not None:
        good &= when.time_s > when.time_s[good].max() - options.last_s
    mends = (*_told(when, options), *_quarantined(reason, when.time_s))
    time_s, exogenous = when.time_s[good], np.stack([numbers[c][good] for c in options.exogenous] or [[]]).T
    exogenous = exogenous.reshape(len(time_s), len(options.exogenous))
    columns = [numbers[name][good] for name in value]
    held = who.filter(pl.Series(good))
    if not options.series:
        names, which = tuple(value), [np.full(len(time_s), i) for i in range(len(value))]
    else:
        own = sorted(held.unique().to_list())
        index = held.replace_strict(own, range(len(own)), return_dtype=pl.Int64).to_numpy()
        names = tuple(f"{name} {measure}" if len(value) > 1 else name for measure in value for name in own)
        which = [index + k * len(own) for k in range(len(columns))]
    return Samples(
        names,
        np.concatenate(which).astype(np.int64),
        np.tile(time_s, len(columns)),
        np.concatenate(columns),
        np.tile(exogenous, (len(columns), 1)),
        quarantine,
        mends,
        when.zone,
    )


def _numbers(table: pl.DataFrame, columns: Sequence[str], reason: np.ndarray) -> dict[str, np.ndarray]:
    """NaN for what is absent; rows with something else get a reason."""
    found = {}
    for name in columns:
        column = table[name]
        if column.dtype.is_nested() or column.dtype.is_temporal():
            raise SchemaError(f"column {name} holds no numbers ({column.dtype}): name another with --value")
        if column.dtype == pl.String:
            column = column.str.strip_chars()
            column = column.to_frame().select(pl.when(pl.col(name) != "").then(pl.col(name)))[name]
        number = column.cast(pl.Float64, strict=False)
        if len(column) and column.null_count() < len(column) and number.null_count() == len(column):
            raise SchemaError(f"column {name} holds no numbers (first: {column.drop_nulls()[0]!r}): name another")
        values = number.fill_null(np.nan).to_numpy().copy()
        bad = (column.is_not_null() & number.is_null()).to_numpy() | np.isinf(values)
        for i in np.flatnonzero(bad & (reason == "")).tolist():
            reason[i] = f"not a number in {name} ({str(table[name][i])[:40]})"
        values[bad] = np.nan
        found[name] = values
    return found


def _far(time_s: np.ndarray, reason: np.ndarray, options: SeriesOptions, rules: Rules) -> None:
    """Times in the future; and a few that lie further from the others than these are spread: a clock unset."""
    good = reason == ""
    if options.now_s is not None:
        ahead = good & (time_s > options.now_s + rules.ahead_s)
        reason[ahead] = "a time in the future"
        good &= ~ahead
    order = np.flatnonzero(good)[np.argsort(time_s[good], kind="stable")]
    few = int(len(order) * STRAY)
    for ends in (order, order[::-1]):
        time = time_s[ends]
        for cut in range(min(few, len(time) - 2), 0, -1):
            if abs(time[cut] - time[cut - 1]) > abs(time[-1] - time[cut]) > 0:
                reason[ends[:cut]] = "a time far from all others"
                break


def _told(when: Moments, options: SeriesOptions) -> list[Mend]:
    found = []
    good = when.naive & np.isfinite(when.time_s)
    if good.any() and options.zone is None:
        found.append(_mend("zone", when.time_s[good], f"times without a zone: taken as {UTC}, say --zone for another"))
    if (twice := when.twice & np.isfinite(when.time_s)).any():
        rule = f"local times that come twice in {when.zone}: the first pass is the earlier hour"
        found.append(_mend("hour twice", when.time_s[twice], rule))
    return found


def _quarantined(reason: np.ndarray, time_s: np.ndarray) -> list[Mend]:
    kinds = {"a time in the future": "future", "a time far from all others": "stray"}
    found = []
    for said in sorted({text.partition(" (")[0] for text in reason if text}):
        own = np.array([text.partition(" (")[0] == said for text in reason])
        kind = "missing hour" if said.startswith("no such time") else kinds.get(said, "unreadable")
        around = np.where(np.isfinite(time_s), time_s, np.nan)
        known = around[own] if np.isfinite(around[own]).any() else around[np.isfinite(around)]
        found.append(_mend(kind, known, f"{said}: put into quarantine", int(own.sum())))
    return found


def _mend(kind: str, time_s: np.ndarray, rule: str, count: int | None = None) -> Mend:
    known = time_s[np.isfinite(time_s)] if len(time_s) else np.zeros(1)
    low, high = (int(known.min()), int(known.max())) if len(known) else (0, 0)
    return Mend(kind, "", low, high, len(time_s) if count is None else count, rule)
