"""Rows of another service: POST {"ids": [...], "columns": [...]} -> {"rows": [{column: value} or null, ...]}."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np

from ascribe.bundle.unreadable import UNREADABLE
from ascribe.core.errors import MissingExtra, SourceError
from ascribe.core.federated.table import Table

__all__ = ["HttpFeatures"]


class _Rows(msgspec.Struct):
    rows: list[dict[str, float | str | None] | None]


_rows = msgspec.json.Decoder(_Rows)


class HttpFeatures:
    """One call for all ids of a question; connections are kept. Raises MissingExtra without httpx."""

    def __init__(self, place: str, columns: Sequence[str], timeout_s: float) -> None:
        try:
            import httpx
        except ImportError as exc:
            raise MissingExtra("features over HTTP need httpx: pip install 'ascribe[parties]'") from exc
        self._place, self._columns, self._failed = place, list(columns), httpx.HTTPError
        self._client: Any = httpx.Client(timeout=timeout_s)

    def find(self, ids: Sequence[str]) -> tuple[Table, np.ndarray]:
        """Raises SourceError where the service fails or answers something else."""
        try:
            answer = self._client.post(self._place, json={"ids": list(ids), "columns": self._columns})
            answer.raise_for_status()
            rows = _rows.decode(answer.content).rows
        except self._failed as exc:
            raise SourceError(f"the service of features does not answer ({type(exc).__name__}): check it") from exc
        except UNREADABLE as exc:
            raise SourceError('the service of features answers something else than {"rows": [...]}: check it') from exc
        if len(rows) != len(ids):
            raise SourceError(f"the service of features gave {len(rows)} rows for {len(ids)} ids: check it")
        return Table.of_rows([row or {} for row in rows]), np.array([row is not None for row in rows], bool)

    def close(self) -> None:
        self._client.close()
