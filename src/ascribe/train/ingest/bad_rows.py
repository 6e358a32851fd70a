"""The newest rows that were put into quarantine, and messages that were no rows, for whoever looks: a small blob beside
the reader's counts. All of them are in the lake.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Any

import pyarrow as pa

from ascribe.bundle.state import State
from ascribe.core.errors import RegistryError

__all__ = ["BadRows"]

KEPT = 100
PAYLOAD = 2000  # characters of a message that are shown
REASON = 500
QUARANTINE = "quarantine"


class BadRows:
    """What `group` turned away lately, the newest `KEPT`; a reader that begins again goes on with what was left."""

    def __init__(self, state: State, group: str) -> None:
        self._state, self._group = state, group
        self._held: deque[dict[str, Any]] = deque(maxlen=KEPT)
        self._unwritten = False
        self._learnt = False

    def see(self, rows: pa.Table, kind: str) -> None:
        """Rows as the lake keeps them. `kind`: `row`, or `message` for what could not be read as one."""
        if rows.num_rows:
            newest = rows.slice(max(0, rows.num_rows - KEPT))
            self._learn()
            self._held.extend(_shown(row, kind) for row in _whole(newest).to_pylist())
            self._unwritten = True

    def write(self) -> None:
        """Write if there is something new. Raises RegistryError if the place cannot be written."""
        if self._unwritten:
            self._state.put({"rows": list(self._held)[::-1]}, QUARANTINE, self._group)
            self._unwritten = False

    def _learn(self) -> None:
        """What an earlier run of this reader left."""
        if not self._learnt:
            self._learnt = True
            with suppress(RegistryError, KeyError, TypeError):  # a broken blob is no reason to stop reading
                self._held.extend(reversed((self._state.find(QUARANTINE, self._group) or {})["rows"]))


def _whole(rows: pa.Table) -> pa.Table:
    """Times as whole numbers: a bad row's may be of a year that no calendar has."""
    for k, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type):
            rows = rows.set_column(k, field.name, rows[field.name].cast(pa.int64()))
    return rows


def _shown(row: dict[str, Any], kind: str) -> dict[str, Any]:
    """Plain values of one row; times in microseconds since 1970."""
    payload = row["payload"]
    text = payload.decode(errors="replace") if isinstance(payload, bytes) else payload or ""
    return {
        "kind": kind,
        "reason": row["reason"][:REASON],
        "id": row.get("id") or "",
        "node": row.get("node") or "",
        "timestamp_us": row.get("timestamp"),
        "at_us": row["at"],
        "stream": row["stream"],
        "position": row["position"],
        "payload": text[:PAYLOAD],
        "cut": len(text) > PAYLOAD,
    }
