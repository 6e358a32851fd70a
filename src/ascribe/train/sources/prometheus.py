"""Telemetry from a Prometheus server: aligned windows, one vector a node and window.

A window is [t, t + step), t a multiple of step; its id is `NODE@MS` and its timestamp MS, the window's end in
milliseconds since 1970, so a window read again is the same row. Its power is the energy counted between the samples
at its two ends over the time between them, summed over the parts (sockets, GPUs) of one zone, or the mean of a gauge.
Power is NaN where any part has a gap (`counters.py`), or a part that was there within the last hour is missing; such
a row is unlabelled. Where reading begins, at first or again, the server is asked which parts there were in the hour
before, minute by minute. A node without power and features has no row.

The stream's position is time in milliseconds: a row lies at its window's start, and reading goes on from the end of
the last complete window. The server's clock decides what is complete.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping
from functools import partial
from math import ceil
from typing import TypeVar

import numpy as np

from ascribe.core.errors import SourceError
from ascribe.train.settings import PrometheusSettings
from ascribe.train.sources.presets import Signal
from ascribe.train.sources.prometheus_address import Options, parsed
from ascribe.train.sources.prometheus_client import MOST_POINTS, Away, Client
from ascribe.train.sources.prometheus_windows import Key, Read, last_there, starts, values_of
from ascribe.train.sources.source import Held
from ascribe.train.vectors import Batch, Places, Vectors

__all__ = ["PrometheusSource", "opened"]

Answer = TypeVar("Answer")

SAMPLES_AT_ONCE = 500_000
"""Numbers asked for in one query: some tens of megabytes of JSON."""

REMEMBERED_MS = 3_600_000
"""A part of a node that is gone for longer is taken for removed."""

IDLE_S = 1.0
PATIENCE_S, FIRST_PATIENCE_S = 300.0, 5.0
"""How long a server may be away: one that has answered before, and one that never has (a wrong address)."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.25, 8.0


def opened(address: str) -> PrometheusSource:
    """The source of an address (`prometheus_address.py`). Raises InputError for one that cannot be used."""
    return PrometheusSource(parsed(address), PrometheusSettings())


class PrometheusSource:
    """A `Source`. Raises SourceError where the server refuses a query, or is away for longer than `PATIENCE_S`."""

    def __init__(self, options: Options, settings: PrometheusSettings) -> None:
        self.options = options
        self._left = threading.Event()
        self._client = Client(
            options.base, settings.prometheus_token.get_secret_value(), settings.prometheus_user,
            settings.prometheus_password.get_secret_value(), settings.prometheus_timeout_s,
        )  # fmt: skip
        self._parts: dict[str, dict[Key, int]] = defaultdict(dict)
        self._looked_back = False
        self._most_series = 0
        self._windows = 0
        self._heard = False
        self._at: int | None = None
        self._due: int | None = None

    @property
    def units(self) -> Mapping[str, str]:
        """Unit of each feature; names as in the preset, with braces."""
        return {signal.name: signal.unit for preset in self.options.presets for signal in preset.features}

    def batches(self, held: Held) -> Iterator[Batch]:
        """One batch for some complete windows; empty ones while there is none; the end where the address has one."""
        try:
            yield from self._batches(held)
        except SourceError:
            if not self._left.is_set():  # whoever leaves does not wait for an answer
                raise

    def _batches(self, held: Held) -> Iterator[Batch]:
        options, stream = self.options, self.options.stream
        now_s = yield from self._answered(self._client.now_s)
        end_s = np.inf if options.end is None else _absolute(options.end, now_s)
        known = held(stream)
        # A window that has begun before the start is left out, and one that ends after the end.
        at = self._aligned(_absolute(options.start, now_s) * 1000 if known is None else known)
        while not self._left.is_set():
            now_s = yield from self._answered(self._client.now_s)
            ready_ms = min(now_s - options.settle_s, end_s) * 1000
            windows = int((ready_ms - at) // options.step_ms)
            self._at, self._due = at, at + max(windows, 0) * options.step_ms
            if windows > 0:
                windows = min(windows, self._at_once())
                vectors = yield from self._answered(partial(self._read, at, windows))
                at += windows * options.step_ms
                self._at = at
                yield Batch((vectors,) if len(vectors) else (), {stream: at})
            elif at + options.step_ms > end_s * 1000:
                return
            else:
                yield Batch((), {})
                self._left.wait(min(max((at + options.step_ms - ready_ms) / 1000, 0.01), IDLE_S))

    def _answered(self, ask: Callable[[], Answer]) -> Generator[Batch, None, Answer]:
        """What the server says; empty batches and growing pauses while it is away."""
        since, pause = time.monotonic(), FIRST_PAUSE_S
        while True:
            try:
                answer = ask()
            except Away:
                patience = PATIENCE_S if self._heard else FIRST_PATIENCE_S
                if self._left.is_set() or time.monotonic() - since >= patience:
                    raise
                self._due = None
                yield Batch((), {})
                self._left.wait(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
            else:
                self._heard = True
                return answer

    def kept(self, ends: Mapping[str, int]) -> None:
        """Nothing to do: the lake's position is the only one."""

    def idle(self) -> bool:
        """Whether every complete window has been read, as of the last look."""
        return self._at is not None and self._due is not None and self._due <= self._at

    def lag(self) -> Mapping[str, int]:
        """Complete windows not read yet, as of the last look."""
        if self._at is None or self._due is None:
            return {}
        return {self.options.stream: max(self._due - self._at, 0) // self.options.step_ms}

    def close(self) -> None:
        """Ends waiting at once, and `batches` with it."""
        self._left.set()

    def _aligned(self, ms: float) -> int:
        return ceil(round(ms) / self.options.step_ms) * self.options.step_ms

    def _at_once(self) -> int:
        """Windows of one request: one at first, then twice as many each time, within the server's limit and ours."""
        points = min(MOST_POINTS - 1, SAMPLES_AT_ONCE // max(self._most_series, 1))
        self._windows = max(min(2 * self._windows, points // self.options.per_window), 1)
        return self._windows

    def _read(self, at: int, windows: int) -> Vectors:
        options, from_s = self.options, at / 1000
        power: dict[str, np.ndarray] = {}
        features: dict[str, dict[str, np.ndarray]] = defaultdict(dict)
        for number, preset in enumerate(options.presets):
            started = starts(self._client, options, preset, from_s, windows)
            if number == 0 and options.power is not None:
                self._look_back(options.power, at)
                read = values_of(self._client, options, preset, options.power, started, from_s, windows)
                power = self._whole(read, at + windows * options.step_ms)
                self._most_series = max(self._most_series, len(read))
            for signal in preset.features:
                read = values_of(self._client, options, preset, signal, started, from_s, windows)
                self._most_series = max(self._most_series, len(read))
                for (node, by, _), values in read.items():
                    name = signal.name.format(**dict(zip(signal.by, by, strict=True)))
                    known = features[node].get(name)
                    features[node][name] = values if known is None else known + values
        return self._rows(at, windows, power, features)

    def _look_back(self, power: Signal, at: int) -> None:
        """Before the first window: remember the parts of the hour before, so that one that has gone since is missed."""
        if self._looked_back:
            return
        options, from_s = self.options, max(at - REMEMBERED_MS, 0) / 1000
        there = last_there(self._client, options, options.presets[0], power, from_s, at / 1000)
        for key, last_s in there.items():
            self._parts[key[0]][key] = round(last_s * 1000)
        self._looked_back = True

    def _whole(self, read: Read, until_ms: int) -> dict[str, np.ndarray]:
        """Power of each node: the sum over its parts, NaN where one is missing that lately was there."""
        seen: dict[str, list[np.ndarray]] = defaultdict(list)
        for key, values in read.items():
            seen[key[0]].append(values)
            self._parts[key[0]][key] = until_ms
        total: dict[str, np.ndarray] = {}
        for node, parts in list(self._parts.items()):
            expected = {key: last for key, last in parts.items() if until_ms - last <= REMEMBERED_MS}
            self._parts[node] = expected
            if node in seen:
                whole = len(seen[node]) == len(expected)
                total[node] = np.sum(seen[node], axis=0) if whole else np.full_like(seen[node][0], np.nan)
        return total

    def _rows(
        self, at: int, windows: int, power: Mapping[str, np.ndarray], features: Mapping[str, Mapping[str, np.ndarray]]
    ) -> Vectors:
        nodes = sorted({*power, *features})
        names = tuple(sorted({name for of_node in features.values() for name in of_node}))
        nothing = np.full(windows, np.nan)
        watts = np.array([power.get(node, nothing) for node in nodes]).reshape(len(nodes), windows)
        X = np.array([[features.get(node, {}).get(name, nothing) for name in names] for node in nodes])
        X = X.reshape(len(nodes), len(names), windows)
        # In order of time, since positions of a stream do not go back.
        w, node = np.nonzero((np.isfinite(watts) | np.isfinite(X).any(axis=1)).T)
        ends_ms = at + (w + 1) * self.options.step_ms
        return Vectors(
            id=[f"{nodes[n]}@{ms}" for n, ms in zip(node.tolist(), ends_ms.tolist(), strict=True)],
            node=[nodes[n] for n in node.tolist()],
            timestamp=ends_ms.astype(np.int64) * 1000,
            power_w=watts[node, w],
            names=names,
            X=X[node, :, w],
            places=Places(
                (self.options.stream,), np.zeros(len(w), int), (ends_ms - self.options.step_ms).astype(np.int64)
            ),
        )


def _absolute(when: float, now_s: float) -> float:
    return when if when >= 0 else now_s + when
