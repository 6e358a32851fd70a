"""The lake: vectors, quarantine and dead letters in three tables beside one another, each row once; and its state.

URI                rows: id, node, timestamp, power_w, one column a feature; partitioned by node (or shard) and day
URI_quarantine     rows that were read but may not be learnt from, with the reason
URI_dead_letters   messages that could not be read, with reason and origin
URI_state          small blobs (`bundle/state.py`): definitions, latest vectors, lag, runs
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from ascribe.bundle.selftest import checked
from ascribe.bundle.state import State, beside
from ascribe.train.definitions import FeatureSet
from ascribe.train.lake.reading import files_of, newest_days, thinned
from ascribe.train.lake.rows import DAY, DEAD_SCHEMA, QUARANTINE_SCHEMA, ROW_SCHEMA, SHARD, Placed
from ascribe.train.lake.table import Table
from ascribe.train.vectors import RESERVED

__all__ = ["Lake"]

KEYS = ("id", "node", "timestamp", "power_w")


class Lake:
    """Tables on a directory or on `s3://bucket/prefix` (settings from the environment). `shards`: a new lake is
    partitioned by that many groups of nodes instead of by node; an old one stays as it is. `state`: the lake whose
    state is this one's too (None: its own), for rows that are to be seen beside others and not to be learnt from.
    """

    def __init__(self, uri: str, shards: int = 0, state: str | None = None) -> None:
        self.uri = uri.removeprefix("file://").rstrip("/")
        schema = ROW_SCHEMA.append(pa.field(SHARD, pa.string())) if shards else ROW_SCHEMA
        self.rows = Table(self.uri, schema, [SHARD if shards else "node", DAY])
        self.quarantine = Table(f"{self.uri}_quarantine", QUARANTINE_SCHEMA)
        self.dead = Table(f"{self.uri}_dead_letters", DEAD_SCHEMA)
        self.state = State(beside((state or self.uri).removeprefix("file://")))
        self._shards = shards
        self._layout: dict[str, int] | None = None

    @property
    def shards(self) -> int:
        """How many shards the rows are spread over; 0 where they are partitioned by node. Fixed when a lake is made."""
        if self._layout is None:
            self._layout = self.state.find("layout")
        if self._layout is None:
            self._layout = {"shards": self._shards}
            self.state.put(self._layout, "layout")
        return int(self._layout["shards"])

    @property
    def identity(self) -> str:
        """The name that the lake was given when it was made: the same wherever it lies. Raises LakeError for none."""
        return str(self.rows.opened().metadata().id)

    def position(self, stream: str) -> int | None:
        """Where reading of a stream goes on; None where the lake holds nothing of it."""
        return self.rows.position(stream)

    def columns(self) -> tuple[str, ...]:
        """Names of all columns of the rows, those that are no features among them; none where there are no rows yet."""
        return self.rows.columns

    def append(self, rows: Placed, quarantine: Placed | None, dead: Placed | None, ends: Mapping[str, int]) -> int:
        """What could not be kept as rows first, the rows last: their commit says that everything before `ends` is
        held. Each of the tables leaves out what it has. Returns the number of new rows. Raises LakeError; RegistryError
        for a store on which two writers could both win.
        """
        checked(self.state.uri)
        for table, placed in ((self.dead, dead), (self.quarantine, quarantine)):
            if placed is not None and placed.rows.num_rows:
                touched = {placed.places.names[s] for s in set(placed.places.stream.tolist())}
                table.append(placed.rows, placed.places, {s: end for s, end in ends.items() if s in touched})
        return self.rows.append(rows.rows, rows.places, ends)

    def version(self) -> int | None:
        """The newest version of the rows; None where there are none yet."""
        return self.rows.version

    def count(self, version: int | None = None) -> int:
        """Rows of a version, from the log alone."""
        return int(files_of(self.rows.opened(version))["num_records"].sum())

    def snapshot(self, version: int | None = None, days: int | None = None, most: int | None = None) -> pa.Table:
        """Rows of a version in the order of node and time, each id once (the first), features after the keys. `days`:
        of the last days that have rows; `most`: thinned evenly to so many at most, one file in memory at a time.

        Raises LakeError, InputError as `Table.read`.
        """
        held = self.rows.opened(version)
        frame = _rows(held, newest_days(files_of(held), days), most)
        return frame.sort("node", "timestamp", "id").unique("id", keep="first", maintain_order=True).to_arrow()

    def newest(self, count: int, version: int | None = None) -> pl.DataFrame:
        """The last rows by time, keys first; only files of the days that hold them are read."""
        held = self.rows.opened(version)
        frame = _rows(held, newest_days(files_of(held), least=count))
        return frame.top_k(count, by="timestamp").sort("timestamp", "id")

    def recent_ids(self, count: int) -> list[str]:
        """Ids of the newest files, about `count` of them: what a producer may have sent twice."""
        if self.version() is None:
            return []
        held = self.rows.opened()
        newest = files_of(held).sort("modification_time", descending=True)
        wanted = newest.filter(pl.col("num_records").cum_sum() - pl.col("num_records") < count)
        found: list[str] = thinned(held, wanted, ["id"])["id"].to_pylist()
        return found

    def define(self, known: FeatureSet) -> None:
        """Put definitions in force; every version stays readable."""
        self.state.put(known.to_json(), "features", known.version)
        self.state.put({"version": known.version}, "features", "current")

    def features(self, version: str | None = None) -> FeatureSet | None:
        """The definitions in force, or those of a version; None where there are none."""
        if version is None:
            current = self.state.find("features", "current")
            version = current["version"] if current else None
        record = self.state.find("features", version) if version else None
        return FeatureSet.from_json(record) if record else None

    def tables(self) -> Mapping[str, Table]:
        """All three, by what they hold."""
        return {"rows": self.rows, "quarantine": self.quarantine, "dead_letters": self.dead}


def _rows(held: DeltaTable, files: pl.DataFrame, most: int | None = None) -> pl.DataFrame:
    """Rows of some files, keys first, then features; what says where they lie is left out."""
    columns = [*KEYS, *(f.name for f in held.schema().fields if f.name not in RESERVED)]
    frame = pl.from_arrow(thinned(held, files, columns, most))
    assert isinstance(frame, pl.DataFrame)
    return frame
