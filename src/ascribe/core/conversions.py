"""From one unit to another of the same kind: kB/s to Gb/s, and an amount of each step to a rate.

A unit is PREFIX BASE [/ TIME]. Prefixes are decimal (k, M, G, T, P, m, u, n) or, before B and b, binary (Ki, Mi, Gi,
Ti). b, bit, bits and bps count bits, B, byte and bytes eight of them; W, J, Hz, V, A, s, count stand for themselves.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ascribe.core.durations import SPANS
from ascribe.core.errors import InputError
from ascribe.core.words import quoted

__all__ = ["conversion"]

PREFIXES = {
    "": 1.0,
    "n": 1e-9,
    "u": 1e-6,
    "µ": 1e-6,
    "m": 1e-3,
    "k": 1e3,
    "K": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
}
BINARY = {"Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40}
BASES = {
    **dict.fromkeys(("b", "bit", "bits"), ("bit", 1.0)), **dict.fromkeys(("B", "byte", "bytes"), ("bit", 8.0)),
    **{name: (name, 1.0) for name in ("W", "J", "Hz", "V", "A", "s", "count")},
}  # fmt: skip
_PREFIX, _BASE = "|".join([*BINARY, *filter(None, PREFIXES)]), "|".join(sorted(BASES, key=len, reverse=True))
_WRITTEN = re.compile(rf"({_PREFIX})?({_BASE})(?:/\s*(\w+))?")


@dataclass(frozen=True)
class _Unit:
    """What is counted, how many of it one is, and over how many seconds; None for an amount."""

    of: str
    size: float
    per_s: float | None


def conversion(unit: str, wanted: str, step_s: int | float | None = None) -> float:
    """What a number in `unit` is multiplied by to be in `wanted`. `step_s`: an amount counted over each step of so many
    seconds may be told as a rate, and a rate as an amount.

    Raises InputError for a unit that cannot be read, or two that measure different things.

    >>> conversion("kB/s", "Mb/s"), conversion("bit", "b/s", 300), conversion("Gbps", "MB/s")
    (0.008, 0.0033333333333333335, 125.0)
    """
    if unit == wanted:
        return 1.0
    if not unit:
        raise InputError(f"no unit is known to turn into {quoted(wanted)}: name that of the values with `train --unit`")
    mine, other = _read(unit), _read(wanted)
    if mine.of != other.of:
        raise InputError(f"{quoted(unit)} and {quoted(wanted)} measure different things: choose another --unit")
    if (mine.per_s is None) != (other.per_s is None) and step_s is None:
        raise InputError(f"{quoted(unit)} and {quoted(wanted)}: one is an amount and one a rate, and no step is known")
    step = step_s or 1.0
    return mine.size / (mine.per_s or step) / (other.size / (other.per_s or step))


def _read(text: str) -> _Unit:
    told = re.sub(r"bps$", "b/s", text.strip())
    found = _WRITTEN.fullmatch(told)
    if found is None:
        raise InputError(f"unit {quoted(text)} cannot be read: write it as Gb/s, MB/s, bit or kW")
    prefix, base, per = found[1] or "", found[2], found[3]
    of, size = BASES[base]
    if prefix in BINARY and of != "bit":
        raise InputError(f"unit {quoted(text)} cannot be read: binary prefixes go with b and B")
    if per is not None and per not in SPANS:
        match = re.fullmatch(r"(\d+)(\w+)", per)
        if match is None or match[2] not in SPANS:
            raise InputError(f"unit {quoted(text)} cannot be read: after / stands s, min, h or d")
        seconds = float(match[1]) * SPANS[match[2]]
    else:
        seconds = float(SPANS[per]) if per else 0.0
    return _Unit(of, size * (BINARY.get(prefix) or PREFIXES[prefix]), seconds or None)
