"""What is served: one version of each model, swapped as a whole; a request works with the lease it took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from ascribe.bundle.records import Event
from ascribe.bundle.registry import Registry, split_model
from ascribe.bundle.runtime import example, load
from ascribe.core.errors import InputError, NotFound
from ascribe.core.model import Model
from ascribe.core.words import listed
from ascribe.serve.faults import UnavailableError

__all__ = ["LOADING", "Lease", "Slot", "Status", "Versions", "fetch", "now", "specs"]

LOADING = "the model is still loading: try again in a second"


@dataclass(frozen=True, eq=False)
class Lease:
    """One loaded version; it stays whole for whoever holds it, whatever is swapped in meanwhile.

    `sha256` is the archive's, from the channel. `example (1, n)`: the bundle's stored row, for warming up. `base`:
    the model's recorded mean prediction, in its unit. `outputs`, `examples`: further targets by name, with a row each.
    `labels`: the nodes that it is for. `preparation`: from a file or a sentence to a row (`bundle.preparation`).
    """

    name: str
    channel: str
    version: str
    sha256: str
    model: Model
    example: np.ndarray
    outputs: Mapping[str, Model] = field(default_factory=dict)
    examples: Mapping[str, np.ndarray] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    preparation: Mapping[str, Any] = field(default_factory=dict)

    @property
    def base(self) -> float | None:
        return self.model.base_value

    def is_of(self, event: Event) -> bool:
        """Whether it is the version that a channel's event names."""
        return (self.version, self.sha256) == (event.version, event.sha256)

    def output(self, name: str | None = None, space: str | None = None) -> Model:
        """The model of an output; None or empty: the main one; of a classifier in one of its spaces. Raises NotFound
        naming what there is.
        """
        if self.model.outputs or space:  # of a classifier
            return self.model.choose(name or None, space or None)
        if not name or name == self.model.output:
            return self.model
        if name not in self.outputs:
            held = listed([self.model.output, *self.outputs])
            raise NotFound(f"no output '{name}' of {self.name} {self.version}: it has {held}")
        return self.outputs[name]


def fetch(registry: Registry, name: str, channel: str, event: Event) -> Lease:
    """Load what a channel's event points at. Raises NotFound naming what there is, BundleError for a broken bundle."""
    bundle = registry.fetch(name, event.version, event.sha256)
    parts = bundle.parts()
    models = {output: load(part) for output, part in parts.items()}
    examples = {output: example(part) for output, part in parts.items()}
    labels = dict(bundle.manifest.labels)
    return Lease(
        name, channel, event.version, event.sha256, load(bundle), example(bundle), models, examples, labels,
        dict(bundle.manifest.preparation),
    )  # fmt: skip


def now() -> str:
    """ISO 8601 UTC."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True)
class Status:
    """How a channel is followed; fields as in `messages.RolloutCard`."""

    state: str
    wanted: str = ""
    reason: str = ""
    at: str = field(default_factory=now)


class Slot:
    """One channel of one model: the lease that answers, and the one before, kept warm for a way back."""

    def __init__(self, name: str, channel: str) -> None:
        self.name, self.channel = name, channel
        self.lease: Lease | None = None
        self.before: Lease | None = None
        self.status = Status("loading")

    def __str__(self) -> str:
        return f"{self.name}@{self.channel}"

    def swap(self, lease: Lease) -> None:
        """Answer with another version from the next request on; what answered until now is kept."""
        self.before, self.lease = self.lease, lease
        self.status = Status("current", lease.version)


def specs(model: str | Sequence[str]) -> list[tuple[str, str]]:
    """`NAME[@CHANNEL]`, several with commas or in a list -> names and channels. Raises InputError for one given twice.

    >>> specs(["a@canary", "b"])
    [('a', 'canary'), ('b', 'production')]
    """
    texts = [model] if isinstance(model, str) else model
    found = [split_model(part.strip()) for text in texts for part in text.split(",") if part.strip()]
    if not found:
        raise InputError("no model is named: --model NAME[@CHANNEL]")
    for name, channel in found:
        if found.count((name, channel)) > 1:
            raise InputError(f"{name}@{channel} is named twice: name each model once")
    return found


class Versions:
    """The served models, each behind one reference: a lease is a look-up, `swap` replaces one, leases taken before
    stay good.
    """

    def __init__(self, models: Sequence[tuple[str, str]] = ()) -> None:
        self.slots: list[Slot] = []
        self._known: dict[str, Slot] = {}  # by whatever a request may write
        for name, channel in models:
            self._add(Slot(name, channel))

    @property
    def loaded(self) -> bool:
        return bool(self.slots) and all(slot.lease for slot in self.slots)

    def swap(self, lease: Lease) -> None:
        """Serve another version of a model from the next request on."""
        held = [s for s in self.slots if (s.name, s.channel) == (lease.name, lease.channel)]
        (held[0] if held else self._add(Slot(lease.name, lease.channel))).swap(lease)

    def lease(
        self, model: str | None = None, version: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Lease:
        """As `find`, the lease alone."""
        return self.find(model, version, labels)[1]

    def find(
        self, model: str | None = None, version: str | None = None, labels: Mapping[str, str] | None = None
    ) -> tuple[Slot, Lease]:
        """What answers a request for `NAME[@CHANNEL]` (None or empty: the only model, or the one that `labels` choose).

        With labels, a model answers if all its own are among them; of several the one with the most. A name alone
        means the production channel where it is served.

        Raises UnavailableError before the first version is loaded, InputError where several fit and none is named,
        NotFound for another model, channel or version, and for labels that choose none or several.
        """
        slot = self._labelled(model or "", labels) if labels else self._known.get(model or "") or self._named(model)
        held = slot.lease
        if held is None:
            raise UnavailableError(LOADING)
        if version and version != held.version:
            raise NotFound(f"no version '{version}' of {held.name} here: {self._serves()}")
        return slot, held

    def slot(self, model: str | None = None) -> Slot:
        """Of `NAME[@CHANNEL]`, loaded or not. Raises as `find`."""
        return self._known.get(model or "") or self._named(model)

    def _add(self, slot: Slot) -> Slot:
        self.slots.append(slot)
        known = {}
        for key in {"", *(s.name for s in self.slots), *map(str, self.slots)}:
            fit = self._fitting(key)
            if len(fit) == 1:
                known[key] = fit[0]
        self._known = known
        return slot

    def _fitting(self, model: str) -> list[Slot]:
        name, _, channel = model.partition("@")
        fit = [s for s in self.slots if name in ("", s.name) and channel in ("", s.channel)]
        if name and not channel and len(fit) > 1:
            return [s for s in fit if s.channel == "production"] or fit
        return fit

    def _named(self, model: str | None) -> Slot:
        """What is asked for in other words, or in vain."""
        if not self.slots:
            raise UnavailableError(LOADING)
        fit = self._fitting(model or "")
        if not fit:
            raise NotFound(f"no model '{model}' here: {self._serves()}")
        if len(fit) > 1:
            raise InputError(f"which model? name one, or send labels: {self._serves()}")
        return fit[0]

    def _labelled(self, model: str, labels: Mapping[str, str]) -> Slot:
        held = [(s, s.lease.labels) for s in self._fitting(model) if s.lease]
        if not held:
            return self._named(model)
        fit = [(s, own) for s, own in held if own.items() <= labels.items()]
        most = max((len(own) for _, own in fit), default=0)
        best = [s for s, own in fit if len(own) == most]
        if len(best) == 1:
            return best[0]
        asked = _written(labels)
        if best:
            both = listed([str(s) for s in best])
            raise NotFound(f"labels {asked} fit {both} alike: name the model, or label one more narrowly")
        there = "; ".join(f"{s} ({_written(own) or 'any'})" for s, own in held)
        raise NotFound(f"no model for labels {asked} here: this server serves {there}")

    def _serves(self) -> str:
        held = [f"{s}, version {s.lease.version if s.lease else 'loading'}" for s in self.slots]
        return "this server serves " + "; ".join(held)


def _written(labels: Mapping[str, str]) -> str:
    return listed([f"{name}={value}" for name, value in sorted(labels.items())])
