"""What came of the telemetry that a run has read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Ingested"]


@dataclass
class Ingested:
    """Counts of this run so far; `reasons`: of what was put into quarantine or died, without its values. `lag`:
    messages of each stream that are not read yet.
    """

    rows: int = 0
    quarantined: int = 0
    dead: int = 0
    batches: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    lag: Mapping[str, int] = field(default_factory=dict)
