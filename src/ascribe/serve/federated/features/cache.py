"""Rows of a cache that speaks Redis: for each id a hash `PREFIX + id` of columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ascribe.core.errors import InputError, MissingExtra, SourceError
from ascribe.core.federated.table import Table

__all__ = ["CacheFeatures"]


class CacheFeatures:
    """`redis://HOST:PORT/DB#PREFIX`: all ids of a question in one round trip. Raises MissingExtra without redis."""

    def __init__(self, place: str, columns: Sequence[str], timeout_s: float) -> None:
        try:
            import redis
        except ImportError as exc:
            raise MissingExtra("features in a cache need redis: pip install 'ascribe[parties]'") from exc
        if not columns:
            raise InputError("the model does not say which columns it wants: features cannot come from a cache")
        url, _, self._prefix = place.partition("#")
        self._columns, self._failed = list(columns), redis.RedisError
        try:
            self._client: Any = redis.Redis.from_url(
                url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, decode_responses=True
            )
        except ValueError as exc:
            raise InputError(
                f"the cache of features has no usable address ({exc}): write redis://HOST:PORT/DB"
            ) from exc

    def find(self, ids: Sequence[str]) -> tuple[Table, np.ndarray]:
        """Raises SourceError where the cache does not answer."""
        try:
            with self._client.pipeline(transaction=False) as asked:
                for name in ids:
                    asked.hmget(self._prefix + name, self._columns)
                rows = asked.execute()
        except (self._failed, UnicodeDecodeError) as exc:
            raise SourceError(f"the cache of features does not answer ({type(exc).__name__}): check it") from exc
        held = [{c: v for c, v in zip(self._columns, row, strict=True) if v is not None} for row in rows]
        return Table.of_rows(held), np.array([bool(row) for row in held], bool)

    def close(self) -> None:
        self._client.close()
