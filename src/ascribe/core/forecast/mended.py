"""What was found in telemetry and what was done about it, as records that can be printed and kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ascribe.core.arrays import np
from ascribe.core.words import listed

__all__ = ["FOUND", "Mend", "merged", "plain", "told"]

FOUND = (
    "zone", "unreadable", "future", "stray", "missing hour", "hour twice", "order", "snapped", "duplicate", "gap",
    "outage", "shift", "constant", "dead",
)  # fmt: skip
"""Kinds, in the order in which they are looked for and told."""
MOST = 200


@dataclass(frozen=True)
class Mend:
    """`count` of rows or steps of `series` ("" for the whole table) between two moments (epoch seconds, UTC, the last
    one included) that were found to be of a kind of `FOUND`; `rule`: what was done.
    """

    kind: str
    series: str
    from_s: int
    to_s: int
    count: int
    rule: str

    def __str__(self) -> str:
        span = _iso(self.from_s) if self.from_s == self.to_s else f"{_iso(self.from_s)} to {_iso(self.to_s)}"
        return f"{self.kind}: {self.series or 'all series'}, {span}, {self.count}: {self.rule}"


def merged(mends: Sequence[Mend], names: Sequence[str]) -> list[Mend]:
    """What befell several series at once as one record, in the order of `FOUND` and of time; counts are added up."""
    together: dict[tuple[str, int, int, str], list[Mend]] = {}
    for mend in mends:
        together.setdefault((mend.kind, mend.from_s, mend.to_s, mend.rule), []).append(mend)
    found = []
    for same in together.values():
        if len(same) == 1:
            found.append(same[0])
            continue
        who = [mend.series for mend in same]
        series = f"all {len(who)} series" if len(set(who)) == len(names) else listed(who, 4)
        found.append(replace(same[0], series=series, count=sum(mend.count for mend in same)))
    return sorted(found, key=lambda mend: (FOUND.index(mend.kind), mend.from_s, mend.series))


def told(mends: Sequence[Mend], most: int = 20) -> list[str]:
    """Lines for people: the records, longest first within a kind, and how many more there are of each kind."""
    lines = []
    for kind in FOUND:
        of_kind = sorted((mend for mend in mends if mend.kind == kind), key=lambda mend: -mend.count)
        share = max(1, most * len(of_kind) // max(len(mends), 1))
        lines += [str(mend) for mend in of_kind[:share]]
        if rest := of_kind[share:]:
            lines.append(f"{kind}: {len(rest)} more, {sum(mend.count for mend in rest)} in all")
    return lines


def plain(mends: Sequence[Mend], most: int = MOST) -> dict[str, Any]:
    """For a bundle's lineage: counts by kind of everything, and the first `most` records."""
    rows: Counter[str] = Counter()
    for mend in mends:
        rows[mend.kind] += mend.count
    records = [asdict(mend) | {"from_s": _iso(mend.from_s), "to_s": _iso(mend.to_s)} for mend in mends[:most]]
    records = [{name.removesuffix("_s"): value for name, value in record.items()} for record in records]
    return {"counts": dict(rows), "records": records, "left_out": max(0, len(mends) - most)}


def _iso(time_s: int) -> str:
    return str(np.datetime64(int(time_s), "s")) + "Z"
