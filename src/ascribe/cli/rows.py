"""What a file holds for a model, by the kind of its rows: a table, pictures or sentences; and what rows are called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ascribe.core.errors import InputError, SchemaError
from ascribe.core.words import listed, quoted

__all__ = ["Given", "given"]

TABLES = (".parquet", ".csv", ".arrow", ".feather")
PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff")


@dataclass(frozen=True, eq=False)
class Given:
    """`rows`: as the opened model takes them; `labels`: what they are called, empty for numbers."""

    rows: Any
    count: int
    labels: tuple[str, ...] = ()

    def take(self, chosen: list[int]) -> Given:
        """Some of them; rows without a name keep their number."""
        rows = self.rows.take(chosen) if hasattr(self.rows, "take") else [self.rows[i] for i in chosen]
        return Given(rows, len(chosen), tuple(self.labels[i] if self.labels else f"row {i}" for i in chosen))


def given(kind: str, path: Path, name: str | None = None) -> Given:
    """`kind`: table, image or text. `name`: a table's column that rows are called by. A folder holds pictures, in the
    order of their names; a .txt file a sentence a line; a table for a model of texts one column of them, or one called
    text.

    Raises InputError for another kind of file and for one without rows, SchemaError for a column that is not there.
    """
    if kind == "table":
        from ascribe.bundle.tables import read_table

        table = read_table(path)
        if not table.num_rows:
            raise InputError(f"{path} has no rows: give a file of one or more")
        if name is not None and name not in table.column_names:
            raise SchemaError(
                f"there is no column {quoted(name)} to name rows by; the file has {listed(table.column_names)}"
            )
        labels = () if name is None else tuple(str(value) for value in table[name].to_pylist())
        return Given(table, table.num_rows, labels)
    if not path.exists():
        raise InputError(f"there is no file or folder {path}")
    if kind == "image":
        files = sorted(p for p in path.iterdir() if p.suffix.lower() in PICTURES) if path.is_dir() else [path]
        if not files:
            raise InputError(f"{path} holds no picture: give {', '.join(PICTURES[:3])} files")
        return Given(files, len(files), tuple(p.name for p in files))
    if path.suffix != ".txt" and (path.suffix in TABLES or path.name.endswith(".csv.gz")):
        return _sentences(path, name)
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(f"{path} cannot be read as text: give a .txt file of UTF-8, a sentence a line") from exc
    if not lines:
        raise InputError(f"{path} holds no sentence: give one a line")
    return Given(lines, len(lines), tuple(f"line {i + 1}" for i in range(len(lines))))


def _sentences(path: Path, name: str | None) -> Given:
    """The column of texts of a table; `name`: another column, that they are called by."""
    from ascribe.bundle.tables import read_table

    table = read_table(path)
    if name is not None and name not in table.column_names:
        raise SchemaError(
            f"there is no column {quoted(name)} to name rows by; the file has {listed(table.column_names)}"
        )
    held = [f.name for f in table.schema if f.name != name and str(f.type) in ("string", "large_string")]
    if "text" in held:
        held = ["text"]
    if len(held) != 1:
        raise SchemaError(f"{path} has {len(held)} columns of texts, so which is meant? call it text")
    texts = table[held[0]].to_pylist()
    if not texts or any(text is None for text in texts):
        raise InputError(f"{path} has no sentence in some row of {held[0]}: leave such rows out")
    labels = table[name].to_pylist() if name is not None else [f"row {i}" for i in range(len(texts))]
    return Given(texts, len(texts), tuple(str(label) for label in labels))
