"""A pipeline model processor: the components of one party's half of a model, in the order of its DSL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256
from typing import Protocol, runtime_checkable

from ascribe.core.errors import InputError
from ascribe.core.federated.merged import Answer
from ascribe.core.federated.records import Part
from ascribe.core.federated.table import Context, Table

__all__ = ["Pipeline", "Reporter", "Step", "Transform"]

INPUT = ""  # the producer of what the party's rows are before any component


@runtime_checkable
class Transform(Protocol):
    """A component that prepares rows. Pure: the rows that come in stay as they are."""

    def local_inference(self, context: Context, rows: Table) -> Table: ...


@runtime_checkable
class Reporter(Protocol):
    """A component whose result the party reports; on the guest it merges those of all parties."""

    @property
    def identity(self) -> str: ...
    @property
    def merges(self) -> bool: ...
    @property
    def link(self) -> str: ...
    @property
    def labels(self) -> tuple[str, ...]: ...
    @property
    def columns(self) -> tuple[str, ...]: ...
    @property
    def hosts(self) -> tuple[str, ...]: ...
    def width(self, party: str) -> int: ...
    def local_inference(self, context: Context, rows: Table) -> Part: ...
    def merge_remote_inference(self, context: Context, local: Part, remote: Mapping[str, Part]) -> Answer: ...


@dataclass(frozen=True, eq=False)
class Step:
    """A component under its name in the DSL, fed by the component `source` (empty: by the rows themselves)."""

    name: str
    component: Transform | Reporter
    source: str = INPUT


@dataclass(frozen=True, eq=False)
class Pipeline:
    """Steps, producers before what they feed. The last one that reports gives the answer.

    Raises InputError for an unknown producer, a component fed by one that reports, and where nothing reports.
    """

    steps: tuple[Step, ...]

    def __post_init__(self) -> None:
        known: dict[str, bool] = {INPUT: False}
        for step in self.steps:
            if step.name in known:
                raise InputError(f"two components are called '{step.name}': read the model again")
            if step.source not in known:
                raise InputError(f"component '{step.name}' is fed by '{step.source}', which does not come before it")
            if known[step.source]:
                raise InputError(f"component '{step.name}' takes the scores of '{step.source}': that is not supported")
            known[step.name] = hasattr(step.component, "merge_remote_inference")
        if not self.reporters:
            raise InputError("no component of the pipeline gives a score (123): this is no model to serve")

    @cached_property
    def reporters(self) -> dict[str, Reporter]:
        """Components that report, by name, in order."""
        return {s.name: s.component for s in self.steps if hasattr(s.component, "merge_remote_inference")}  # type: ignore[misc]

    @property
    def last(self) -> tuple[str, Reporter]:
        """The component whose merged result is the answer."""
        return list(self.reporters.items())[-1]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of names, kinds and structures of what reports: the same in all halves of one model."""
        told = "\n".join(f"{name} {type(c).__name__} {c.identity}" for name, c in self.reporters.items())
        return sha256(told.encode()).hexdigest()

    def local_inference(self, context: Context, rows: Table) -> dict[str, Part]:
        """First phase, at every party: results of components that report, by name."""
        return {name: component.local_inference(context, fed) for name, component, fed in self._fed(context, rows)}

    def merge_remote_inference(
        self, context: Context, local: Mapping[str, Part], remote: Mapping[str, Mapping[str, Part]]
    ) -> Answer:
        """Second phase, guest only; `remote`: each host's results by its full name."""
        name, component = self.last
        if not component.merges:
            raise InputError(f"'{name}' is a host's half: only the guest merges")
        theirs = {party: parts[name] for party, parts in remote.items() if name in parts}
        return replace(component.merge_remote_inference(context, local[name], theirs), component=name)

    def _fed(self, context: Context, rows: Table) -> Iterator[tuple[str, Reporter, Table]]:
        """What reports, with the rows that reach it; only what leads to such a component is run."""
        sources = {s.name: s.source for s in self.steps}
        used: set[str] = set()
        for name in self.reporters:
            while name not in used and name != INPUT:
                used.add(name)
                name = sources[name]
        held = {INPUT: rows}
        for step in self.steps:
            if step.name in self.reporters:
                yield step.name, self.reporters[step.name], held[step.source]
            elif step.name in used:
                held[step.name] = step.component.local_inference(context, held[step.source])  # type: ignore[assignment]
