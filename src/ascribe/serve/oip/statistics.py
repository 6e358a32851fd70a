"""The statistics of the Open Inference Protocol, read out of this server's counters: of all its processes.

Counts since the processes of this server started; `ns` are nanoseconds, altogether. A request that was answered spends
its time in the queue, in compute_input (decoded, checked), compute_infer (the engine, in company perhaps) and
compute_output (encoded); success and fail are whole requests. There is no cache of answers, so its counts are 0.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from ascribe.serve.observe.snapshots import Snapshot
from ascribe.serve.observe.tally import BATCHES, LAST, PARTS
from ascribe.serve.oip import inference as oip
from ascribe.serve.room import Room

__all__ = ["BatchStats", "InferStats", "ModelStats", "Spent", "Statistics", "of_versions", "statistics"]

ROWS = "attribution_rows"


class Spent(msgspec.Struct):
    """How often, and nanoseconds of all of them together."""

    count: int = 0
    ns: int = 0


class InferStats(msgspec.Struct):
    """Requests, and what was done for those that were answered."""

    success: Spent
    fail: Spent
    queue: Spent
    compute_input: Spent
    compute_infer: Spent
    compute_output: Spent
    cache_hit: Spent
    cache_miss: Spent


class BatchStats(msgspec.Struct):
    """Calls of the engine for so many rows, rounded up to a power of two."""

    batch_size: int
    compute_input: Spent
    compute_infer: Spent
    compute_output: Spent


class ModelStats(msgspec.Struct):
    """Of one version. `last_inference`: milliseconds since 1970, 0 where there was none; `inference_count`: rows that
    were answered; `execution_count`: calls of the engine, those of jobs included.
    """

    name: str
    version: str
    last_inference: int
    inference_count: int
    execution_count: int
    inference_stats: InferStats
    batch_stats: list[BatchStats]


class Statistics(msgspec.Struct):
    """GET /v2/models/stats."""

    model_stats: list[ModelStats]


async def statistics(room: Room, counted: Callable[[], Snapshot], name: str = "", version: str = "") -> Statistics:
    """Of one model, or of all that are served. Raises NotFound, UnavailableError."""
    cards = [oip.model(room, name, version)] if name else room.cards()
    asked = list(dict.fromkeys((card.name, card.version) for card in cards))
    seen = await asyncio.to_thread(counted)
    return Statistics(of_versions(seen, asked))


def of_versions(seen: Snapshot, asked: Iterable[tuple[str, str]]) -> list[ModelStats]:
    """Of versions that answer now. What failed before a version was chosen counts for the one that would have been."""
    return [_of(seen, model, version) for model, version in asked]


def _of(seen: Snapshot, model: str, version: str) -> ModelStats:
    counts, seconds = (_by(seen, name, "part", model, version) for name in (PARTS, f"{PARTS}_seconds"))
    lost, lost_s = (_by(seen, name, "part", model, "") for name in (PARTS, f"{PARTS}_seconds"))
    calls, calls_s = (_by(seen, name, "rows", model, version) for name in (BATCHES, f"{BATCHES}_seconds"))

    def part(name: str) -> Spent:
        return _spent(counts.get(name, 0.0), seconds.get(name, 0.0))

    failed = _spent(counts.get("fail", 0) + lost.get("fail", 0), seconds.get("fail", 0) + lost_s.get("fail", 0))
    return ModelStats(
        model, version,
        round(1000 * max(_by(seen, LAST, "", model, version).values(), default=0.0)),
        round(sum(_by(seen, ROWS, "method", model, version).values())),
        round(sum(calls.values())),
        InferStats(
            part("success"), failed, part("queue"), part("compute_input"), part("compute_infer"),
            part("compute_output"), Spent(), Spent(),
        ),
        [
            BatchStats(int(rows), Spent(), _spent(calls[rows], calls_s.get(rows, 0.0)), Spent())
            for rows in sorted(calls, key=int)
        ],
    )  # fmt: skip


def _by(seen: Snapshot, family: str, label: str, model: str, version: str) -> dict[str, float]:
    """Values of one version's series by a label."""
    found: dict[str, float] = {}
    for sample in seen[family].samples if family in seen else ():
        has = dict(sample.labels)
        if has.get("model") == model and has.get("version") == version:
            found[has.get(label, "")] = sample.value
    return found


def _spent(count: float, seconds: float) -> Spent:
    return Spent(round(count), round(seconds * 1e9))
