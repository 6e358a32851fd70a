"""Rows of a query, through SQLAlchemy. A password is in no message and no record."""

from __future__ import annotations

import re

import polars as pl

from ascribe.core.errors import InputError, MissingExtra, SourceError

__all__ = ["is_sql", "read_sql", "shown"]

URL = re.compile(r"[A-Za-z][A-Za-z0-9_+.-]*://")
COLON = re.compile(r"(?<!:):(?!:)")  # the query has no parameters: 12:30 is a time
NO_SQL = ("s3", "s3a", "file", "gs", "az", "abfss")
FASTER = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}  # the driver of the `train` extra


def is_sql(data: str) -> bool:
    """Whether it is the URL of a database.

    >>> is_sql("postgresql://reader@db/traffic"), is_sql("s3://bucket/lake"), is_sql("traffic.parquet")
    (True, False, False)
    """
    found = URL.match(data)
    return found is not None and found[0].removesuffix("://") not in NO_SQL


def shown(url: str) -> str:
    """The URL without a password and without its options, which may hold one.

    >>> shown("postgresql://reader:s3cret@db:5432/traffic?sslpassword=x")
    'postgresql://reader@db:5432/traffic'
    """
    scheme, _, rest = url.partition("?")[0].partition("://")
    user, at, place = rest.rpartition("@")
    return f"{scheme}://{user.partition(':')[0]}{at}{place}"


def read_sql(url: str, query: str | None) -> pl.DataFrame:
    """Rows as the query gives them. Raises InputError for a URL that is none or a missing query, SourceError where the
    database does not answer or refuses, MissingExtra without SQLAlchemy or the driver.
    """
    if query is None:
        raise InputError(f"{shown(url)} is a database: say what to read, --query 'SELECT ... ORDER BY ...'")
    try:
        import sqlalchemy
    except ImportError as exc:
        raise MissingExtra(f"series from {shown(url)} need SQLAlchemy: pip install 'ascribe[train]'") from exc
    scheme, _, rest = url.partition("://")
    try:
        engine = sqlalchemy.create_engine(f"{FASTER.get(scheme, scheme)}://{rest}")
    except ImportError as exc:
        raise MissingExtra(f"{shown(url)} needs the driver {exc.name}: pip install it") from exc
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise InputError(f"{shown(url)} is no URL of a database: write dialect://user:password@host/database") from None
    try:
        with engine.connect() as held:
            found = held.execute(sqlalchemy.text(COLON.sub(r"\\:", query)))
            names = list(found.keys())
            rows = found.fetchall()
    except sqlalchemy.exc.SQLAlchemyError as exc:
        raise SourceError(f"{shown(url)} does not answer the query ({_why(exc, url)}): check both") from None
    finally:
        engine.dispose()
    if len(set(names)) < len(names):
        raise InputError(f"the query gives a column twice ({', '.join(names)}): name each once, with AS")
    try:
        return pl.DataFrame([tuple(row) for row in rows], schema=names, orient="row", infer_schema_length=None)
    except (TypeError, pl.exceptions.PolarsError):  # numbers and texts in one column, as SQLite allows
        columns = zip(*rows, strict=True) if rows else [[] for _ in names]
        return pl.DataFrame(
            [pl.Series(name, [*map(_text, c)], pl.String) for name, c in zip(names, columns, strict=True)]
        )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _why(exc: Exception, url: str) -> str:
    """The driver's first line; what stands between ':' and '@' in the URL, and after '=', is taken out."""
    first = str(getattr(exc, "orig", None) or exc).strip().partition("\n")[0]
    user = url.partition("://")[2].rpartition("@")[0]
    for secret in (user.partition(":")[2], *re.findall(r"=([^&]+)", url.partition("?")[2])):
        first = first.replace(secret, "***") if secret else first
    return first.rstrip(".")
