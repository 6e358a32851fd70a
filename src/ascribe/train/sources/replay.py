"""A file played again: its rows at their own pace, with times moved to now, for pages and alarms to be looked at.

    due_k = start - behind + (t_k - t_0) / speed      of each node by itself, gaps longer than LONGEST_S closed

Every run is new telemetry: rows have ids and times of their own, and nodes are called `replay/...`, so that nobody
takes them for what a server draws now.
"""

from __future__ import annotations

import heapq
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote

import numpy as np

from ascribe.core.errors import InputError
from ascribe.train.sources.files import FileSource
from ascribe.train.sources.source import Held
from ascribe.train.vectors import Batch, Places, Vectors

__all__ = ["Replay", "ReplaySource", "read_replay"]

PREFIX = "replay"
LONGEST_S, USUAL_S = 10.0, 1.0  # between rows of a node; where a file has no shorter gaps
AT_ONCE = 25_000
LOOK_S = 0.2


@dataclass(frozen=True)
class Replay:
    """`speed`: times as fast; `nodes`: so many, each with a part of the file (0: those of the file); `behind_s`: rows
    of so many seconds before now come at once; `again`: from the beginning at the end, without end.
    """

    path: Path
    speed: float = 1.0
    nodes: int = 0
    behind_s: float = 0.0
    again: bool = False


def read_replay(address: str) -> Replay:
    """`replay:FILE?speed=2&nodes=4&behind_s=600&again=1`. Raises InputError.

    >>> read_replay("replay:rows.parquet?speed=2").speed
    2.0
    """
    path, _, query = address.removeprefix("replay:").partition("?")
    words = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := set(words) - {"speed", "nodes", "behind_s", "again"}:
        raise InputError(f"'{address}': {min(unknown)} is no word of a replay: use speed, nodes, behind_s, again")
    try:
        found = Replay(
            Path(unquote(path)).expanduser(), float(words.get("speed", 1)), int(words.get("nodes", 0)),
            float(words.get("behind_s", 0)), words.get("again", "0") == "1",
        )  # fmt: skip
    except ValueError as exc:
        raise InputError(f"'{address}': speed, nodes and behind_s are numbers ({exc})") from exc
    if not (0 < found.speed < float("inf") and 0 <= found.behind_s < float("inf") and found.nodes >= 0):
        raise InputError(f"'{address}': speed is above 0, nodes and behind_s are not below it")
    return found


@dataclass(frozen=True, eq=False)
class _Part:
    """What one node plays: rows by number, due so many seconds after its beginning; `length_s` until it begins anew."""

    node: str
    rows: np.ndarray
    due_s: np.ndarray
    length_s: float


class ReplaySource:
    """`source`: the file; `clock`: seconds since 1970 UTC. Raises as the file, InputError for one without rows."""

    def __init__(
        self, source: FileSource, replay: Replay, clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self._replay, self._clock, self._sleep = replay, clock, sleep
        self._stream = f"replay:{uuid.uuid4().hex}"
        self._vectors = [v for batch in source.batches(lambda _: None) for v in batch.vectors]
        self._of = [(k, i) for k, v in enumerate(self._vectors) for i in range(len(v))]
        if not self._of:
            raise InputError(f"{replay.path} has no rows to play")
        self._parts = self._cut()
        self._left = len(self._of)

    def batches(self, held: Held) -> Iterator[Batch]:
        start = self._clock() - self._replay.behind_s
        waiting = [(start + float(part.due_s[0]), k, 0) for k, part in enumerate(self._parts)]
        heapq.heapify(waiting)
        position = 0
        while waiting:
            due: list[tuple[float, int, int]] = []
            while waiting and waiting[0][0] <= self._clock() and len(due) < AT_ONCE:
                when, k, at = heapq.heappop(waiting)
                due.append((when, k, at))
                part = self._parts[k]
                lap, place = divmod(at + 1, len(part.rows))
                if not place and not self._replay.again:
                    continue
                heapq.heappush(waiting, (start + lap * part.length_s + float(part.due_s[place]), k, at + 1))
            if due:
                yield self._batch(due, position)
                position += len(due)
                self._left -= len(due)
            else:
                self._sleep(min(LOOK_S, max(0.0, waiting[0][0] - self._clock())))
                yield Batch((), {})

    def idle(self) -> bool:
        return self._left <= 0 and not self._replay.again

    def kept(self, ends: Mapping[str, int]) -> None:
        """Nothing is read twice."""

    def lag(self) -> dict[str, int]:
        return {}

    def close(self) -> None:
        """Nothing is held open."""

    def _cut(self) -> list[_Part]:
        t = np.array([self._vectors[k].timestamp[i] for k, i in self._of]) / 1e6
        count = min(self._replay.nodes, len(t))
        if count:
            rows = np.array_split(np.arange(len(t)), count)
            named = [(f"{PREFIX}/{k + 1}", part) for k, part in enumerate(rows)]
        else:
            nodes: dict[str, list[int]] = {}
            for row, (k, i) in enumerate(self._of):
                nodes.setdefault(self._vectors[k].node[i], []).append(row)
            named = [(f"{PREFIX}/{node}", np.array(part)) for node, part in nodes.items()]
            named = [(node, part[np.argsort(t[part], kind="stable")]) for node, part in named]
        return [_part(node, rows, t[rows], self._replay.speed) for node, rows in named]

    def _batch(self, due: list[tuple[float, int, int]], position: int) -> Batch:
        """Rows of the same columns together; each knows its place in the stream."""
        sorted_by: dict[int, list[tuple[int, str, int, int]]] = {}
        for place, (when, k, at) in enumerate(due):
            part = self._parts[k]
            v, i = self._of[int(part.rows[at % len(part.rows)])]
            sorted_by.setdefault(v, []).append((i, part.node, round(when * 1e6), position + place))
        vectors = []
        for v, rows in sorted_by.items():
            held, at_rows = self._vectors[v], np.array([i for i, *_ in rows])
            places = Places((self._stream,), np.zeros(len(rows), int), np.array([place for *_, place in rows]))
            vectors.append(
                Vectors(
                    [f"{node}@{when}" for _, node, when, _ in rows], [node for _, node, _, _ in rows],
                    np.array([when for _, _, when, _ in rows], np.int64), held.power_w[at_rows], held.names,
                    held.X[at_rows], places,
                )
            )  # fmt: skip
        return Batch(tuple(vectors), {self._stream: position + len(due)})


def _part(node: str, rows: np.ndarray, t: np.ndarray, speed: float) -> _Part:
    """Gaps that are no gaps between two samples are as long as the usual one."""
    gaps = np.diff(t)
    good = (gaps > 0) & (gaps <= LONGEST_S)
    usual = float(np.median(gaps[good])) if good.any() else USUAL_S
    due = np.concatenate([[0.0], np.cumsum(np.where(good, gaps, usual))]) / speed
    return _Part(node, rows, due, float(due[-1]) + usual / speed)
