"""The thread that follows: new rows, explained behind all requests, into tracks and to listeners.

Each round: versions that answer now, rows that were written since, one short call after another. Before a call it
stands back while requests wait, a second at most, and its thread is served last in any case (`priority`): requests are
not held up, and the page is not left behind for ever. What cannot be kept up with is thinned, never each node's newest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ascribe.bundle.recent import Follow, Rows
from ascribe.bundle.state import State
from ascribe.core.errors import AscribeError, NotFound
from ascribe.serve.now.hub import Hub
from ascribe.serve.now.messages import NodeNow
from ascribe.serve.now.series import Series, arranged, newest_of
from ascribe.serve.now.shown import node_now
from ascribe.serve.observe.log import Log
from ascribe.serve.priority import give_way
from ascribe.serve.settings import Settings
from ascribe.serve.telemetry import Telemetry
from ascribe.serve.versions.leases import Lease, Versions

__all__ = ["Follower"]

EVERY_S = 0.5  # between looks
STATUS_S = 5.0
WAIT_S, LOOK_S = 1.0, 0.01  # behind requests, before a call; between looks whether they still wait
BACKLOG_S = 10.0  # of explaining, of all that waits
PIECES, NEWEST = 30, 5  # of the state, read at a time; looked at for each node's newest row
GONE_S = 86400.0  # a node that said nothing for so long is not shown
MOST_SERIES = 8

Key = tuple[str, str]
"""NAME@CHANNEL and output."""


class _StoppedError(Exception):
    """The server leaves."""


class Follower:
    """`series` by model and output, the main one first. `busy`: whether requests wait. `groups`: patterns of counters
    by group. `explained`, `thinned`: rows so far; `took_s`: explaining the newest of them.
    """

    def __init__(
        self, versions: Versions, telemetry: Telemetry, settings: Settings, groups: Mapping[str, Sequence[str]],
        hub: Hub, log: Log, busy: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._versions, self._telemetry, self._settings = versions, telemetry, settings
        self._groups, self._hub, self._log, self._busy = groups, hub, log, busy
        self._state: State = telemetry.state
        self._follow = Follow(self._state, _now_us)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="now", daemon=True)
        self._said: set[str] = set()
        self._status: dict[str, Any] = {}
        self._looked = 0.0
        self._known: set[str] = set()  # nodes whose latest vector was looked at
        self._answered: dict[str, str] = {}
        self.series: dict[Key, Series] = {}
        self.drifted: set[str] = set()  # models
        self.not_followed = 0
        self.explained, self.thinned, self.took_s = 0, 0, 0.0
        self.began = threading.Event()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """No further call; listeners hear no more."""
        self._stop.set()
        self._hub.close()

    def join(self, grace_s: float) -> None:
        if self._thread.is_alive():
            self._thread.join(grace_s)

    def _run(self) -> None:
        give_way()
        while not self._stop.is_set():
            try:
                self.round()
            except _StoppedError:
                break
            except AscribeError as exc:  # the state cannot be read: perhaps the next time
                self._tell(str(exc))
            except Exception as exc:
                self._tell(type(exc).__name__)
            self.began.set()
            if not self._follow.left:
                self._stop.wait(EVERY_S)

    def round(self) -> None:
        """One look. Raises RegistryError."""
        self._lease()
        if not self.began.is_set() or self._follow.left:  # what is now before what was
            newest = self._follow.newest(NEWEST)
            self._each(lambda key, series: self._show(key, series, newest))
            self.began.set()
        pieces = self._follow.new(PIECES)
        pieces += self._silent()
        self._each(lambda key, series: self._take(key, series, pieces))
        if time.monotonic() - self._looked >= STATUS_S:
            self._looked = time.monotonic()
            self._look()

    def _each(self, call: Callable[[Key, Series], None]) -> None:
        """For each series; one that cannot be explained is left alone from then on."""
        for key, series in self.series.items():
            if not series.trouble:
                try:
                    call(key, series)
                except AscribeError as exc:
                    series.trouble = str(exc)
                    self._tell(f"{key[0]}: {exc}")

    def _lease(self) -> None:
        """Follow the versions that answer, and say where one has changed."""
        for slot in self._versions.slots:
            lease = slot.lease
            if lease is None:
                continue
            for output, model in _outputs(lease).items():
                key = (str(slot), output)
                if key not in self.series and len(self.series) < MOST_SERIES:
                    self.series[key] = Series(self._settings, self._groups)
                if key in self.series:
                    self.series[key].follow(model, lease.version)
            before, self._answered[str(slot)] = self._answered.get(str(slot), ""), lease.version
            if before and before != lease.version:
                said = {"model": slot.name, "channel": slot.channel, "version": lease.version, "before": before}
                self._hub.publish([("version", said)])

    def _silent(self) -> list[Rows]:
        """Latest vectors of nodes that left no rows lately, once: they are shown as stale."""
        if time.monotonic() - self._looked < STATUS_S:
            return []
        found = []
        for name in self._telemetry.nodes():
            if name in self._known or len(self._known) > 4 * self._settings.now_nodes:
                continue
            self._known.add(name)
            held = self._state.find("nodes", name)
            if held is None or time.time() - held["timestamp_us"] / 1e6 > GONE_S:
                continue
            features = held["features"]
            found.append(
                Rows(list(features), [name], [held["timestamp_us"]], [held["power_w"]], [[*features.values()]])
            )
        return found

    def _show(self, key: Key, series: Series, pieces: Sequence[Rows]) -> None:
        """Each node's newest row, before those that come before it."""
        rows = series.fresh(arranged(pieces, series.names))
        rows = series.behind(rows.take(newest_of(rows)))
        for part, columns, reasons in series.explained(rows, self._step):
            series.show(part, columns, reasons)
            self._publish(key, series, part.node)

    def _take(self, key: Key, series: Series, pieces: Sequence[Rows]) -> None:
        """Rows into tracks; each node's newest is said to listeners, or every one where there are few."""
        whole = arranged(pieces, series.names)
        self.not_followed = len({*whole.node, *series.tracks}) - self._settings.now_nodes
        fresh, left = series.fresh(whole), self._follow.left
        rows = series.thinned(fresh, BACKLOG_S * PIECES / (PIECES + left), not left)
        self.thinned += len(fresh) - len(rows)
        last = {rows.node[i]: int(rows.t_us[i]) for i in newest_of(rows).tolist()}
        few, began = len(rows) <= 4 * len(last), time.perf_counter()
        for part, columns, reasons in series.explained(rows, self._step):
            series.push(part, columns, reasons)
            self.explained += len(part)
            if not left:
                self._publish(
                    key, series, [n for n, t in zip(part.node, part.t_us, strict=True) if few or last[n] == t]
                )
        if not left:
            series.shown()
        if len(rows):
            self.took_s = time.perf_counter() - began

    def _publish(self, key: Key, series: Series, nodes: Sequence[str]) -> None:
        if nodes and len(self._hub):
            self._hub.publish([("moment", self.moment(key, series, node)) for node in dict.fromkeys(nodes)])

    def moment(self, key: Key, series: Series, node: str) -> dict[str, Any]:
        """An event's data: as in GET /v1/now, and whose it is."""
        name, _, channel = key[0].partition("@")
        with series.lock:
            held: NodeNow = node_now(series, node, name in self.drifted, spark=False)
            version = series.versions[series.version]
        words = {field: getattr(held, field) for field in held.__struct_fields__ if field != "spark"}
        return {"model": name, "channel": channel, "output": key[1], "version": version, "unit": series.unit, **words}

    def _step(self) -> None:
        """Stand back for requests, for a while. Raises where the server leaves."""
        until = time.monotonic() + WAIT_S
        while self._busy() and time.monotonic() < until and not self._stop.wait(LOOK_S):
            pass
        if self._stop.is_set():
            raise _StoppedError

    def _look(self) -> None:
        for series in self.series.values():
            series.forget(_now_us() - round(GONE_S * 1e6))
        names = list(dict.fromkeys(slot.name for slot in self._versions.slots))
        try:
            status = self._telemetry.status(names)
        except NotFound:  # a blob was removed meanwhile
            return
        self.drifted = {name for name, held in status["drift"].items() if held and held.get("word") == "drifted"}
        if status != self._status:
            self._status = status
            self._hub.publish([("status", status)])

    def _tell(self, reason: str) -> None:
        """Once for each reason, so that a store that is away does not fill the log."""
        if reason not in self._said and len(self._said) < 64:
            self._said.add(reason)
            self._log.event("now_not_followed", reason=reason)


def _outputs(lease: Lease) -> dict[str, Any]:
    """Models by output: the bundle's own targets; of a classifier, nothing adds up to watts."""
    return {} if lease.model.outputs else {lease.model.output: lease.model, **lease.outputs}


def _now_us() -> int:
    return time.time_ns() // 1000
