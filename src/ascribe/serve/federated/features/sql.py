"""Rows of a table of SQL: SQLite from the standard library, any other database through SQLAlchemy."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import numpy as np

from ascribe.core.errors import InputError, MissingExtra, SourceError
from ascribe.core.federated.table import Table
from ascribe.serve.federated.features.file import ID

__all__ = ["SqlFeatures"]

AT_ONCE = 500  # ids in one statement: SQLite before 3.32 takes 999 values
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?")
Ask = Callable[[str, list[str]], list[dict[str, Any]]]


class SqlFeatures:
    """`URL#TABLE`: a row for each id in the column `id`, which is compared as text. The connection is opened for each
    question, or taken from SQLAlchemy's pool. Raises InputError for a URL without a table.
    """

    def __init__(self, place: str, columns: Sequence[str], timeout_s: float) -> None:
        url, _, table = place.partition("#")
        if not NAME.fullmatch(table):
            raise InputError(f"'{_shown(url)}' names no table: write URL#TABLE, as sqlite:///features.db#people")
        # names stand behind the table's: SQLite takes a quoted one that is no column for a text, in silence
        named = ", ".join(f"t.{_quoted(name)} AS {_quoted(name)}" for name in (ID, *columns)) if columns else "*"
        source = ".".join(map(_quoted, table.split(".")))
        self._ask_for = f"SELECT {named} FROM {source} t WHERE CAST(t.{_quoted(ID)} AS {{}}) IN ({{}})"
        self._shown = _shown(url)
        self._close: Callable[[], None] = lambda: None
        self._text, self._mark, self._ask = self._opened(url, timeout_s)

    def find(self, ids: Sequence[str]) -> tuple[Table, np.ndarray]:
        """Raises SourceError where the database does not answer, or has an id twice."""
        held: dict[str, dict[str, Any]] = {}
        wanted = [name for name in dict.fromkeys(ids) if "\0" not in name]  # no text of a database holds a NUL
        for k in range(0, len(wanted), AT_ONCE):
            part = wanted[k : k + AT_ONCE]
            marks = ", ".join(self._mark.format(i) for i in range(len(part)))
            for row in self._ask(self._ask_for.format(self._text, marks), part):
                name = str(row.pop(ID))
                if name in held:
                    raise SourceError(f"{self._shown} has the id of a row twice: make `{ID}` its key")
                held[name] = {c: float(v) if isinstance(v, Decimal) else v for c, v in row.items()}
        found = np.array([name in held for name in ids], bool)
        return Table.of_rows([held.get(name, {}) for name in ids]), found

    def close(self) -> None:
        self._close()

    def _opened(self, url: str, timeout_s: float) -> tuple[str, str, Ask]:
        """The type of text, how the i-th value is marked, and the call."""
        if url.startswith("sqlite:///"):
            path = quote(url.removeprefix("sqlite:///"))  # a name may have ? and %

            def lite(statement: str, ids: list[str]) -> list[dict[str, Any]]:
                try:
                    with closing(sqlite3.connect(f"file:{path}?mode=ro", timeout_s, uri=True)) as held:
                        held.row_factory = sqlite3.Row
                        return [dict(row) for row in held.execute(statement, ids)]
                except sqlite3.Error as exc:
                    raise SourceError(f"{self._shown} does not answer ({exc}): check file, table and columns") from exc

            return "TEXT", "?", lite
        try:
            import sqlalchemy
        except ImportError as exc:
            raise MissingExtra(f"features in {self._shown} need SQLAlchemy: pip install 'ascribe[parties]'") from exc
        try:
            engine = sqlalchemy.create_engine(url, pool_pre_ping=True, pool_timeout=timeout_s)
        except (sqlalchemy.exc.ArgumentError, ImportError, ValueError) as exc:  # a port that is no number, too
            raise InputError(f"{self._shown} is no URL of a database that can be opened here: check it") from exc
        self._close = engine.dispose

        def ask(statement: str, ids: list[str]) -> list[dict[str, Any]]:
            try:
                with engine.connect() as held:
                    found = held.execute(sqlalchemy.text(statement), {f"i{i}": name for i, name in enumerate(ids)})
                    return [dict(row) for row in found.mappings()]
            except sqlalchemy.exc.SQLAlchemyError as exc:
                raise SourceError(f"{self._shown} does not answer ({type(exc).__name__}): check it") from exc

        return ("CHAR" if engine.dialect.name in ("mysql", "mariadb") else "VARCHAR"), ":i{}", ask


def _quoted(name: str) -> str:
    if '"' in name or "\0" in name:
        raise InputError(f"column '{name}' cannot be asked for in SQL: rename it")
    return f'"{name}"'


def _shown(url: str) -> str:
    """Without a password."""
    return re.sub(r"//[^@/]*@", "//", url)
