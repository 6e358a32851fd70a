"""Shadow mode: the champion answers, a candidate explains a sample of the same rows, and the two are compared.

A sample waits in a short queue for one thread; where the queue is full, or requests wait for the champion, it is
dropped. No answer waits for a candidate.
"""

from __future__ import annotations

import queue
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ascribe.core.options import Options
from ascribe.serve import work
from ascribe.serve.cards.served import RolloutCard, ShadowCard
from ascribe.serve.faults import problem_of
from ascribe.serve.messages import Attribution, AttributionAsked, AttributionResponse
from ascribe.serve.observe.log import Log
from ascribe.serve.priority import give_way
from ascribe.serve.rows import Row
from ascribe.serve.versions.comparison import Comparison
from ascribe.serve.versions.leases import Slot

__all__ = ["Shadow"]

WAITING = 32  # samples in the queue
ROWS = 16  # of one request: a row's answer does not depend on its neighbours
SAID_S = 30.0  # between lines of the log


class _DroppedError(Exception):
    """Live requests wait: the candidate stands back."""


@dataclass(frozen=True)
class _Sample:
    """Rows of a request as the champion `version` answered them, `ms` a row. `busy`: whether live requests wait."""

    pair: _Pair
    asked: AttributionAsked
    rows: list[Row]
    options: Options
    most: int
    version: str
    unit: str
    answers: list[Attribution]
    ms: float
    busy: Callable[[], bool]


class _Pair:
    """A candidate's slot and what was compared of the two versions at hand."""

    def __init__(self, candidate: Slot) -> None:
        self.candidate = candidate
        self.versions = ("", "")  # champion's and candidate's
        self.tally = Comparison()
        self.dropped = 0
        self.shown: dict[str, float | int | str | None] = {}
        self.said_s = float("-inf")

    def begin(self, champion: str, candidate: str) -> None:
        """Forget what was compared of another pair."""
        if self.versions != (champion, candidate):
            self.versions, self.tally, self.dropped, self.shown = (champion, candidate), Comparison(), 0, {}


class Shadow:
    """Candidates by the slot of their champion; `share` of the requests are drawn."""

    def __init__(self, candidates: Mapping[Slot, Slot], share: float, log: Log) -> None:
        self._pairs = {champion: _Pair(candidate) for champion, candidate in candidates.items()}
        self._share, self._log = share, log
        self._queue: queue.Queue[_Sample | None] = queue.Queue(WAITING)
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
        self._stopping = False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Compare nothing any more."""
        self._stopping = True

    def join(self, grace_s: float) -> None:
        """Wait for the row at hand, at most so long."""
        if self._thread.is_alive():
            self._thread.join(grace_s)

    def offer(
        self, slot: Slot, asked: AttributionAsked, rows: list[Row], options: Options, most: int,
        answer: AttributionResponse, busy: Callable[[], bool],
    ) -> None:  # fmt: skip
        """An answered request; draws it or not, and returns at once."""
        pair = self._pairs.get(slot)
        held = pair.candidate.lease if pair else None
        if pair is None or held is None or held.version == answer.version or random.random() >= self._share:
            return
        pair.begin(answer.version, held.version)
        try:
            if busy():
                raise queue.Full
            rows, answers = rows[:ROWS], answer.attributions[:ROWS]
            ms = answer.timings_ms["explain"] / len(answer.attributions)
            kept = _asked(asked, answer.tier)
            self._queue.put_nowait(
                _Sample(pair, kept, rows, options, most, answer.version, answer.unit, answers, ms, busy)
            )
        except queue.Full:
            pair.dropped += 1

    def card(self, slot: Slot) -> ShadowCard | None:
        """What was compared for a champion's slot."""
        pair = self._pairs.get(slot)
        if pair is None:
            return None
        held, status = pair.candidate.lease, pair.candidate.status
        current = slot.lease is not None and held is not None and pair.versions == (slot.lease.version, held.version)
        return ShadowCard(
            pair.candidate.channel, held.version if held else "",
            RolloutCard(status.state, status.wanted, status.reason, status.at),
            dropped=pair.dropped if current else 0, **(pair.shown if current else {}),  # type: ignore[arg-type]
        )  # fmt: skip

    def _run(self) -> None:
        give_way()
        while not self._stopping:
            try:
                sample = self._queue.get(timeout=0.2)
            except queue.Empty:
                continue
            if sample is not None:
                self._compare(sample)
            del sample

    def _compare(self, sample: _Sample) -> None:
        pair, lease, tally = sample.pair, sample.pair.candidate.lease, sample.pair.tally
        if lease is None or pair.versions != (sample.version, lease.version):
            return  # swapped meanwhile

        def step() -> None:
            if self._stopping or sample.busy():
                raise _DroppedError

        start = time.perf_counter()
        try:
            step()
            found = work.attribute(lease, sample.asked, sample.rows, sample.options, sample.most, step, start)
        except _DroppedError:
            pair.dropped += 1
            return
        except Exception as exc:
            problem = problem_of(exc)
            tally.failed(len(sample.rows), type(exc).__name__ if problem.code == "internal" else problem.text[:200])
        else:
            ms = found.timings_ms["explain"] / len(sample.rows)
            tally.add(sample.answers, found.attributions, sample.ms, ms)
        if pair.tally is not tally:
            return
        pair.shown = tally.numbers()
        if time.monotonic() - pair.said_s >= SAID_S:
            pair.said_s = time.monotonic()
            told = {name: number for name, number in pair.shown.items() if number not in (None, "")}
            self._log.event(
                "shadow", model=lease.name, channel=lease.channel, champion=sample.version, candidate=lease.version,
                dropped=pair.dropped, unit=sample.unit, **told,
            )  # fmt: skip


def _asked(asked: AttributionAsked, tier: str) -> AttributionAsked:
    """The options alone, without the body that they came in; of a limit of time, the tier that it led to."""
    held = {name: getattr(asked, name) for name in AttributionAsked.__struct_fields__}
    if asked.max_latency_ms is not None:
        held |= {"max_latency_ms": None, "tier": tier}
    return AttributionAsked(**held)
