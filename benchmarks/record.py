"""Where results go, with the machine that made them."""

from __future__ import annotations

import json
import os
import platform
from pathlib import Path
from typing import Any

__all__ = ["RESULTS", "keep"]

RESULTS = Path(__file__).parent / "results"


def keep(name: str, numbers: dict[str, Any]) -> Path:
    """Write one JSON, sorted; the machine is described by its kind only."""
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": len(os.sched_getaffinity(0)), "python": platform.python_version(), "cpu": platform.machine()}
    place = RESULTS / f"{name}.json"
    place.write_text(json.dumps({"machine": machine, **numbers}, indent=2, sort_keys=True) + "\n")
    return place
