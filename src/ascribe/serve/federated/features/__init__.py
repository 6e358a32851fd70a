"""Where a host has its columns: one file and one row of `SOURCES` for each kind of place.

    find(ids) -> rows of these ids, in order, and which of them there are

Whoever has another place writes a class with `find` and passes it to `host.serve`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from ascribe.core.errors import InputError
from ascribe.core.federated.table import Table
from ascribe.serve.federated.features.cache import CacheFeatures
from ascribe.serve.federated.features.file import FileFeatures
from ascribe.serve.federated.features.http import HttpFeatures
from ascribe.serve.federated.features.sql import SqlFeatures

__all__ = ["SOURCES", "Features", "open_features"]


class Features(Protocol):
    """Called from several threads at once. `find`: rows (b,) with whatever columns there are, and `found (b,)`. Raises
    SourceError where the place cannot be asked.
    """

    def find(self, ids: Sequence[str]) -> tuple[Table, np.ndarray]: ...

    def close(self) -> None: ...


SOURCES: dict[str, Callable[[str, Sequence[str], float], Features]] = {
    "sqlite": SqlFeatures,
    "http": HttpFeatures,
    "https": HttpFeatures,
    "redis": CacheFeatures,
    "rediss": CacheFeatures,
}


def open_features(place: str, columns: Sequence[str], timeout_s: float) -> Features:
    """A file (CSV, Parquet, Arrow) with a column `id`, `sqlite:///FILE#TABLE` or any URL of SQLAlchemy with a table,
    `https://...` or `redis://HOST:PORT/DB#PREFIX`. `columns`: those that the model wants (empty: all there are).

    Raises InputError, SourceError, MissingExtra.
    """
    scheme, colon, _ = place.partition("://")
    if not colon:
        return FileFeatures(place, columns)
    kind = scheme.lower().partition("+")[0]
    if kind in SOURCES:
        return SOURCES[kind](place, columns, timeout_s)
    if "#" in place:
        return SqlFeatures(place, columns, timeout_s)
    raise InputError(
        f"'{kind}://' is no place of features known here: name a file, {', '.join(SOURCES)} or SQL URL#TABLE"
    )
