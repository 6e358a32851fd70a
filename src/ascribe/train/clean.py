"""Cleaning: rows to learn from, and rows in quarantine with the reason. Pure; nothing is dropped in silence."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ascribe.core.errors import SchemaError
from ascribe.core.features import Feature
from ascribe.core.scaling import held
from ascribe.core.words import listed
from ascribe.train.series.moments import moments

__all__ = ["REASON", "ROW", "Cleaned", "clean", "refuse_taken"]

ROW, REASON = "row", "reason"
NO_NUMBERS = (pl.Categorical, pl.Enum, pl.Binary, pl.Object)


@dataclass(frozen=True)
class Cleaned:
    """`rows` to learn from (with `row`, the position in the file), `quarantine` (all columns, `row`, `reason`), the
    features that vary, the constant ones and those too narrow for single precision that were left out, and the count of
    each reason.
    """

    rows: pl.DataFrame
    quarantine: pl.DataFrame
    features: tuple[Feature, ...]
    constant: tuple[str, ...]
    narrow: tuple[str, ...]
    reasons: dict[str, int]


def refuse_taken(columns: Sequence[str]) -> None:
    """Raises SchemaError for columns called as the quarantine calls its own."""
    if taken := sorted({ROW, REASON} & set(columns)):
        raise SchemaError(f"the columns {' and '.join(taken)} are named by the quarantine: rename them in the file")


def clean(
    table: pl.DataFrame,
    features: Sequence[Feature],
    target: Feature,
    time: str | None = None,
    group: Sequence[str] = (),
) -> Cleaned:
    """Reject, in this order, and each row for its first reason: a missing value; not a number; not a time; out of its
    unit's bounds; a duplicate (of a time within its group, or without a time of a whole row); a time that goes backward
    within its group. Columns that never vary afterwards are left out of the features, and those whose values single
    precision, which models compute in, cannot tell apart (a clock; `core.scaling.held`). Times that are texts are
    numbers in `rows`.

    Raises SchemaError for a missing column, one that is two of target, time and group, a column without any number or
    any time, a target that single precision cannot tell apart, or when no row is left.
    """
    names = [f.name for f in features]
    wanted = [*names, target.name, *([time] if time else []), *group]
    if missing := [c for c in wanted if c not in table.columns]:
        raise SchemaError(
            f"there is no column {listed(missing)}; the file has {listed(_nearest(table.columns, missing[0]))}"
        )
    roles = Counter(wanted[len(names) :])
    if twice := [c for c, count in roles.items() if count > 1]:
        raise SchemaError(f"column {twice[0]} is named twice among target, time and groups: name it once")
    refuse_taken(table.columns)
    if table.is_empty():
        raise SchemaError("the file has no rows")
    numbers = _as_numbers(table, [*features, target])
    times = [_as_times(table[time])] if time else []
    reason = pl.coalesce(
        _missing(table, wanted),
        _not_numbers(table, numbers.columns),
        *(_not_times(table, read) for read in times),
        *(_out_of_bounds(f) for f in (*features, target)),
        pl.lit(None, pl.String),
    )
    # judged on numbers, kept as sent: a quarantined row must show what came in
    marked = table.with_row_index(ROW).with_columns(
        numbers.with_columns(table[c] for c in wanted if c not in numbers.columns).select(reason.alias(REASON))[REASON]
    )
    judged = marked.with_columns(times)
    judged = judged.with_columns(pl.coalesce(REASON, _repeated(table.columns, time, group)).alias(REASON))
    if time:
        judged = judged.with_columns(pl.coalesce(REASON, _backward(time, group)).alias(REASON))
    marked = marked.with_columns(judged[REASON])
    good = pl.col(REASON).is_null()
    rows = judged.with_columns(numbers).filter(good).drop(REASON)
    if rows.is_empty():
        raise SchemaError(f"no row is left after cleaning; the first was rejected because: {marked[REASON][0]}")
    _refuse_narrow(target.name, rows[target.name].to_numpy().astype(float))
    varies = [f for f in features if rows[f.name].n_unique() > 1]
    if not varies:
        raise SchemaError("every feature is constant: there is nothing to learn from")
    fine = held(rows.select(f.name for f in varies).to_numpy().astype(float))
    narrow = tuple(f.name for f, told in zip(varies, fine, strict=True) if not told)
    if len(narrow) == len(varies):
        raise SchemaError(
            f"{listed(narrow)}: single precision cannot tell the values apart; subtract an offset, or choose other "
            "columns with --features (a time is no feature)"
        )
    quarantine = marked.filter(~good)
    kinds = quarantine[REASON].str.replace(r" \(.*", "").value_counts(sort=True)
    return Cleaned(
        rows,
        quarantine,
        tuple(f for f in varies if f.name not in narrow),
        tuple(f.name for f in features if f not in varies),
        narrow,
        dict(kinds.iter_rows()),
    )


def _refuse_narrow(name: str, y: np.ndarray) -> None:
    """A model predicts in single precision: it would say one number for all rows."""
    if not held(y[:, None])[0]:
        raise SchemaError(
            f"target {name} lies in {y.min():.10g}..{y.max():.10g}, where single precision cannot tell its values "
            "apart: subtract an offset or change its unit (of a running total take the differences)"
        )


def _nearest(columns: Sequence[str], wanted: str) -> list[str]:
    """The columns whose names are likest first."""
    near = difflib.get_close_matches(wanted, columns, n=3, cutoff=0.5)
    return [*near, *(c for c in columns if c not in near)]


def _as_numbers(table: pl.DataFrame, features: Sequence[Feature]) -> pl.DataFrame:
    def refused(f: Feature) -> SchemaError:
        held = table[f.name].dtype
        return SchemaError(f"column {f.name} holds no number ({held}): choose others with --features or --target")

    for f in features:
        if table[f.name].dtype.is_nested() or table[f.name].dtype in NO_NUMBERS:
            raise refused(f)
    numbers = table.select(pl.col(f.name).cast(pl.Float64, strict=False) for f in features)
    for f in features:
        if numbers[f.name].null_count() == len(table) and len(table):
            raise refused(f)
    return numbers


def _as_times(column: pl.Series) -> pl.Series:
    """Texts as numbers, or as seconds since 1970 UTC: null where one is neither; other times as they are."""
    if column.dtype.is_numeric() or column.dtype.is_temporal():
        return column
    text = column.cast(pl.String) if column.dtype in (pl.Categorical, pl.Enum) else column
    if text.dtype == pl.String and (number := text.cast(pl.Float64, strict=False)).null_count() == text.null_count():
        return number.fill_nan(None)
    seconds = moments(text, pl.repeat("", len(text), eager=True), None).time_s
    if len(sent := text.drop_nulls()) and np.isnan(seconds).all():
        raise SchemaError(
            f"column {column.name} holds texts that are no times ('{sent[0][:40]}'): write them in ISO 8601, such as "
            "2026-11-26T03:22:10Z, or name a column of running numbers with --time"
        )
    return pl.Series(column.name, seconds).fill_nan(None)


def _missing(table: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    """The first column of each row that is null or NaN."""
    tests = [
        pl.when(pl.col(c).is_null() | (pl.col(c).is_nan() if table[c].dtype.is_float() else pl.lit(False)))
        .then(pl.lit(f"missing value in {c}"))
        for c in columns
    ]  # fmt: skip
    return table.select(pl.coalesce(*tests).alias("missing"))["missing"]


def _not_numbers(table: pl.DataFrame, columns: Sequence[str]) -> pl.Series:
    tests = [
        pl.when(pl.col(c).cast(pl.Float64, strict=False).is_finite().fill_null(False)).then(None).otherwise(
            pl.concat_str(pl.lit(f"not a number in {c} ("), pl.col(c).cast(pl.String), pl.lit(")"))
        )
        for c in columns
    ]  # fmt: skip
    return table.select(pl.coalesce(*tests).alias("text"))["text"]


def _not_times(table: pl.DataFrame, read: pl.Series) -> pl.Series:
    text = pl.concat_str(pl.lit(f"not a time in {read.name} ("), pl.col(read.name).cast(pl.String), pl.lit(")"))
    return table.select(pl.when(read.is_null()).then(text).alias("time"))["time"]


def _out_of_bounds(f: Feature) -> pl.Expr:
    value = pl.col(f.name)
    word = "impossible percentage" if f.unit == "percent" else "out of range"
    text = pl.concat_str(
        pl.lit(f"{word} in {f.name} ("), value.cast(pl.String), pl.lit(f"{f.after}, possible {f.low:g}..{f.high:g})")
    )
    return pl.when((value < f.low) | (value > f.high)).then(text)


def _repeated(columns: Sequence[str], time: str | None, group: Sequence[str]) -> pl.Expr:
    """Later rows with the same group and time as a row that is still sound; without a time, equal in every column."""
    key = [*group, time] if time else list(columns)
    sound = pl.col(REASON).is_null()
    text = f"duplicate of an earlier row (same {', '.join(key) if time else 'in all columns'})"
    return pl.when(sound & ~pl.struct(*key, sound.alias(REASON)).is_first_distinct()).then(pl.lit(text))


def _backward(time: str, group: Sequence[str]) -> pl.Expr:
    """Rows whose time is before the latest one seen so far in their group, in file order."""
    latest = pl.when(pl.col(REASON).is_null()).then(pl.col(time)).cum_max().forward_fill()
    latest = latest.over(list(group)) if group else latest
    late = pl.col(REASON).is_null() & (pl.col(time) < latest)
    return pl.when(late).then(pl.lit(f"{time} goes backward (order by a running number if runs were glued)"))
