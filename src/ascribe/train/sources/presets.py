"""What to ask a Prometheus server for: presets as data, TOML files in `presets/` or of the user's own.

    node = ["instance"]                      # labels that name the node; the first that a series has
    restarts = "node_boot_time_seconds{$match}"      # optional: a new value means that counters began anew

    [power.package]                          # zones overlap: one is read, its parts (sockets) are summed
    query = 'node_rapl_package_joules_total{$match}'
    kind = "counter"                         # counter of J, or gauge of W
    scale = 1.0                              # to J or W
    parts = ["index", "path"]                # labels that tell the counters of one node apart
    range = 262143.32885                     # J, where the counter wraps; left out: it does not
    possible = 1000                          # W of one part; more is no measurement

    [features."cpu_{mode}_ratio"]            # a label in braces: one feature for each of its values
    query = "avg by ($node, mode) (node_cpu_seconds_total{$match})"
    kind = "counter"                         # counter: growth a second; gauge: mean over the window;
    unit = "ratio"                           # at_end: as the expression says at the window's end

`$node`, `$match` and `$window` stand for the node labels, the matchers of the address, and the window such as `60s`.
"""

from __future__ import annotations

import difflib
import string
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import resources
from math import inf, isfinite
from pathlib import Path
from typing import Any

from ascribe.bundle.tables import read_names
from ascribe.core.errors import InputError
from ascribe.train.units import BOUNDS

__all__ = ["PRESETS", "Preset", "Signal", "preset", "shipped"]

PRESETS = ("ceems", "dcgm", "kepler", "kepler_old", "node_exporter", "scaphandre")
KINDS = ("counter", "gauge", "at_end")
PLACES = {"node", "match", "window"}


@dataclass(frozen=True)
class Signal:
    """One query. `by`: the labels in the name's braces; `parts`: labels of what is summed to one number a node."""

    name: str
    query: str
    kind: str
    unit: str
    scale: float = 1.0
    parts: tuple[str, ...] = ()
    range: float = inf
    possible: float = inf

    @property
    def by(self) -> tuple[str, ...]:
        """
        >>> Signal("cpu_{mode}", "q", "counter", "ratio").by
        ('mode',)
        """
        return tuple(name for _, name, _, _ in string.Formatter().parse(self.name) if name)


@dataclass(frozen=True)
class Preset:
    """Zones of power by name (the first is the default), features, node labels, and what tells a restart."""

    name: str
    node: tuple[str, ...]
    power: Mapping[str, Signal]
    features: tuple[Signal, ...]
    restarts: str = ""
    about: str = field(default="", compare=False)

    def with_node(self, label: str) -> Preset:
        """The same, with nodes named by another label."""
        return replace(self, node=(label,))

    def zone(self, name: str) -> Signal:
        """Raises InputError where the preset has no such zone; the empty name is the first."""
        if not name and self.power:
            return next(iter(self.power.values()))
        if name not in self.power:
            raise InputError(f"preset {self.name} has no zone '{name}': choose from {', '.join(self.power) or 'none'}")
        return self.power[name]

    def asked(self, query: str, match: str, window_s: float) -> str:
        """The query with its places filled."""
        return string.Template(query).substitute(node=", ".join(self.node), match=match, window=f"{window_s:g}s")


def shipped(name: str) -> Path:
    """The file of a preset that comes with Ascribe."""
    return Path(str(resources.files("ascribe.train.sources") / "presets" / f"{name}.toml"))


def preset(name: str) -> Preset:
    """One of `PRESETS`, or a TOML file. Raises InputError for an unknown name or a file that cannot be used.

    >>> preset("dcgm").zone("gpu").scale
    0.001
    """
    if name not in PRESETS and not name.endswith(".toml"):
        near = difflib.get_close_matches(name, PRESETS, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known are {', '.join(PRESETS)}, or give a file.toml"
        raise InputError(f"there is no preset '{name}'; {hint}")
    path = shipped(name) if name in PRESETS else Path(name)
    raw = read_names(path, "preset")
    known = {"about", "node", "restarts", "power", "features"}
    if extra := sorted(set(raw) - known):
        raise InputError(f"{path}: '{extra[0]}' is no key of a preset: use {', '.join(sorted(known))}")
    node = raw.get("node", [])
    if not node or not isinstance(node, list) or not all(isinstance(label, str) for label in node):
        raise InputError(f'{path}: say which labels name the node: node = ["instance"]')
    power = {zone: _signal(path, zone, record, "W") for zone, record in _table(path, raw, "power").items()}
    features = tuple(_signal(path, name, record) for name, record in _table(path, raw, "features").items())
    if not power and not features:
        raise InputError(f"{path} asks for nothing: add a table [power.ZONE] or [features.NAME]")
    found = Preset(path.stem, tuple(node), power, features, str(raw.get("restarts", "")), str(raw.get("about", "")))
    for query in (found.restarts, *(s.query for s in (*power.values(), *features))):
        _check_places(path, query)
    return found


def _table(path: Path, raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = raw.get(key, {})
    if not isinstance(table, dict):
        raise InputError(f"{path}: '{key}' is no table: write [{key}.NAME]")
    return table


def _signal(path: Path, name: str, record: Any, unit: str | None = None) -> Signal:
    kinds = {
        "query": str, "kind": str, "unit": str, "scale": int | float, "parts": list, "range": int | float,
        "possible": int | float,
    }  # fmt: skip
    if not isinstance(record, dict) or not {"query", "kind"} <= set(record):
        raise InputError(f"{path}: {name} needs query = ... and kind = {' or '.join(KINDS)}")
    for key, value in record.items():
        if key not in kinds or not isinstance(value, kinds[key]) or isinstance(value, bool):
            raise InputError(f"{path}: '{key}' of {name} is unknown or of another type: use {', '.join(kinds)}")
    signal = Signal(name, **{"unit": unit or "", **record, "parts": tuple(record.get("parts", ()))})
    numbers = (signal.scale, signal.range, signal.possible)
    if signal.kind not in KINDS or not all(n > 0 for n in numbers) or not isfinite(signal.scale):
        raise InputError(f"{path}: {name} needs kind {', '.join(KINDS)}, and numbers above 0")
    if signal.unit not in BOUNDS or (unit and signal.unit != unit):
        raise InputError(
            f"{path}: unit '{signal.unit}' of {name} is unknown; known are {', '.join(filter(None, BOUNDS))}"
        )
    if unit and signal.by:
        raise InputError(f"{path}: zone {name} is one number: name what it sums in parts = [...]")
    return signal


def _check_places(path: Path, query: str) -> None:
    try:
        string.Template(query).substitute(dict.fromkeys(PLACES, ""))
    except (KeyError, ValueError) as exc:
        raise InputError(f"{path}: '{query}' may use $node, $match and $window only ($$ is a dollar sign)") from exc
