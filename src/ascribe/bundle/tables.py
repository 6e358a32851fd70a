"""Rows from a file: Parquet, CSV (also gzipped) or Arrow IPC, as an Arrow table."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from ascribe.core.errors import InputError

__all__ = ["read_table", "write_parquet"]

READERS = {
    ".parquet": pyarrow.parquet.read_table,
    ".csv": pyarrow.csv.read_csv,
    ".arrow": pyarrow.feather.read_table,
    ".feather": pyarrow.feather.read_table,
}


def read_table(path: Path) -> pa.Table:
    """Raises InputError for a missing, unknown or broken file."""
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if suffix not in READERS:
        raise InputError(f"{path} is neither {', '.join(READERS)} nor .csv.gz: convert it first")
    try:
        return READERS[suffix](str(path))
    except FileNotFoundError as exc:
        raise InputError(f"there is no file {path}") from exc
    except (pa.ArrowException, OSError) as exc:
        first = str(exc).splitlines()[0].rstrip(".")
        raise InputError(f"{path} cannot be read as {suffix[1:]} ({first}): is it complete?") from exc


def write_parquet(columns: dict[str, object], path: Path) -> None:
    """Raises InputError if the place cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pa.table(columns), str(path))
    except OSError as exc:
        raise InputError(f"{path} cannot be written ({exc.strerror or exc})") from exc
