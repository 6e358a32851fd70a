"""What is physically possible in each unit, and the small file that names units."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

from ascribe.bundle.tables import read_names
from ascribe.core.errors import InputError
from ascribe.core.features import Feature

__all__ = ["BOUNDS", "describe", "read_units"]

BOUNDS: dict[str, tuple[float, float]] = {
    "": (-inf, inf),
    "count": (0, inf),
    "count/s": (0, inf),
    "bytes": (0, inf),
    "KiB": (0, inf),
    "bytes/s": (0, inf),
    "percent": (0, 100),
    "ratio": (0, 1),
    "s": (0, inf),
    "ms": (0, inf),
    "Hz": (0, inf),
    "MHz": (0, inf),
    "W": (0, inf),
    "J": (0, inf),
    "V": (0, inf),
    "A": (0, inf),
    "celsius": (-273.15, inf),
}


def read_units(path: Path, what: str = "units") -> dict[str, dict[str, Any]]:
    """TOML or JSON:  name = "unit"  or  name = { unit = "...", low = 0, high = 10, group = "...", transform = "..." };
    `what` names the file in a message.

    Raises InputError for a broken file, an unknown key, or a unit that is unknown and comes without bounds.
    """
    raw = read_names(path, what)
    if not isinstance(raw, dict):
        raise InputError(f'{what} file {path} is no table: write name = "unit" a line')
    return {name: _checked(name, given, path) for name, given in raw.items()}


def _checked(name: str, given: Any, path: Path) -> dict[str, Any]:
    record = {"unit": given} if isinstance(given, str) else given
    kinds = {"unit": str, "group": str, "transform": str, "low": int | float, "high": int | float}
    if not isinstance(record, dict) or not all(k in kinds and isinstance(v, kinds[k]) for k, v in record.items()):
        raise InputError(
            f'{path}: write {name} = "unit" or {name} = {{ unit = "...", low = 0, high = 1, group = "..." }}'
        )
    unit = record.get("unit", "")
    if unit not in BOUNDS and not {"low", "high"} & set(record):
        near = difflib.get_close_matches(str(unit), BOUNDS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(filter(None, BOUNDS))}"
        raise InputError(f"{path}: unit '{unit}' of {name} is unknown; {hint} (or give its low and high yourself)")
    return record


def describe(name: str, units: Mapping[str, Mapping[str, Any]]) -> Feature:
    """A feature with its unit's bounds, narrowed or replaced by those of the file."""
    record = units.get(name, {})
    low, high = BOUNDS.get(record.get("unit", ""), (-inf, inf))
    return Feature(
        name,
        record.get("unit", ""),
        float(record.get("low", low)),
        float(record.get("high", high)),
        record.get("group", ""),
    )
