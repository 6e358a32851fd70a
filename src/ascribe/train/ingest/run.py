"""Ingest: read, clean, append, commit, in that order, over and over.

    source -> (batches) -> scale, screen -> rows | quarantine | dead letters -> lake -> source.kept

Reading and decoding go on while another thread writes; at most `WAITING` batches wait between them, then reading waits.
A crash at any point loses nothing and doubles nothing: the lake's commit holds the positions (`lake/table.py`).
"""

from __future__ import annotations

import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from ascribe.train.definitions import FeatureSet
from ascribe.train.ingest.ingested import Ingested
from ascribe.train.ingest.latest import Latest
from ascribe.train.ingest.recent import Recent
from ascribe.train.ingest.screen import screen
from ascribe.train.ingest.spelling import Spelling
from ascribe.train.lake.lake import Lake
from ascribe.train.lake.rows import EMPTY, by_kind, dead_of, joined, quarantine_of, rows_of
from ascribe.train.sources.source import Source
from ascribe.train.vectors import Batch, Vectors

__all__ = ["ingest"]

WAITING = 2
REPEATED = "duplicate of an earlier row (same id)"


def ingest(
    source: Source,
    lake: Lake,
    known: FeatureSet | None = None,
    until_idle_s: float | None = None,
    stop: threading.Event | None = None,
    told: Callable[[Ingested], None] = lambda _: None,
    also_dead: Callable[[Batch], None] = lambda _: None,
    group: str = "ascribe",
) -> Ingested:
    """Until the source ends, `stop` is set, or nothing new has come for `until_idle_s` seconds and nothing is left.

    `told` hears the counts after every batch; `also_dead` gets a batch with dead letters before it is committed.
    `group` names this reader's blob in the state. What was read is written before this returns.
    Raises SourceError, LakeError.
    """
    stop = stop or threading.Event()
    writer = _Writer(source, lake, known, told, also_dead, group)
    with writer.running():
        heard = time.monotonic()
        for batch in source.batches(writer.held):
            if batch.ends:
                heard = time.monotonic()
                writer.put(batch)
            writer.check()
            if stop.is_set():
                break
            if until_idle_s is not None and not batch.ends:
                heard = heard if source.idle() else time.monotonic()
                if time.monotonic() - heard >= until_idle_s:
                    break
    return writer.total


class _Writer:
    """The writing half: a thread that takes batches in order."""

    def __init__(
        self, source: Source, lake: Lake, known: FeatureSet | None, told: Callable[[Ingested], None],
        also_dead: Callable[[Batch], None], group: str,
    ) -> None:  # fmt: skip
        self._source, self._lake, self._known = source, lake, known
        self._told, self._also_dead = told, also_dead
        self._waiting: queue.Queue[Batch | None] = queue.Queue(WAITING)
        self._failure: BaseException | None = None
        self._recent = Recent()
        self._learnt: int | None = None  # version of the lake whose ids are known
        self._latest = Latest(lake.state, group)
        self._spelling = Spelling(lake.columns)
        self._shards = lake.shards
        self.total = Ingested()

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._work, name="lake")
        thread.start()
        try:
            yield
        finally:
            self._waiting.put(None)
            thread.join()
        self.check()
        self._latest.write(self.total)

    def put(self, batch: Batch) -> None:
        """Hand a batch over; waits while `WAITING` are before it."""
        self._waiting.put(batch)

    def check(self) -> None:
        """Raises what the thread raised."""
        if self._failure is not None:
            raise self._failure

    def held(self, stream: str) -> int | None:
        """The lake's position once everything handed over is written; ids that it got from others are learnt."""
        self._waiting.join()
        self.check()
        at = self._lake.position(stream)
        if (version := self._lake.version()) != self._learnt:  # once for all partitions that are taken up together
            self._recent.learn(self._lake.recent_ids(self._recent.size))
            self._learnt = version
        return at

    def _work(self) -> None:
        while (batch := self._waiting.get()) is not None:
            try:
                if self._failure is None:
                    self._keep(batch)
            except BaseException as exc:  # handed to the reading half
                self._failure = exc
            finally:
                self._waiting.task_done()
        self._waiting.task_done()

    def _keep(self, batch: Batch) -> None:
        now = time.time_ns() // 1000
        rows, quarantine, total = [], [], self.total
        for arrived in batch.vectors:
            v = self._scaled(arrived)
            good, reasons = screen(v, self._known, now)
            fit, good = self._spelling.fitting(v, good, reasons)
            good = self._once(v, good, reasons)
            rows.append(rows_of(fit, good, self._shards))
            if any(reasons):
                quarantine.append(quarantine_of(v, reasons, now))
            self._latest.see(fit, good)
        if batch.dead:
            self._also_dead(batch)
        dead = dead_of(batch.dead, now) if batch.dead else None
        total.rows += self._lake.append(
            joined(rows) if rows else EMPTY, joined(quarantine) if quarantine else None, dead, batch.ends
        )
        self._source.kept(batch.ends)
        turned_away = [(held, "row") for held in quarantine] + ([(dead, "message")] if dead else [])
        for held, kind in turned_away:
            self._latest.bad.see(held.rows, kind)
        why = (reason for held, _ in turned_away for reason in held.rows["reason"].to_pylist())
        total.reasons = dict(Counter(total.reasons) + by_kind(why))
        total.batches += 1
        total.quarantined += sum(held.rows.num_rows for held in quarantine)
        total.dead += len(batch.dead)
        total.lag = self._source.lag()
        self._latest.now_and_then(total)
        self._told(total)

    def _scaled(self, v: Vectors) -> Vectors:
        """Numbers as they arrive -> natural units."""
        if self._known is None or not self._known.transforms:
            return v
        return replace(v, X=v.X * self._known.scale(v.names))

    def _once(self, v: Vectors, good: np.ndarray, reasons: list[str]) -> np.ndarray:
        """Good rows whose id is new; a producer that sends again after a time-out doubles rows in the topic itself. A
        row that was refused spends no id: mended, it may come again.
        """
        at = np.flatnonzero(good)
        again = at[self._recent.repeated(v.id if good.all() else [v.id[i] for i in at.tolist()])].tolist()
        if not again:
            return good
        held = {name: self._lake.position(name) or 0 for name in v.places.names}
        good = good.copy()
        for i in again:
            good[i] = False
            if v.places.position[i] >= held[v.places.names[v.places.stream[i]]]:  # else: this very message is there
                reasons[i] = reasons[i] or REPEATED
        return good
