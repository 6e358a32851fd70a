"""One Delta table that takes every position of a stream once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
from deltalake import (
    ColumnProperties,
    CommitProperties,
    DeltaTable,
    PostCommitHookProperties,
    Transaction,
    WriterProperties,
    write_deltalake,
)
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from ascribe.core.errors import InputError, LakeError
from ascribe.train.vectors import Places

__all__ = ["Table"]

ATTEMPTS = 30  # against writers of the same streams, which are few: former and present owner of a partition
KEYS = ("id", "node", "timestamp")  # what readers look for: these keep statistics and dictionaries
LOG_DAYS = 7


class Table:
    """`append` names, for every stream, the position after its last row; Delta keeps it as an application transaction
    of the same commit as the rows. Who appends again what is there appends nothing; of two who append the same
    positions at once one wins, and the other sees it and leaves out what is there.
    """

    def __init__(self, uri: str, schema: pa.Schema, partitions: Sequence[str] = ()) -> None:
        self.uri, self._schema, self._partitions = uri, schema, list(partitions)
        self._held: DeltaTable | None = None

    @property
    def version(self) -> int | None:
        """The newest version; None where there is no table yet."""
        held = self._fresh()
        return None if held is None else held.version()

    def position(self, stream: str) -> int | None:
        """The next position of a stream, looked up anew; None where nothing of it is held."""
        held = self._fresh()
        return None if held is None else held.transaction_version(stream)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the newest version's columns; none where there is no table yet."""
        held = self._fresh()
        return () if held is None else tuple(f.name for f in held.schema().fields)

    def append(self, rows: pa.Table, places: Places, ends: Mapping[str, int]) -> int:
        """Append the rows that are not held yet and move every stream to its end, in one commit; returns how many.

        Raises LakeError if the table cannot be written, or takes no rows with such columns.
        """
        last: Exception | None = None
        for _ in range(ATTEMPTS):
            held = self._fresh() if self._held is None else self._held
            at = {s: held.transaction_version(s) if held else None for s in ends}
            ahead = {s: end for s, end in ends.items() if (seen := at[s]) is None or seen < end}
            if not ahead:
                return 0
            new = rows.filter(self._new(places, at)) if any(at.values()) else rows
            try:
                self._write(held, new, ahead)
            except CommitFailedError as exc:
                self._held, last = None, exc  # somebody else wrote of the same streams, or new columns: look again
            except (DeltaError, OSError, pa.ArrowException) as exc:
                self._held = None
                raise self._failed(exc) from exc
            except Exception as exc:
                if type(exc) is not Exception:
                    raise
                self._held = None  # Delta's own errors have no class where a column cannot be added
                raise LakeError(
                    f"{self.uri} takes no such rows ({_first(exc)}): rename the column that it names"
                ) from exc
            else:
                return int(new.num_rows)
        why = _first(last) if last else ""
        raise LakeError(f"{self.uri}: {ATTEMPTS} appends in a row were lost to others ({why}): let fewer write to it")

    def read(self, version: int | None = None, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows of a version. Raises LakeError for no table, InputError for no such version."""
        held = self.opened(version)
        try:
            return held.to_pyarrow_table(columns=list(columns) if columns else None)
        except (DeltaError, OSError, pa.ArrowException) as exc:
            raise self._failed(exc) from exc

    def opened(self, version: int | None = None) -> DeltaTable:
        """The Delta table itself, at a version. Raises as `read`."""
        held = self._fresh()
        if held is None:
            raise LakeError(f"there is no table at {self.uri}: `ascribe ingest --lake {self.uri}` makes one")
        if version is None or version == held.version():
            return held
        if not 0 <= version <= held.version():
            raise InputError(f"{self.uri} has versions 0 to {held.version()}, not {version}")
        try:
            return DeltaTable(self.uri, version=version)
        except DeltaError as exc:
            raise InputError(f"version {version} of {self.uri} is gone ({_first(exc)}): take a newer one") from exc

    def _fresh(self) -> DeltaTable | None:
        """The table as it is now."""
        try:
            if self._held is None:
                self._held = DeltaTable(self.uri)
            else:
                self._held.update_incremental()
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as exc:
            raise self._failed(exc) from exc
        return self._held

    def _write(self, held: DeltaTable | None, rows: pa.Table, ends: Mapping[str, int]) -> None:
        if held is None:
            held = self._created()
        wider = bool(set(rows.column_names) - {f.name for f in held.schema().fields})
        write_deltalake(
            held,
            rows,
            mode="append",
            schema_mode="merge" if wider or rows.num_columns < len(held.schema().fields) else None,
            writer_properties=_writing(rows.column_names),
            commit_properties=CommitProperties(app_transactions=[Transaction(s, end) for s, end in ends.items()]),
            post_commithook_properties=PostCommitHookProperties(create_checkpoint=True, cleanup_expired_logs=False),
        )

    def _created(self) -> DeltaTable:
        """Make the table; if somebody else does so at the same moment, theirs."""
        try:
            self._held = DeltaTable.create(
                self.uri, self._schema, mode="ignore", partition_by=self._partitions,
                configuration={
                    "delta.logRetentionDuration": f"interval {LOG_DAYS} days", "delta.checkpointInterval": "100",
                } | self._statistics(),
            )  # fmt: skip
        except CommitFailedError:
            self._held = DeltaTable(self.uri)
        return self._held

    def _statistics(self) -> dict[str, str | None]:
        """Only what has statistics in its files may have them in the log: a reader takes absent ones for null, and
        would skip files that it needs.
        """
        kept = [name for name in KEYS if name in self._schema.names and name not in self._partitions]
        if not kept:
            return {"delta.dataSkippingNumIndexedCols": "0"}
        return {"delta.dataSkippingStatsColumns": ",".join(kept)}

    def _new(self, places: Places, at: Mapping[str, int | None]) -> pa.Array:
        first = pa.array([at.get(name) or 0 for name in places.names], pa.int64()).to_numpy()
        return pa.array(places.position >= first[places.stream])

    def _failed(self, exc: BaseException) -> LakeError:
        return LakeError(f"{self.uri} cannot be used ({_first(exc)}): is the place right, writable and not full?")


def _writing(columns: Sequence[str]) -> WriterProperties:
    """Features are floats that hardly repeat: without dictionaries and statistics they are written in half the time."""
    plain = ColumnProperties(dictionary_enabled=False, statistics_enabled="NONE")
    keys: dict[str, Any] = {
        name: ColumnProperties(dictionary_enabled=True, statistics_enabled="CHUNK") for name in KEYS if name in columns
    }
    return WriterProperties(compression="SNAPPY", default_column_properties=plain, column_properties=keys)


def _first(exc: BaseException) -> str:
    return (str(exc).splitlines() or [type(exc).__name__])[0].rstrip(".")
