"""Is a quantised bundle near enough to the one that it was made from? Beyond what every candidate must show.

A variant is refused where its answers are off by more than `MAX_ERROR` of their spread, where it puts more than
`MAX_OTHER` of the rows into another class, or where attributions by one of the methods that both offer move by more
than `MAX_DRIFT` of their mean size, or half of the rows have a rank correlation below `MIN_RANK`. All of it is measured
anew: what the manifest's report says is not believed.
"""

from __future__ import annotations

from typing import Any

from ascribe.bundle.archive import Bundle
from ascribe.bundle.gate.compare import Said
from ascribe.bundle.registry import Registry
from ascribe.bundle.variants import QUANTISED, Compared, compared, same_origin
from ascribe.core.errors import NotFound

__all__ = ["MAX_DRIFT", "MAX_ERROR", "MAX_OTHER", "MIN_RANK", "found_origin", "judge_variant", "told"]

MAX_ERROR = 0.1  # RMS, of the standard deviation of the original's answers
MAX_OTHER = 0.1  # of the rows
MAX_DRIFT = 0.25  # of the mean |attribution|
MIN_RANK = 0.9  # Spearman, median over rows
LOOKED_AT = 20  # newest versions of a model


def judge_variant(candidate: Bundle, origin: Bundle | None, said: Said) -> dict[str, Any]:
    """Reasons for and against, and the numbers; nothing of a candidate that is no variant."""
    made_from = candidate.manifest.origin.get(QUANTISED)
    if made_from is None:
        return {}
    if origin is None or not same_origin(candidate, origin):
        version = made_from.get("version")
        said.say(False, f"it was quantised from {version}, which is not here to compare it with: publish that first")
        return {}
    found = compared(candidate, origin, timed=False)
    told(found, said)
    return {QUANTISED: found.numbers()}


def told(found: Compared, said: Said) -> None:
    """What is measured against the bounds."""
    e, near = found.error, found.error.share <= MAX_ERROR
    rms = f"RMS {e.rms:.3g} {found.unit}".rstrip()
    text = f"its answers are off by {100 * e.share:.2g} % of their spread ({rms})"
    said.say(near, text if near else f"{text}: {100 * MAX_ERROR:g} % is allowed")
    if e.agreement is not None:
        near = 1 - e.agreement <= MAX_OTHER
        text = f"{100 * e.agreement:.3g} % of {e.rows} rows keep their class"
        said.say(near, text if near else f"{text}: {100 * (1 - MAX_OTHER):g} % must")
    if not found.drift:
        said.say(False, "no method explains both the variant and what it was made from: its drift is not known")
    for d in found.drift.values():
        near = d.share <= MAX_DRIFT and d.rank >= MIN_RANK
        text = f"attributions by {d.method} moved by {100 * d.share:.2g} % of their size, rank correlation {d.rank:.3f}"
        said.say(near, text if near else f"{text}: {100 * MAX_DRIFT:g} % and {MIN_RANK:g} are allowed")


def found_origin(registry: Registry, name: str, candidate: Bundle, production: Bundle | None) -> Bundle | None:
    """What a variant was made from, among a model's versions; None where it is not there, or there is no need."""
    made_from = candidate.manifest.origin.get(QUANTISED)
    if made_from is None:
        return None
    if production is not None and same_origin(candidate, production):
        return production
    versions = registry.versions(name)
    first = [version for version in versions if version == made_from.get("version")]
    others = [version for version in reversed(versions) if version not in first]
    for version in [*first, *others[:LOOKED_AT]]:
        try:
            held = registry.fetch(name, version)
        except NotFound:  # removed meanwhile
            continue
        if same_origin(candidate, held):
            return held
    return None
