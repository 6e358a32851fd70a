"""A sample of the rows that were answered, for the offline side to compare with what the model was trained on.

    reservoir of k rows: the i-th row is kept with probability k / i, in place of any of those that are kept

It begins anew every hour, so that it tells of now; whoever answers only puts rows down, and a thread writes them.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from dataclasses import dataclass, field, replace

import numpy as np

from ascribe.bundle.live import Live, write_live
from ascribe.bundle.state import State
from ascribe.core.errors import AscribeError
from ascribe.core.features import Feature
from ascribe.serve.messages import AttributionResponse
from ascribe.serve.observe.log import Log
from ascribe.serve.rows import Row, check
from ascribe.serve.versions.leases import Lease, now

__all__ = ["Sampled"]

ROWS = 1000
OF_ONE = 16  # rows of one request
EVERY_S, WINDOW_S = 15.0, 3600.0
FINE = ("ok", "out_of_domain", "low_ess", "above_target")


@dataclass(eq=False)
class _Reservoir:
    """No lease is kept: a version that was swapped out must be able to go."""

    version: str
    features: tuple[Feature, ...]
    unit: str
    began: float
    seen: int = 0
    rows: list[tuple[Row, float, list[float]]] = field(default_factory=list)

    def put(self, row: Row, prediction: float, shares: list[float]) -> None:
        self.seen += 1
        if len(self.rows) < ROWS:
            self.rows.append((row, prediction, shares))
        elif (at := random.randrange(self.seen)) < ROWS:
            self.rows[at] = (row, prediction, shares)


class Sampled:
    """Reservoirs by model, of the version that answers."""

    def __init__(self, state: State, log: Log) -> None:
        self._state, self._log, self._server = state, log, uuid.uuid4().hex[:12]
        self._held: dict[str, _Reservoir] = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what there is and end."""
        self._stop.set()

    def join(self, grace_s: float) -> None:
        if self._thread.is_alive():
            self._thread.join(grace_s)

    def offer(self, lease: Lease, rows: list[Row], answer: AttributionResponse) -> None:
        """Rows of an answered request; only whole features by the main output are of use."""
        if answer.output != lease.model.output or tuple(answer.features) != lease.model.names:
            return
        with self._lock:
            held = self._held.get(lease.name)
            if held is None or held.version != lease.version or time.monotonic() - held.began > WINDOW_S:
                model, began = lease.model, time.monotonic()
                held = self._held[lease.name] = _Reservoir(lease.version, model.features, model.unit, began)
            for row, told in zip(rows[:OF_ONE], answer.attributions, strict=False):
                if told.status in FINE and told.prediction is not None and told.attribution_shares:
                    held.put(row, told.prediction, list(told.attribution_shares.values()))

    def _run(self) -> None:
        while not self._stop.wait(EVERY_S):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            taken = [(name, replace(h, rows=list(h.rows))) for name, h in self._held.items() if h.rows]
        for name, held in taken:
            rows = held.rows
            checked = check([row for row, _, _ in rows], held.features, held.unit)
            good = [i for i in range(len(rows)) if not checked.reasons[i] and np.isfinite(checked.X[i]).all()]
            sample = Live(
                held.version, now(), [f.name for f in held.features], checked.X[good].tolist(),
                [rows[i][1] for i in good], [rows[i][2] for i in good], held.seen,
            )  # fmt: skip
            try:
                write_live(self._state, name, self._server, sample)
            except AscribeError as exc:
                self._log.event("live_not_written", reason=str(exc))
