"""Sentences that cite a number: where they stand, and what in the raw results, or in the code, they say.

`claims.toml` has one table a sentence. `says` is its text, with a format of Python in the place of the number; `value`
is the number, an expression over `it`: the JSON in benchmarks/results/RAW.json, or the object that `code` names as
`module:name`. Where a sentence gives no number but a bound ("in milliseconds"), `says` is plain and `holds` is an
expression over `value`. `given` are numbers that nobody measures, with the reason. Lines may break anywhere.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from pathlib import Path
from statistics import mean, median
from typing import Any

from benchmarks.record import Raw

__all__ = ["CLAIMS", "Claim", "Given", "cited", "claims", "given", "number", "spaced"]

CLAIMS = Path(__file__).parents[1] / "claims.toml"
PLACE = re.compile(r"\{[^}]*\}")
NUMBER = r"[-+]?[\d.,]*\d(?:e[-+]?\d+)?"


@dataclass(frozen=True)
class Claim:
    """`page` from the root of the repository; `raw` or `code`: what `value` reads."""

    page: str
    says: str
    raw: str = ""
    code: str = ""
    value: str = "it"
    holds: str = ""

    def pattern(self) -> re.Pattern[str]:
        """The sentence with any number, a group, in the place of its own."""
        return re.compile(f"({NUMBER})".join(map(spaced, PLACE.split(self.says))))


@dataclass(frozen=True)
class Given:
    page: str
    says: tuple[str, ...]
    why: str


def claims(place: Path = CLAIMS) -> tuple[Claim, ...]:
    return tuple(Claim(**held) for held in tomllib.loads(place.read_text())["claim"])


def given(place: Path = CLAIMS) -> tuple[Given, ...]:
    found = tomllib.loads(place.read_text())["given"]
    return tuple(Given(held["page"], tuple(held["says"]), held["why"]) for held in found)


def spaced(text: str) -> str:
    """A pattern of words, wherever their line breaks."""
    return r"\s+".join(map(re.escape, re.split(r"\s+", text)))


def number(claim: Claim, raw: Raw) -> Any:
    """What the sentence cites. Raises ValueError where its bound does not hold."""
    module, _, name = claim.code.partition(":")
    it = getattr(import_module(module), name) if claim.code else raw(claim.raw)
    value = eval(claim.value, WORDS, {"it": it})  # expressions of this repository's own file
    if claim.holds and not eval(claim.holds, WORDS, {"value": value}):
        raise ValueError(f"{claim.page}: '{claim.says}' does not hold: {claim.value} is {value}, not {claim.holds}")
    return value


def cited(page: str, claim: Claim, raw: Raw) -> str:
    """The page with the sentence's number as it is. Raises ValueError where the sentence is not there once."""
    found = list(claim.pattern().finditer(page))
    if len(found) != 1:
        raise ValueError(f"{claim.page} has '{claim.says}' {len(found)} times, not once: change benchmarks/claims.toml")
    value = number(claim, raw)
    for k, place in reversed(list(enumerate(PLACE.findall(claim.says), 1))):
        page = page[: found[0].start(k)] + place.format(value) + page[found[0].end(k) :]
    return page


def _default(function: Any, name: str) -> Any:
    """Of an argument."""
    return signature(function).parameters[name].default


WORDS: dict[str, Any] = {
    "__builtins__": {}, "max": max, "min": min, "mean": mean, "median": median, "sum": sum, "default": _default,
}  # fmt: skip
