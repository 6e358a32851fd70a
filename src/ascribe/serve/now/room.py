"""What may be asked of moments. Doors translate; here it is decided who may ask, and for what."""

from __future__ import annotations

import asyncio

import numpy as np
from prometheus_client import CollectorRegistry

from ascribe.core.answer import Answer
from ascribe.core.attribution import Attribution, Info
from ascribe.core.errors import CapabilityError, InputError, NotFound
from ascribe.core.sentences import LANGUAGES, say
from ascribe.core.words import listed, quoted
from ascribe.serve.access.auth import require
from ascribe.serve.access.callers import ANYBODY, Caller
from ascribe.serve.faults import UnavailableError
from ascribe.serve.now import past
from ascribe.serve.now.change import change_of
from ascribe.serve.now.energy import energy_of
from ascribe.serve.now.follower import Follower
from ascribe.serve.now.hub import Hub, Listener
from ascribe.serve.now.messages import Change, Energy, History, Moment, Now
from ascribe.serve.now.meter import watch
from ascribe.serve.now.rings import Columns
from ascribe.serve.now.series import Series
from ascribe.serve.now.shown import (
    by_group,
    features_of,
    listed_numbers,
    node_now,
    number,
    rows_of_features,
    status_of,
)
from ascribe.serve.now.track import GAP_US, Track, shares_of
from ascribe.serve.now.when import clock_times
from ascribe.serve.versions.leases import Versions

__all__ = ["NowRoom"]

ABSENT = "this server follows no telemetry: start it with --lake URI"
BEGIN_S = 2.0  # that a question may wait for the first look
KINDS = ("moment", "status", "version")


class NowRoom:
    """`follower`: None where there is no lake. Every call needs the scope `explain`, and raises NotFound where nothing
    is followed, or the model or node is unknown; ForbiddenError, InputError.
    """

    def __init__(self, versions: Versions, follower: Follower | None, hub: Hub, registry: CollectorRegistry) -> None:
        self._versions, self._follower, self.hub = versions, follower, hub
        if follower is not None:
            watch(registry, follower, hub)

    async def now(self, model: str = "", output: str = "", caller: Caller = ANYBODY) -> Now:
        """All nodes."""
        key, series, follower = await self._found(model, output, caller)

        def told() -> Now:
            name, _, channel = key[0].partition("@")
            with series.lock:
                nodes = [node_now(series, node, name in follower.drifted) for node in series.nodes()]
                return Now(
                    name, channel, series.versions[series.version], key[1], series.unit, series.tier,
                    list(series.groups), features_of(series), series.bound, nodes, max(0, follower.not_followed),
                )  # fmt: skip

        return await asyncio.to_thread(told)

    async def history(
        self, node: str, from_us: int, to_us: int, points: int, features: bool, model: str = "", output: str = "",
        caller: Caller = ANYBODY,
    ) -> History:  # fmt: skip
        """A window of one node."""
        key, series, _ = await self._found(model, output, caller)

        def told() -> History:
            with series.lock:
                rows = past.window(_track(series, node), from_us, to_us, points)
                groups, errors = by_group(series, rows)
                bases = listed_numbers(rows["base"])
                names = [series.versions[k] for k in rows["version"].tolist()]
                changes = [i for i in range(len(names)) if not i or names[i] != names[i - 1]]
                return History(
                    node, key[0].partition("@")[0], series.versions[series.version], series.unit,
                    bases[-1] if bases else None, rows["t_us"].tolist(), listed_numbers(rows["measured"]),
                    listed_numbers(rows["prediction"]), listed_numbers(rows["measured"] - rows["prediction"]), bases,
                    groups, errors, status_of(rows), rows["mean_s"].tolist(), features_of(series),
                    [(int(rows["t_us"][i]), names[i]) for i in changes],
                    {f: listed_numbers(rows["X"][:, j]) for j, f in enumerate(series.names)} if features else {},
                )  # fmt: skip

        return await asyncio.to_thread(told)

    async def moment(
        self, node: str, at_us: int | None, language: str = "en", model: str = "", output: str = "",
        caller: Caller = ANYBODY,
    ) -> Moment:  # fmt: skip
        """All of one moment, the newest unless said, with a sentence."""
        key, series, _ = await self._found(model, output, caller)
        _check(language)

        def told() -> Moment:
            with series.lock:
                track = _begun(series, node)
                rows = past.at(track, track.newest_us if at_us is None else at_us)
                groups, errors = by_group(series, rows)
                measured, prediction = number(rows["measured"][0]), number(rows["prediction"][0])
                version = series.versions[int(rows["version"][0])]
                answer = Answer(_attribution(series, key[1], rows), series.features, (_label(node, rows),))
                return Moment(
                    node, key[0].partition("@")[0], version, series.unit, int(rows["t_us"][0]), measured, prediction,
                    number(rows["base"][0]), number(rows["measured"][0] - rows["prediction"][0]),
                    {g: column[0] for g, column in groups.items()}, {g: column[0] for g, column in errors.items()},
                    status_of(rows)[0], rows_of_features(series, rows), float(rows["mean_s"][0]), language,
                    say(answer, 0, language),
                )  # fmt: skip

        return await asyncio.to_thread(told)  # the lock may be held by a thread that gives way

    async def energy(
        self, node: str, from_us: int, to_us: int, model: str = "", output: str = "", caller: Caller = ANYBODY
    ) -> Energy:
        """kWh of a window. CapabilityError for a model of something else than watts."""
        key, series, _ = await self._found(model, output, caller)
        if series.unit != "W":
            raise CapabilityError(f"energy is of watts, and {key[0]} predicts {series.unit or 'no unit'}")

        def told() -> Energy:
            with series.lock:
                spent = energy_of(_track(series, node), from_us, to_us)
                groups = spent.shares @ series.member
                read = spent.measured_s > 0
                return Energy(
                    node, key[0].partition("@")[0], series.versions[series.version], from_us, to_us,
                    spent.measured if read else None, spent.prediction, spent.base,
                    dict(zip(series.groups, groups.tolist(), strict=True)),
                    spent.measured - spent.measured_prediction if read else None,
                    spent.covered_s, spent.measured_s, (to_us - from_us) / 1e6, GAP_US / 1e6,
                )  # fmt: skip

        return await asyncio.to_thread(told)

    async def change(
        self, node: str, from_us: int, to_us: int, language: str = "en", model: str = "", output: str = "",
        caller: Caller = ANYBODY,
    ) -> Change:  # fmt: skip
        """The moments nearest to two times, compared."""
        key, series, _ = await self._found(model, output, caller)
        _check(language)

        def told() -> Change:
            with series.lock:
                track = _begun(series, node)
                old, new = past.at(track, from_us), past.at(track, to_us)
                return change_of(series, node, key[0].partition("@")[0], old, new, language)

        return await asyncio.to_thread(told)

    def listen(self, last: str = "", kinds: str = "", caller: Caller = ANYBODY) -> Listener:
        """A listener of some kinds of events, named with commas, or of all. ShedError where there are too many."""
        require(caller, "explain")
        if self._follower is None:
            raise NotFound(ABSENT)
        wanted = frozenset(part for part in kinds.split(",") if part)
        if unknown := wanted - set(KINDS):
            raise InputError(f"kinds names {quoted(min(unknown), 40)}: use {listed(KINDS)}, with commas")
        return self.hub.listen(last, wanted)

    async def _found(self, model: str, output: str, caller: Caller) -> tuple[tuple[str, str], Series, Follower]:
        require(caller, "explain")
        if self._follower is None:
            raise NotFound(ABSENT)
        slot, lease = self._versions.find(model or None)
        key = (str(slot), lease.output(output).output)
        if not self._follower.began.is_set():
            await asyncio.to_thread(self._follower.began.wait, BEGIN_S)
        series = self._follower.series.get(key)
        if series is None or not series.versions:
            known = [f"{name} {out}" for name, out in self._follower.series]
            if not self._follower.began.is_set():
                raise UnavailableError("the nodes are still being looked at: ask again")
            raise NotFound(f"moments are not kept of {key[1]} of {key[0]}: they are of {listed(known) or 'nothing'}")
        if series.trouble:
            raise CapabilityError(f"moments of {key[0]} cannot be explained: {series.trouble}")
        return key, series, self._follower


def _track(series: Series, node: str) -> Track:
    track = series.tracks.get(node)
    if track is None:
        raise NotFound(f"no moment of node {quoted(node, 128)} is kept: GET /v1/now lists those that are")
    return track


def _begun(series: Series, node: str) -> Track:
    track = _track(series, node)
    if not len(track.fine):
        raise UnavailableError(f"the moments of {quoted(node, 128)} are still being explained: ask again")
    return track


def _check(language: str) -> None:
    if language not in LANGUAGES:
        raise InputError(f"no language {quoted(language, 20)}: use {listed(LANGUAGES)}")


def _label(node: str, rows: Columns) -> str:
    return f"{node} ({clock_times(int(rows['t_us'][0]))[0]})"


def _attribution(series: Series, output: str, rows: Columns) -> Attribution:
    """One row as the sentences want it."""
    info = Info("kept", series.game, "", "", 0, 0, 0, series.tier, series.unit, output, gaps={"efficiency_gap": 0.0})
    return Attribution(
        shares_of(rows), float(rows["base"][0]), rows["prediction"], rows["stderr"].astype(float), np.full(1, np.inf),
        np.array(status_of(rows)), ("",), series.names, rows["X"].astype(float), info, series.names,
    )  # fmt: skip
