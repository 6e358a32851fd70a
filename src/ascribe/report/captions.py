"""What is written around a picture: output, unit, space; method, game and effort; model, estimator, tier."""

from __future__ import annotations

from ascribe.core.answer import Answer, additive
from ascribe.core.attribution import Attribution
from ascribe.core.quantities import scale_of, unit_in_words
from ascribe.report.account import grouped
from ascribe.report.frame import name_of
from ascribe.report.sheet import Words

__all__ = ["foot_of", "sub_of", "subject", "title_of", "words_for"]

LOOKS = {
    "attention": "where the network looked (attention is no share of the prediction)",
    "slope": "how steeply it follows each input (a slope is no share of the prediction)",
    "occlusion": "how far it falls when a part is hidden (no share of the prediction)",
    "map": "what a layer saw that speaks for it (a map is no share of the prediction)",
}


def subject(attribution: Attribution) -> str:
    """The output, with the space that a class is explained in: `probability of cat`."""
    info = attribution.info
    return f"{info.space} of {info.output}" if info.space else info.output


def words_for(
    attribution: Attribution, quantity: str, unit: str, folded: bool, legend: tuple[tuple[str, str], ...] = ()
) -> Words:
    """`quantity` stands before the output on the axis; `unit` is that of the figure, which may carry a prefix."""
    info, output = attribution.info, subject(attribution)
    player = player_of(attribution)
    named = unit_in_words(info.unit)
    in_words = f" in {named}" if unit and named else ""
    told = LOOKS.get(info.game, f"what each {player} accounts for")
    foot = foot_of(attribution)
    if folded:
        foot += f" · pale: the other {player}s together, its error √Σse²"
    return Words(
        head=f"{output}{in_words}: {told}",
        sub=sub_of(attribution),
        foot=foot,
        axis=f"{quantity}{output}" + f" ({unit})" * bool(unit),
        legend=legend,
    )


def player_of(attribution: Attribution) -> str:
    """What one player is called."""
    layout = "table" if attribution.layout is None else attribution.layout.kind
    if layout == "image":
        return "pixel" if attribution.segments is None else "segment"
    if layout == "text":
        return "word"
    return "player" if grouped(attribution) else "feature"


def title_of(answer: Answer, row: int) -> str:
    """A row by its name: what is predicted of it, and from where shares count."""
    a = answer.attribution
    f = scale_of([float(a.prediction[row])], a.info.unit)
    text = f"{name_of(answer.label(row))}: {subject(a)} {f.amount(float(a.prediction[row]), 3)}"
    return text + (f", base value {f.amount(float(a.bases[row]), 3)}" if additive(a) else "")


def sub_of(attribution: Attribution) -> str:
    info = attribution.info
    parts = [info.method, f"{info.game} game" if additive(attribution) else ""]
    if info.value == "path":
        parts.append(f"{info.budget:,} points of the path")
    elif info.budget > 1 and info.samples:
        parts.append(f"{info.budget:,} coalitions \N{MULTIPLICATION SIGN} {info.samples:,} completions")
    elif info.budget > 1:
        parts.append(f"{info.budget:,} evaluations")
    return " · ".join(filter(None, parts))


def foot_of(attribution: Attribution) -> str:
    info = attribution.info
    return f"model version {info.version or 'not given'} · {info.estimator} estimator · tier {info.tier}"
