"""What the offline side leaves for the service: latest vectors, readers, runs. One look-up each, never a scan."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ascribe.bundle.state import State, beside
from ascribe.core.errors import NotFound
from ascribe.core.words import quoted
from ascribe.serve.cards.served import NodeCard, SeriesCard
from ascribe.serve.rows import Row

__all__ = ["Telemetry"]

READERS, RUNS, DRIFT = "ingest", "runs", "drift"
STALE_S = 120.0


class Telemetry:
    """The state beside a lake. Every call may raise RegistryError where it cannot be read."""

    def __init__(self, lake: str) -> None:
        self.state = State(beside(lake))

    def nodes(self) -> list[str]:
        """Names of the nodes that were heard of."""
        return self.state.names("nodes")

    def node(self, name: str) -> NodeCard:
        """The latest vector of a node. Raises NotFound."""
        held = self.state.find("nodes", name)
        if held is None:
            raise NotFound(f"nothing was heard of node {quoted(name, 128)}: GET /v1/nodes lists those that are known")
        age_s = time.time() - held["timestamp_us"] / 1e6
        return NodeCard(name, held["id"], held["timestamp_us"] // 1000, age_s, age_s > STALE_S, held["features"],
                        held["power_w"])  # fmt: skip

    def row(self, name: str, features: Sequence[str]) -> Row:
        """The same as a row to be explained, of those features that a model takes."""
        card = self.node(name)
        return Row(card.id, None, {f: card.features[f] for f in features if f in card.features}, None, card.power_w)

    def series(self) -> list[str]:
        """Names of the series that a forecast may be asked of by name."""
        return self.state.names("series")

    def newest(self, name: str) -> SeriesCard:
        """The newest steps of a series. Raises NotFound."""
        if self.state.find("series", name) is None:
            raise NotFound(
                f"nothing was heard of series {quoted(name, 128)}: GET /v1/series lists those that are known"
            )
        found: SeriesCard = self.state.get("series", name, kind=SeriesCard)
        return found

    def status(self, models: list[str]) -> dict[str, Any]:
        """Readers of the lake with their counts and lag, and of each model the last run and the last look at drift."""
        readers = {}
        for group in self.state.names(READERS):
            held = self.state.get(READERS, group)
            held["lag_records"] = sum(held.pop("lag", {}).values())
            readers[group] = held
        return {
            "readers": readers,
            "runs": {name: self._last(RUNS, name) for name in models},
            "drift": {name: self._last(DRIFT, name, "word", "reasons") for name in models},
        }

    def _last(self, kind: str, model: str, *only: str) -> Any:
        names = self.state.names(kind, model)
        if not names:
            return None
        held = self.state.get(kind, model, names[-1])
        wanted = only or ("run", "status", "why", "started", "ended", "rows", "version", "reasons", "error")
        return {"at": names[-1], **{word: held[word] for word in wanted if held.get(word)}}
