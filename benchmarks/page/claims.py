"""Sentences that cite a measured number: where they stand, and what in the raw results they say.

`claims.toml` has one table a sentence. `says` is its text, with a format of Python's in the place of the number;
`value` is the number, an expression over `raw`, the JSON in benchmarks/results/RAW.json. Where a sentence gives no
number but a bound ("in milliseconds"), `says` is plain and `holds` is an expression over `value`.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks.record import Raw

__all__ = ["CLAIMS", "Claim", "cited", "claims", "said"]

CLAIMS = Path(__file__).parents[1] / "claims.toml"
PLACE = re.compile(r"\{[^}]*\}")
NUMBER = r"[-+]?[\d.,]*\d(?:e[-+]?\d+)?"
WORDS: dict[str, Any] = {"__builtins__": {}, "max": max, "min": min, "mean": mean, "median": median, "sum": sum}


@dataclass(frozen=True)
class Claim:
    """`page` from the root of the repository; `raw` the file that `value` reads."""

    page: str
    says: str
    raw: str
    value: str
    holds: str = ""


def claims(place: Path = CLAIMS) -> tuple[Claim, ...]:
    return tuple(Claim(**held) for held in tomllib.loads(place.read_text())["claim"])


def said(claim: Claim, raw: Raw) -> str:
    """The words that the page is to have. Raises ValueError where a bound does not hold."""
    value = eval(claim.value, WORDS, {"raw": raw(claim.raw)})  # expressions of this repository's own file
    if claim.holds and not eval(claim.holds, WORDS, {"value": value}):
        raise ValueError(f"{claim.page}: '{claim.says}' does not hold: {claim.value} is {value}, not {claim.holds}")
    return claim.says.format(value)


def cited(page: str, claim: Claim, raw: Raw) -> str:
    """The page with the sentence's number as measured. Raises ValueError where the sentence is not there once."""
    found = re.findall(NUMBER.join(map(re.escape, PLACE.split(claim.says))), page)
    if len(found) != 1:
        raise ValueError(f"{claim.page} has '{claim.says}' {len(found)} times, not once: change benchmarks/claims.toml")
    return page.replace(found[0], said(claim, raw))
