"""What the offline side left in the state: runs with their stages, rows that readers turned away, looks at drift.

Blobs are judged before they are shown: one that is none is passed over. Places of the offline side (folders, stores)
are nobody's business here and stay out.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ascribe.bundle.state import State
from ascribe.core.errors import NotFound, RegistryError
from ascribe.serve.cards.versions import (
    BadRowCard,
    BadRows,
    DriftAnswer,
    DriftCard,
    RunCard,
    Runs,
    StageCard,
)

__all__ = ["drift", "quarantine", "runs"]

READERS, BAD, RUNS, DRIFT = "ingest", "quarantine", "runs", "drift"
LOOKS = 30
MOST_RUNS, MOST_ROWS = 100, 500
TEXT = 300  # characters of what a stage found
BROKEN = (NotFound, RegistryError, msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError)


def drift(state: State, model: str) -> DriftAnswer:
    """The last comparison of a model."""
    looks = state.names(DRIFT, model)
    report = None
    if looks:
        try:
            report = msgspec.convert(state.get(DRIFT, model, looks[-1]), DriftCard)
        except BROKEN:
            report = None
    return DriftAnswer(model, report, looks[-LOOKS:][::-1])


def runs(state: State, models: list[str], most: int = 10) -> Runs:
    """The newest runs of these models."""
    found = []
    for model in models:
        for name in reversed(state.names(RUNS, model)[-min(most, MOST_RUNS) :]):
            try:
                found.append(_run(state.get(RUNS, model, name)))
            except BROKEN:
                continue
    return Runs(sorted(found, key=lambda run: (run.started, run.run), reverse=True)[:most])


def quarantine(state: State, most: int = 50) -> BadRows:
    """The newest rows that any reader turned away, and each reader's counts by reason."""
    rows, counts = [], {}
    for reader in state.names(READERS):
        try:
            counts[reader] = msgspec.convert(state.get(READERS, reader).get("reasons", {}), dict[str, int])
        except BROKEN:
            continue
    for reader in state.names(BAD):
        try:
            for raw in state.get(BAD, reader)["rows"][:MOST_ROWS]:
                card = msgspec.convert(raw, BadRowCard)
                card.reader = reader
                rows.append(card)
        except BROKEN:
            continue
    return BadRows(sorted(rows, key=lambda row: row.at_us, reverse=True)[: min(most, MOST_ROWS)], counts)


def _run(held: dict[str, Any]) -> RunCard:
    """A record in words. An older record names no plan of stages: what it did is all that is known."""
    done = held.get("stages", {})
    planned = held.get("planned") or list(done)
    running = held["status"] == "running"
    stages = [_stage(name, done.get(name), running and name not in done and _next(planned, done) == name)
              for name in planned]  # fmt: skip
    progress = sum(stage.state in ("done", "before") for stage in stages) / max(1, len(stages))
    return RunCard(
        held["run"], held["name"], held["status"], list(held.get("why", [])), held["started"], held.get("ended", ""),
        stages, progress, held.get("lake_version"), held.get("rows", 0), held.get("version", ""),
        held.get("against", ""), list(held.get("reasons", [])), held.get("error", ""),
    )  # fmt: skip


def _next(planned: list[str], done: dict[str, Any]) -> str:
    return next((name for name in planned if name not in done), "")


def _stage(name: str, held: dict[str, Any] | None, begun: bool) -> StageCard:
    if held is None:
        return StageCard(name, "running" if begun else "waiting")
    return StageCard(name, "done" if held.get("fresh", True) else "before", held.get("seconds"), _plain(held))


def _plain(held: dict[str, Any]) -> dict[str, Any]:
    """Numbers and short texts of what a stage found; no places."""
    found = {}
    for name, value in held.get("result", {}).items():
        if isinstance(value, bool | int | float) or (isinstance(value, str) and "/" not in value):
            found[name] = value[:TEXT] if isinstance(value, str) else value
    return found
