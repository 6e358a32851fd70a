"""What a server follows: the newest rows of every node, left in the state as the ingest keeps them.

Rows are left where they are no older than a server looks back, so reading old files leaves nothing. A piece holds at
most `MOST` rows, the newest: an ingest of tens of thousands of rows a second leaves a sample of them.
"""

from __future__ import annotations

import time
import uuid

import numpy as np

from ascribe.bundle.recent import KEEP_S, Rows, Trail
from ascribe.bundle.state import State
from ascribe.train.vectors import Vectors

__all__ = ["Left"]

EVERY_S = 0.9
MOST = 2000


class Left:
    """Good rows on their way into the state, at most one piece every `EVERY_S` seconds."""

    def __init__(self, state: State) -> None:
        self._trail = Trail(state, uuid.uuid4().hex[:8], _now_us)
        self._held: list[Rows] = []
        self._count, self._written = 0, 0.0

    def see(self, v: Vectors, good: np.ndarray) -> None:
        """Those of now: they are kept as they are, in order of time."""
        at = np.flatnonzero(good & (v.timestamp >= _now_us() - round(KEEP_S * 1e6)))
        if not len(at):
            return
        at = at[np.argsort(v.timestamp[at], kind="stable")][-MOST:]
        picked = at.tolist()
        rows = Rows(
            list(v.names), [v.node[i] for i in picked], v.timestamp[at].tolist(), v.power_w[at].tolist(),
            v.X[at].tolist(),
        )  # fmt: skip
        self._held.append(rows)
        self._count += len(picked)
        while self._count - len(self._held[0].node) >= MOST:
            self._count -= len(self._held.pop(0).node)

    def now_and_then(self) -> None:
        """Write if it is time. Raises RegistryError."""
        if time.monotonic() - self._written >= EVERY_S:
            self.write()

    def write(self) -> None:
        """Write what there is. Raises RegistryError."""
        if self._held:
            self._trail.put(self._held)
            self._held, self._count = [], 0
            self._written = time.monotonic()


def _now_us() -> int:
    return time.time_ns() // 1000
