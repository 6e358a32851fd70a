"""Upkeep of a lake: small files joined, old ones removed; and what it holds, for people."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import polars as pl
from deltalake.exceptions import DeltaError

from ascribe.core.errors import InputError, LakeError
from ascribe.train.lake.lake import Lake
from ascribe.train.lake.reading import files_of
from ascribe.train.lake.rows import by_kind

__all__ = ["Described", "compact", "described"]

FILE_BYTES = 128 << 20


@dataclass(frozen=True)
class Described:
    """`tables`: rows, files and bytes by table; `nodes`: rows by node or shard; `newest`: the last rows."""

    uri: str
    version: int
    newest_version: int
    definitions: str
    tables: dict[str, dict[str, int]]
    parts: dict[str, int]
    days: tuple[str, str]
    reasons: dict[str, int]
    newest: pl.DataFrame


def described(lake: Lake, version: int | None = None, rows: int = 5) -> Described:
    """Raises LakeError for no lake, InputError for no such version."""
    held = lake.rows.opened(version)
    added = files_of(held)
    by, day = held.metadata().partition_columns
    known = lake.features()
    newest = lake.newest(rows, version)
    reasons: Counter[str] = Counter()
    for table in (lake.quarantine, lake.dead):
        if table.version is not None:
            reasons.update(by_kind(table.read(columns=["reason"])["reason"].to_pylist()))
    parts = added.group_by(f"partition.{by}").agg(pl.col("num_records").sum()).sort(f"partition.{by}")
    days = sorted(added[f"partition.{day}"].to_list())
    return Described(
        lake.uri, held.version(), lake.version() or 0, known.version if known else "",
        {name: _sizes(table.opened(version if name == "rows" else None)) for name, table in lake.tables().items()
         if table.version is not None},
        dict(parts.iter_rows()), (days[0], days[-1]) if days else ("", ""), reasons, newest,
    )  # fmt: skip


def compact(lake: Lake, keep_hours: float = 168.0) -> list[str]:
    """Join the small files of every table and remove what no version of the last hours needs; what was done, in words.

    Readers and writers go on meanwhile. Raises LakeError; InputError for hours that are no length of time.
    """
    if not 0 <= keep_hours < float("inf"):
        raise InputError(f"files are kept for a number of hours, 0 or more, not {keep_hours}")
    said = []
    for name, table in lake.tables().items():
        if table.version is None:
            continue
        held = table.opened()
        before = len(held.file_uris())
        try:
            held.optimize.compact(target_size=FILE_BYTES)
            gone = held.vacuum(
                retention_hours=max(0, round(keep_hours)), dry_run=False, enforce_retention_duration=False
            )
            held.create_checkpoint()
            held.cleanup_metadata()
        except (DeltaError, OSError) as exc:
            raise LakeError(f"{table.uri} cannot be compacted ({str(exc).splitlines()[0]})") from exc
        said.append(f"{name}: {before} files -> {len(table.opened().file_uris())}, {len(gone)} removed from storage")
    if not said:
        lake.tables()["rows"].opened()  # says that there is none
    return said


def _sizes(held: Any) -> dict[str, int]:
    added = files_of(held)
    return {"rows": int(added["num_records"].sum()), "files": len(added), "bytes": int(added["size_bytes"].sum())}
