"""The gate: may this bundle go to production?

Champion and candidate are opened by the file that serves and measured on the same held-out rows: the candidate's and,
if those differ, production's too, so that nobody can choose the rows that make him look good. A candidate is refused
where it is worse beyond chance and by more than one per cent in power error or explanation error; where its
attributions move far though its predictions do not; where a tier is slower; and where it lacks something that
production has. A quantised candidate must also be near to what it was made from. Equal is good enough, so that a
refresh on newer rows can go through (`docs/decisions/0004-gate.md`, `0017-gate-and-registry.md`). What is compared and
how: `compare`, `stability`, `latency`, `variant`, each a file of this folder; of forecasts: `forecast`.

A bundle of several targets is judged part by part; one refused part refuses the bundle.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.bundle.federated.half import FAMILY
from ascribe.bundle.gate import federated as gate_federated
from ascribe.bundle.gate import forecast as gate_forecast
from ascribe.bundle.gate import latency as gate_latency
from ascribe.bundle.gate import stability as gate_stability
from ascribe.bundle.gate import variant as gate_variant
from ascribe.bundle.gate.compare import Measured, Said, against, alone, efficiency_gap, measured
from ascribe.bundle.holdout import answerable, holdout
from ascribe.bundle.records import Event, Judged
from ascribe.bundle.registry import Registry
from ascribe.bundle.runtime import load
from ascribe.bundle.selftest import checked
from ascribe.bundle.verdicts import keep
from ascribe.core import tiers
from ascribe.core.errors import NotFound
from ascribe.core.model import Model
from ascribe.core.words import listed

__all__ = ["Verdict", "judge", "judge_and_promote"]

ADOPTED = "adopted"  # the family of models that were trained elsewhere
MAX_EFFICIENCY_GAP = 1e-4  # of the output's unit, for outputs of the order of 100


@dataclass(frozen=True)
class Verdict:
    """`accepted`, the reasons in words (also of what was found good), and the numbers behind them."""

    accepted: bool
    reasons: list[str]
    numbers: dict[str, Any] = field(default_factory=dict)


def judge(candidate: Bundle, production: Bundle | None, origin: Bundle | None = None) -> Verdict:
    """Open both bundles through the file that serves, measure both on held-out rows, compare; then their parts.
    `origin`: what a quantised candidate was made from.
    """
    said = Said()
    numbers = _judged(candidate, production, said) | gate_variant.judge_variant(candidate, origin, said)
    parts, theirs = candidate.parts(), {} if production is None else production.parts()
    for target in [*parts, *(target for target in theirs if target not in parts)]:
        if target not in parts:
            said.say(False, f"production predicts {target}, the candidate does not")
            continue
        verdict = judge(parts[target], theirs.get(target))
        numbers.setdefault("parts", {})[target] = verdict.numbers
        said.say(verdict.accepted, f"{target}: {verdict.reasons[0]}")
        (said.good if verdict.accepted else said.bad).extend(f"{target}: {text}" for text in verdict.reasons[1:])
    return Verdict(not said.bad, [*said.bad, *said.good], numbers)


def judge_and_promote(
    registry: Registry, name: str, version: str, at: str, channel: str = "production", force: bool = False,
    by: str = "",
) -> Verdict:  # fmt: skip
    """Judge a version against what the channel points at, keep the verdict beside the version, and move the channel if
    it is accepted, or if `force`: the channel's history then says so. `by`: who asks, for that history.

    A version that is there already is accepted without another look. Raises NotFound, BundleError, RegistryError, and
    Conflict if the channel moved while the gate was judging.
    """
    checked(registry.uri)
    candidate = registry.fetch(name, version)
    try:
        held: Event | None = registry.channel(name, channel).current
    except NotFound:
        held = None
    if held is not None and held.version == version:
        return Verdict(True, [f"{version} is in {channel} already"])
    production = registry.fetch(name, held.version, held.sha256) if held else None
    verdict = judge(candidate, production, gate_variant.found_origin(registry, name, candidate, production))
    forced, against_ = force and not verdict.accepted, held.version if held else ""
    reasons = ["forced, though the gate refused", *verdict.reasons] if forced else verdict.reasons
    told = Judged(version, against_, channel, at, verdict.accepted, forced, verdict.reasons, verdict.numbers)
    keep(registry.store, name, told)
    if verdict.accepted or forced:
        registry.promote(name, version, at, channel, reasons, held.version if held else None, by)
    return verdict


def _judged(candidate: Bundle, production: Bundle | None, said: Said) -> dict[str, Any]:
    """One target. Returns the numbers."""
    if FAMILY in (candidate.manifest.family, *([production.manifest.family] if production else [])):
        return _of_parties(candidate, production, said)
    if gate_forecast.forecasts(candidate):
        return gate_forecast.judge_forecast(candidate, production, said)
    model = load(candidate)
    champion = None if production is None else load(production)
    changed = _schema_changes(model, champion) if champion is not None else ""
    if changed:
        said.say(False, f"the inputs differ from production's: {changed}")
    if not candidate.has("holdout") and candidate.manifest.family == ADOPTED:
        return _without_rows(candidate, model, champion, None if changed else production, said)
    X, y = holdout(candidate)
    mine = measured(model, X, y)
    numbers: dict[str, Any] = {"rows": len(y), "candidate": mine.numbers()}
    gap, scale = efficiency_gap(model, X), max(1.0, float(np.abs(y).max()) / 100)
    numbers["candidate"]["efficiency_gap"] = gap
    alone(model, mine, y, said)
    comparable = champion is not None and production is not None and not changed
    if comparable:
        assert champion is not None and production is not None
        _champion(candidate, production, model, champion, mine, (X, y), said, numbers)
    said.say(gap <= MAX_EFFICIENCY_GAP * scale, f"attributions add up within {gap:.1g} {model.unit}".rstrip())
    found = gate_stability.stability(model, champion if comparable else None, X)
    if found is not None:
        numbers["stability"] = asdict(found)
        gate_stability.told(found, said)
    return numbers


def _of_parties(candidate: Bundle, production: Bundle | None, said: Said) -> dict[str, Any]:
    """A half is judged as one, and stands in for a half only."""
    if candidate.manifest.family == FAMILY:
        return gate_federated.judged(candidate, production, said)
    said.say(False, "production is a party's half of a model, and this is a whole one: promote it under its own name")
    return {}


def _without_rows(
    candidate: Bundle, model: Model, champion: Model | None, production: Bundle | None, said: Said
) -> dict[str, Any]:
    """An adopted model came without held-out rows: what can be judged is that it answers, and what it offers; and on
    production's rows, where it has some. `production`: of the same inputs.
    """
    assert model.predict is not None and model.background is not None
    answers = np.asarray(model.predict(model.background), dtype=float)
    parity = float(candidate.manifest.origin.get("parity", np.inf))
    text = f"{len(answers)} background rows are answered, as its library does within {parity:.1g} of the largest value"
    on_theirs = champion is not None and production is not None and production.has("holdout")
    known = "it is judged on production's" if on_theirs else "so nobody knows how good it is"
    said.say(bool(np.isfinite(answers).all()), f"{text}; it has no held-out rows, {known}")
    for text in _lacks(model, champion) if champion is not None else ():
        said.say(False, text)
    numbers: dict[str, Any] = {"rows": 0, "candidate": {"parity": parity}}
    if on_theirs:
        assert champion is not None and production is not None
        X, y = holdout(production)
        mine, its = measured(model, X, y), measured(champion, X, y)
        numbers["on production's rows"] = against(mine, its, "production's", model.unit, said)
    return numbers


def _champion(
    candidate: Bundle, production: Bundle, model: Model, champion: Model, mine: Measured,
    rows: tuple[np.ndarray, np.ndarray], said: Said, numbers: dict[str, Any],
) -> None:  # fmt: skip
    """Against a production of the same inputs and output."""
    judged = [("its own", rows, mine)]
    bare = production.manifest.family == ADOPTED and not production.has("holdout")
    if not bare and candidate.digest("holdout") != production.digest("holdout"):
        theirs = holdout(production)
        judged.append(("production's", theirs, measured(model, *theirs)))
    for whose, (X, y), here in judged:
        numbers[f"on {whose} rows"] = against(here, measured(champion, X, y), whose, model.unit, said)
    for text in _lacks(model, champion):
        said.say(False, text)
    asked = answerable(candidate)
    if len(asked):
        paces = gate_latency.paces(model, champion, asked)
        numbers["latency"] = {tier: asdict(pace) for tier, pace in paces.items()}
        gate_latency.told(paces, said)


def _lacks(mine: Model, theirs: Model) -> list[str]:
    """What production can do and the candidate cannot, in words."""
    words = {"conditional": "conditional attributions", "amortized": "one-pass attributions"}
    missing = [f"production offers {words.get(c, c)}, the candidate does not" for c in theirs.offers - mine.offers]
    if "conditional" in theirs.offers - mine.offers:
        return [text for text in missing if "conditional" in text]  # all else follows from it
    gone = [tier for tier in tiers.offered(theirs) if tier not in tiers.offered(mine)]
    return sorted(missing) + [f"production has a tier '{tier}', the candidate does not" for tier in gone]


def _schema_changes(mine: Model, theirs: Model) -> str:
    """In words, or "" where names, order and units agree."""
    ours, others = ({f.name: f.unit for f in m.features} for m in (mine, theirs))
    parts = [
        f"{word} {', '.join(names)}"
        for word, names in (
            ("new", [n for n in ours if n not in others]),
            ("missing", [n for n in others if n not in ours]),
            ("another unit for", [n for n in ours if n in others and ours[n] != others[n]]),
        )
        if names
    ]
    if mine.outputs != theirs.outputs:
        parts.append(f"its classes are {listed(mine.outputs) or 'none'}, not {listed(theirs.outputs) or 'none'}")
    elif (mine.output, mine.unit) != (theirs.output, theirs.unit):
        parts.append(f"predicts {mine.output} in {mine.unit}, not {theirs.output} in {theirs.unit}")
    if not parts and list(ours) != list(others):
        parts.append("the same features in another order")
    return "; ".join(parts)
