"""Rows and groups from files: Parquet, CSV (also gzipped) or Arrow IPC as an Arrow table; groups as TOML or JSON."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet

from ascribe.bundle.written import writing
from ascribe.core.errors import InputError

__all__ = ["read_groups", "read_names", "read_table", "refuse_repeated", "write_parquet"]

READERS = {
    ".parquet": pyarrow.parquet.read_table,
    ".csv": pyarrow.csv.read_csv,
    ".arrow": pyarrow.feather.read_table,
    ".feather": pyarrow.feather.read_table,
}


def read_table(path: Path, texts: Sequence[str] = ()) -> pa.Table:
    """`texts`: columns of a CSV file that are texts, whatever stands in them. Raises InputError for a missing, unknown
    or broken file.
    """
    suffix = Path(path.stem).suffix if path.suffix == ".gz" else path.suffix
    if suffix not in READERS:
        if path.is_dir():
            raise InputError(f"{path} is a folder: name a file of rows in it")
        raise InputError(f"{path} is neither {', '.join(READERS)} nor .csv.gz: convert it first")
    options = {}
    if texts and suffix == ".csv":
        options["convert_options"] = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(texts, pa.string()))
    try:
        return READERS[suffix](str(path), **options)
    except FileNotFoundError as exc:
        raise InputError(f"there is no file {path}") from exc
    except (pa.ArrowException, OSError) as exc:
        first = str(exc).splitlines()[0].rstrip(".")
        raise InputError(f"{path} cannot be read as {suffix[1:]} ({first}): is it complete?") from exc


def refuse_repeated(table: pa.Table, names: Iterable[str], path: Path) -> None:
    """Raises InputError where a file has one of these columns twice: nobody could say which is meant."""
    count = Counter(table.column_names)
    if twice := [name for name in names if count[name] > 1]:
        raise InputError(f"{path} has the column '{twice[0]}' twice: give each a name of its own")


def write_parquet(columns: pa.Table | Mapping[str, object], path: Path) -> None:
    """A table, or columns by name, whole or not at all. Raises InputError if the place cannot be written."""
    table = columns if isinstance(columns, pa.Table) else pa.table(dict(columns))
    with writing(path) as part:
        pyarrow.parquet.write_table(table, str(part), compression="zstd")


def read_names(path: Path, what: str) -> Any:
    """JSON or TOML, by suffix; `what` names the file in a message. Raises InputError for a missing or broken file."""
    try:
        text = path.read_text()
        return json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except FileNotFoundError as exc:
        raise InputError(f"there is no {what} file {path}") from exc
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, tomllib.TOMLDecodeError) as exc:
        raise InputError(f"{what} file {path} is neither TOML nor JSON ({exc})") from exc


def read_groups(path: Path) -> dict[str, tuple[str, ...]]:
    """Groups of features from JSON or TOML:  group = ["feature", ...].  Raises InputError."""
    raw = read_names(path, "groups")
    for name, members in raw.items() if isinstance(raw, dict) else [("?", None)]:
        if not isinstance(members, list) or not all(isinstance(m, str) for m in members):
            raise InputError(f'{path}: write each group as {name} = ["feature", "feature"]')
    return {name: tuple(members) for name, members in raw.items()}
