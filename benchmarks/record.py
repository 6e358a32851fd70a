"""Where results go, with the machine that made them and the day; and how pages read them."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["RESULTS", "Raw", "keep", "machine", "place_of", "saturates"]

RESULTS = Path(__file__).parent / "results"
CPU = Path("/proc/cpuinfo")
QUICK = Path(__file__).parents[1] / "runs" / "bench_quick"  # what --quick leaves is no result: git does not see it


def machine() -> dict[str, Any]:
    """The machine by its kind only, and the day (UTC). `vnni`: as its processor says, None where that is not known."""
    return {
        "cores": len(os.sched_getaffinity(0)), "python": platform.python_version(), "cpu": platform.machine(),
        "vnni": "vnni" in CPU.read_text() if CPU.exists() else None, "day": time.strftime("%Y-%m-%d", time.gmtime()),
    }  # fmt: skip


def saturates(machine: Mapping[str, Any]) -> bool:
    """Whether two products with 8-bit weights overflow there: on x86 without VNNI (docs/quantize.md)."""
    return machine["cpu"] == "x86_64" and machine.get("vnni") is False


def place_of(name: str, quick: bool = False) -> Path:
    """Of one JSON; `name` may have folders."""
    return (QUICK if quick else RESULTS) / f"{name}.json"


def keep(name: str, numbers: dict[str, Any], quick: bool = False) -> Path:
    """Write one JSON, sorted."""
    place = place_of(name, quick)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"machine": machine(), **numbers}, indent=2, sort_keys=True) + "\n")
    return place


@dataclass(frozen=True)
class Raw:
    """What was kept under `root`, as pages and claims read it."""

    root: Path = RESULTS

    def __call__(self, name: str) -> dict[str, Any]:
        held: dict[str, Any] = json.loads((self.root / f"{name}.json").read_text())
        return held

    def cells(self, folder: str) -> dict[str, dict[str, Any]]:
        """Every file of a folder, by its name, in order."""
        return {place.stem: json.loads(place.read_text()) for place in sorted((self.root / folder).glob("*.json"))}

    def files(self, names: tuple[str, ...]) -> Iterator[Path]:
        """Those of `names` that are there; a folder stands for everything in it."""
        for name in names:
            place, folder = self.root / f"{name}.json", self.root / name
            yield from [place] if place.exists() else sorted(folder.rglob("*.json"))
