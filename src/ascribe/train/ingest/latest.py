"""What the service looks up: the latest vector of every node, the rows of the last minutes, and how far a reader is, as
blobs of the state.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from typing import Any

import numpy as np

from ascribe.bundle.state import State
from ascribe.core.errors import RegistryError
from ascribe.train.ingest.bad_rows import BadRows
from ascribe.train.ingest.ingested import Ingested
from ascribe.train.ingest.trail import Left
from ascribe.train.vectors import Vectors

__all__ = ["Latest"]

EVERY_S = 2.0
AT_ONCE = 16


class Latest:
    """Blobs are written every `EVERY_S` seconds at most, and only those of nodes that were heard of since. A node's
    blob is read before it is first written, and only then: an earlier process may have left a later vector.
    """

    def __init__(self, state: State, group: str) -> None:
        self._state, self._group = state, group
        self.bad = BadRows(state, group)
        self._newest: dict[str, int] = {}
        self._read: set[str] = set()
        self._unwritten: dict[str, dict[str, Any]] = {}
        self._written = 0.0
        self._left = Left(state)

    def see(self, v: Vectors, good: np.ndarray) -> None:
        """Remember the newest good row of each node, and those of the last minutes."""
        self._left.see(v, good)
        by_time = np.flatnonzero(good)[np.argsort(v.timestamp[good], kind="stable")]
        last = {v.node[i]: i for i in by_time.tolist()}
        for node, i in last.items():
            when = int(v.timestamp[i])
            if when >= self._newest.get(node, 0):
                self._newest[node] = when
                self._unwritten[node] = _blob(v, i)

    def now_and_then(self, total: Ingested) -> None:
        """Write if it is time."""
        self._left.now_and_then()
        if time.monotonic() - self._written >= EVERY_S:
            self.write(total)

    def write(self, total: Ingested) -> None:
        """Write what is new. Raises RegistryError if the place cannot be written."""
        self._left.write()
        if self._unwritten:
            with ThreadPoolExecutor(min(AT_ONCE, len(self._unwritten)), "state") as pool:  # an object store is far away
                list(pool.map(self._put, self._unwritten.values()))
        self._unwritten.clear()
        self.bad.write()
        self._state.put({"at_us": time.time_ns() // 1000, **asdict(total)}, "ingest", self._group)
        self._written = time.monotonic()

    def _put(self, blob: dict[str, Any]) -> None:
        """Write one, unless a later one is there."""
        node = blob["node"]
        if node not in self._read:
            held = self._held_us(node)
            self._read.add(node)
            if held > blob["timestamp_us"]:
                self._newest[node] = held
                return
        self._state.put(blob, "nodes", node)

    def _held_us(self, node: str) -> int:
        """When the vector in the state was measured, microseconds since 1970; 0 for none."""
        with suppress(RegistryError, KeyError, TypeError, ValueError):  # a broken blob is written over
            return int((self._state.find("nodes", node) or {})["timestamp_us"])
        return 0


def _blob(v: Vectors, i: int) -> dict[str, Any]:
    power = float(v.power_w[i])
    return {
        "id": v.id[i],
        "node": v.node[i],
        "timestamp_us": int(v.timestamp[i]),
        "power_w": power if np.isfinite(power) else None,
        "features": {name: float(x) for name, x in zip(v.names, v.X[i], strict=True) if np.isfinite(x)},
    }
