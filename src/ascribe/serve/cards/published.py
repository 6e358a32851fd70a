"""What the registry holds of a model, in words: its versions, their verdicts, where its channels point and why."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import Any

from ascribe.bundle.manifest import Manifest
from ascribe.bundle.records import Channel
from ascribe.bundle.registry import Registry
from ascribe.bundle.variants import QUANTISED
from ascribe.bundle.verdicts import verdicts
from ascribe.core.errors import AscribeError, NotFound, RegistryError
from ascribe.serve.cards.served import TierCard
from ascribe.serve.cards.versions import (
    ChannelCard,
    LineageCard,
    Move,
    VariantCard,
    VerdictCard,
    VersionCard,
    VersionsCard,
)
from ascribe.serve.faults import UnavailableError
from ascribe.serve.versions.leases import Versions

__all__ = ["MOST", "Published"]

MOST = 50  # versions of one answer
MANIFESTS = 500  # kept in memory; a version never changes
REPORT = "quantisation"  # what was measured beside the original, in the metrics of a variant
JUDGED = 5  # newest verdicts of a version


class Published:
    """Looks up; moves nothing. A manifest is read once, since a version never changes; channels and verdicts are read
    anew each time. For threads: a registry may be far away.
    """

    def __init__(self, opened: Callable[[], Registry], versions: Versions) -> None:
        self._opened, self._versions = opened, versions
        self._manifests: OrderedDict[tuple[str, str], Manifest] = OrderedDict()
        self._lock = threading.Lock()

    @cached_property
    def _registry(self) -> Registry:
        return self._opened()

    def versions(self, model: str, most: int = 20) -> VersionsCard:
        """Of a model that is served (`NAME[@CHANNEL]`), the newest `most` and those that channels point at. Raises
        NotFound for another model, UnavailableError where the registry cannot be read.
        """
        name = self._versions.slot(model).name
        try:
            held, registry = self._registry.versions(name), self._registry
            channels = {c: registry.channel(name, c) for c in registry.channels(name)}
            shown = set(held[-min(most, MOST) :]) | {c.current.version for c in channels.values()}
            found = [self._version(name, v, channels, held) for v in reversed(held) if v in shown]
        except RegistryError as exc:
            raise UnavailableError(str(exc)) from exc
        cards = [self._channel(name, c, held) for c, held in channels.items()]
        return VersionsCard(name, cards, found, len(held) - len(found))

    def _channel(self, name: str, channel: str, held: Channel) -> ChannelCard:
        served = [s.lease.version for s in self._versions.slots if (s.name, s.channel) == (name, channel) and s.lease]
        try:
            back = held.before().version
        except NotFound:
            back = ""
        moves = [Move(e.action, e.version, e.at, e.reasons, e.by) for e in reversed(held.history)]
        return ChannelCard(channel, held.current.version, served[0] if served else "", back, moves)

    def _version(self, name: str, version: str, channels: dict[str, Channel], held: list[str]) -> VersionCard:
        """A version that cannot be opened is told as such: the others are none the worse for it."""
        try:
            m = self._manifest(name, version)
            judged = verdicts(self._registry.store, name, version)
        except AscribeError as exc:
            return VersionCard(version, problem=str(exc))
        return VersionCard(
            version, m.created, m.family, m.target.name, m.target.unit, len(m.features),
            sum(file.bytes for file in m.files.values()),
            [c for c, there in channels.items() if there.current.version == version], m.metrics,
            {tier: TierCard(t.stderr, t.latency_ms) for tier, t in m.tiers.items()}, m.machine,
            LineageCard(
                m.lineage.data, m.lineage.data_sha256, m.lineage.code_version, m.lineage.seed, m.lineage.rows,
                m.lineage.source,
            ),
            [VerdictCard(j.at, j.channel, j.against, j.accepted, j.forced, j.reasons) for j in judged[-JUDGED:][::-1]],
            self._variant(name, m, held),
        )  # fmt: skip

    def _manifest(self, name: str, version: str) -> Manifest:
        key = (name, version)
        with self._lock:
            if key in self._manifests:
                self._manifests.move_to_end(key)
                return self._manifests[key]
        manifest = self._registry.fetch(name, version).manifest
        with self._lock:
            self._manifests[key] = manifest
            while len(self._manifests) > MANIFESTS:
                self._manifests.popitem(last=False)
        return manifest

    def _variant(self, name: str, m: Manifest, held: list[str]) -> VariantCard | None:
        """What a quantised version's manifest says of how it was made."""
        about = m.origin.get(QUANTISED)
        if about is None:
            return None
        found = self._made_from(name, about, held)
        seen = m.metrics.get(REPORT, {})
        share = seen.get("error", {}).get("share")
        return VariantCard(
            str(about.get("precision", "")), found or str(about.get("version", "")), bool(found),
            list(seen.get("bytes", [])), dict(seen.get("ms", {})), share if isinstance(share, float | int) else None,
        )  # fmt: skip

    def _made_from(self, name: str, about: dict[str, Any], held: list[str]) -> str:
        """The version here that holds the graph it was made from, if there is one: publishing measures tiers, which
        changes a version and not what it predicts.
        """
        if (told := str(about.get("version", ""))) in held:
            return told
        for version in reversed(held[-MOST:]):
            with suppress(AscribeError):
                m = self._manifest(name, version)
                graph = m.files.get(m.roles.get("predict", ""))
                if QUANTISED not in m.origin and graph is not None and graph.sha256 == about.get("predict_sha256"):
                    return version
        return ""
