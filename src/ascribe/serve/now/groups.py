"""Counters by what they measure: a table of names and units, first fit first.

A group that a model's own definitions name (`group` of a feature) goes before the table, and a file of the operator
(`ASCRIBE_GROUPS`) before both:

    cpu = ["cpu_user", "cpu-*"]
    accelerator = ["gpu_*"]
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from ascribe.core.errors import ServiceError
from ascribe.core.features import Feature

__all__ = ["GROUPS", "group_of", "grouped", "read_groups"]

GROUPS = ("cpu", "cache", "memory", "disk", "network", "system", "other")
OTHER = "other"

NAMES: tuple[tuple[str, str], ...] = (
    ("system", r"context|ctxt|migration|interrupt|\birq|\bintr\b|sched|\bload(1|5|15|avg| avg)\b|\bprocs|forks|thread"),
    ("memory", r"\bmem|swap|\bpage|\bpg|dram|\bram\b|\brss\b|buffers|hugepage|numa"),
    ("cache", r"\bl[123][di]?\b|\bllc\b|cache|tlb"),
    ("network", r"\bnet|pkts?\b|packet|(bytes|errs|drops) (in|out)\b|\brx\b|\btx\b|receive|transmit|tcp|udp"),
    ("disk", r"disk|\bio\b|iops|\bread|\bwrit|bytes (read|written)|filesystem|nvme|\bblk"),
    ("cpu", r"cpu|\bcores?\b|instruction|cycle|branch|\bipc\b|freq|[gmk]hz\b|uops|simd|\bfp\b|flops|util|busy|idle"),
)  # fmt: skip
UNITS = {"Hz": "cpu", "MHz": "cpu", "GHz": "cpu", "KiB": "memory"}

_PATTERNS = tuple((group, re.compile(pattern)) for group, pattern in NAMES)


def group_of(feature: Feature, chosen: Mapping[str, Sequence[str]] | None = None) -> str:
    """`chosen`: names or patterns (`*`, `?`) by group.

    >>> [group_of(Feature(name)) for name in ("cpu-cycles", "LLC-loads", "mem_cached", "pkts_in", "interrupts", "x")]
    ['cpu', 'cache', 'memory', 'network', 'system', 'other']
    """
    for group, patterns in (chosen or {}).items():
        if any(fnmatchcase(feature.name, pattern) for pattern in patterns):
            return group
    if feature.group:
        return feature.group
    words = re.sub(r"[^a-z0-9]+", " ", feature.name.lower()).strip()
    for group, pattern in _PATTERNS:
        if pattern.search(words):
            return group
    return UNITS.get(feature.unit, OTHER)


def grouped(
    features: Sequence[Feature], chosen: Mapping[str, Sequence[str]] | None = None
) -> dict[str, tuple[int, ...]]:
    """Columns of each group that has any: those of the table in its order, then others by name."""
    found: dict[str, list[int]] = {}
    for j, feature in enumerate(features):
        found.setdefault(group_of(feature, chosen), []).append(j)
    order = {group: k for k, group in enumerate(GROUPS)}
    return {group: tuple(found[group]) for group in sorted(found, key=lambda g: (order.get(g, len(order)), g))}


def read_groups(path: Path) -> dict[str, list[str]]:
    """Raises ServiceError for a file that cannot be used."""
    try:
        held = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ServiceError(f"ASCRIBE_GROUPS {path} cannot be read ({exc}): write a TOML file") from exc
    for group, names in held.items():
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise ServiceError(f'ASCRIBE_GROUPS {path}: write {group} = ["counter", "pattern*"]')
    return held
