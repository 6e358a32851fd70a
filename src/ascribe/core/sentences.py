"""An attribution in plain words: one row, or several.

    prediction = base + sum of the shares said + what is left over

All numbers of a text have the same decimals, so they add up to within half a unit of the last one for each. A share
within two standard errors of 0 is said not to be told from zero. Nothing is said to be a cause.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite

from ascribe.core.answer import Answer, additive, answered, words_of
from ascribe.core.arrays import Float, np
from ascribe.core.attribution import Attribution
from ascribe.core.errors import InputError
from ascribe.core.phrases import PHRASES, Phrases
from ascribe.core.quantities import scale_of
from ascribe.core.shares import Numbers, Share

__all__ = ["LANGUAGES", "accounts", "by_size", "folded_of", "joined", "one_line", "say", "text_of"]

LANGUAGES = tuple(PHRASES)
USUAL = ("marginal", "conditional")  # games whose base value is the mean prediction
POWER = ("W", "mW", "kW", "MW")
JOINS = re.compile("(?<=[\u3001-\u9fff\uff00-\uffef\u201d]) (?=[\u4e00-\u9fff])")  # no gap between Chinese and Chinese


def say(told: Attribution | Answer, row: int | None = None, language: str = "en", top: int = 4) -> str:
    """A row in words, or (None) all rows together: of one row, that row. `top`: how many players are named; the rest is
    said together. An `Answer` adds the units of features and the names of rows.

    Raises InputError for an unknown language or row.

    >>> from ascribe.core.attribution import Info
    >>> info = Info("kernel_shap", "marginal", "background", "exact", 4, 100, 0, unit="W", output="power")
    >>> a = Attribution(np.array([[30.0, -4.0]]), 105.0, np.array([131.0]), np.zeros((1, 2)), np.ones(1),
    ...                 np.array(["ok"]), ("",), ("cpu", "fan"), np.array([[61.2, 900.0]]), info)
    >>> say(a)
    'Row 0 draws 131.0 W, 26.0 W more than usual (105.0 W). cpu = 61.2 accounts for +30.0 W and fan = 900 for −4.0 W.'
    """
    if language not in PHRASES:
        raise InputError(f"no language '{language}': use {' or '.join(LANGUAGES)}")
    if top < 1:
        raise InputError(f"top is {top}: name at least one player")
    answer = told if isinstance(told, Answer) else Answer(told)
    a, words = answer.attribution, PHRASES[language]
    if row is None and len(a) != 1:
        return text_of(_rows(answer, words, top), words)
    row = row or 0
    if row not in range(len(a)):
        raise InputError(f"there is no row {row}: choose from 0 to {len(a) - 1}")
    if not answered(a)[row]:
        return text_of([words.no_answer.format(who=_who(answer, row, words), status=_status(a, row, words))], words)
    said = _row(answer, row, words, top) if additive(a) else _unshared(answer, row, words, top)
    if a.status[row] != "ok":
        said.append(words.caution.format(status=_status(a, row, words)))
    return text_of(said, words)


def _row(answer: Answer, row: int, words: Phrases, top: int) -> list[str]:
    a = answer.attribution
    base, prediction = float(a.bases[row]), float(a.prediction[row])
    shares = _shares(answer, row, words, top)
    left = prediction - base - sum(s.value for s in shares)
    largest = max((abs(s.value) for s in shares), default=0.0)
    scale = scale_of([base, prediction, *(s.value for s in shares)], a.info.unit)
    number = Numbers(scale, scale.decimals([base, prediction, largest]), words)
    by = prediction - base
    against = words.usual if a.info.game in USUAL else words.reference if a.info.game == "baseline" else words.base
    compared = against[0 if by > 0 else 1 if by < 0 else 2]
    said = [
        _opening(answer, row, words, number.plain(prediction))
        + compared.format(by=number.plain(abs(by)), base=number.plain(base))
    ]
    clear, unclear = [s for s in shares if s.clear], [s for s in shares if not s.clear]
    if clear:
        said.append(words.shares.format(parts=accounts(clear, number, words)))
    if unclear:
        pieces = [words.piece.format(name=s.name, value=number.share(s)) for s in unclear]
        said.append(words.unclear.format(parts=joined(pieces, words)))
    if number.visible(left):
        said.append(words.left.format(value=number.signed(left)))
    if any(number.visible(s.error) for s in shares):
        said.append(words.error_means)
    if a.info.game == "conditional":
        said.append(words.conditional)
    return said


def _unshared(answer: Answer, row: int, words: Phrases, top: int) -> list[str]:
    """Attention, slopes and maps: they sum to nothing, and are not said as shares."""
    a = answer.attribution
    f = scale_of([float(a.prediction[row])], "" if a.info.space else a.info.unit)
    told = {
        "who": _who(answer, row, words),
        "output": a.info.output,
        "prediction": f.amount(float(a.prediction[row]), f.decimals([float(a.prediction[row])])),
    }
    if answer.layout.kind == "image":
        y, x = _strongest(answer, row)
        template = {"slope": words.steep, "occlusion": words.hole}.get(a.info.game, words.map)
        return [template.format(x=x, y=y, **told)]
    names, values, _ = _named(answer, row, words, own=False)
    order = np.argsort(-np.abs(values), kind="stable")[:top]
    if a.info.game == "attention":
        parts = [words.looked.format(name=names[j], value=f"{100 * values[j]:.1f} %") for j in order]
        return [words.attention.format(parts=joined(parts, words), **told), words.attention_means]
    scale = scale_of(values, "")
    number = Numbers(scale, scale.decimals(values), words)
    parts = [words.at.format(name=names[j], value=number.signed(float(values[j]))) for j in order]
    template = words.hidden if a.info.game == "occlusion" else words.slope
    return [template.format(parts=joined(parts, words), **told)]


def _rows(answer: Answer, words: Phrases, top: int) -> list[str]:
    a = answer.attribution
    good = answered(a)
    count, missing = int(good.sum()), int((~good).sum())
    said = [words.unanswered.format(count=count, missing=missing) if missing else words.counts.format(count=count)]
    if not count:
        return said
    f, sized = a.prediction[good], additive(a) and answer.layout.kind == "table"
    base = float(a.bases[good].mean())
    size = np.abs(a.values[good]).mean(axis=0) if sized else np.zeros(0)
    scale = scale_of([*f, *size], a.info.unit)
    number = Numbers(scale, scale.decimals([*f, *size]), words)
    template = words.range_usual if additive(a) and a.info.game in USUAL else words.range
    said.append(
        template.format(
            output=_of_space(a, words), low=number.plain(f.min()), high=number.plain(f.max()),
            mean=number.plain(f.mean()), base=number.plain(base) if isfinite(base) else "",
        )
    )  # fmt: skip
    if sized:
        shown, folded = by_size(size, top)
        shares = [Share(a.features[j], float(size[j]), np.nan) for j in shown]
        if len(folded):
            shares.append(Share(words.others.format(count=len(folded)), float(size[folded].sum()), np.nan, True))
        said.append(words.sizes.format(parts=accounts(shares, number, words, sign=False)))
    return said


def _shares(answer: Answer, row: int, words: Phrases, top: int) -> list[Share]:
    """The largest players of a row, then the others as one."""
    if answer.layout.kind == "image":
        return _of_image(answer, row, words, top)
    names, values, errors = _named(answer, row, words)
    shown, folded = by_size(np.abs(values), top)
    return [Share(names[j], float(values[j]), float(errors[j])) for j in shown] + folded_of(
        values[folded], errors[folded], words
    )


def _named(
    answer: Answer, row: int, words: Phrases, own: bool = True
) -> tuple[Sequence[str], Float[np.ndarray, " p"], Float[np.ndarray, " p"]]:
    """Players of a table with their own values, or the words of a text."""
    a = answer.attribution
    if answer.layout.kind == "text":
        pieces, values, errors = words_of(answer, row)
        return [words.word.format(word=one_line(piece)) for piece in pieces], values, errors
    names = []
    for name in a.features:
        value = answer.shown(row, name) if own else ""
        names.append(words.own.format(name=one_line(name), value=value) if value else one_line(name))
    return names, a.values[row], a.stderr[row]


def _of_image(answer: Answer, row: int, words: Phrases, top: int) -> list[Share]:
    """Regions where they were the players; else all that raises and all that lowers. Nobody reads pixels one by one."""
    a, (height, width, channels) = answer.attribution, answer.layout.shape
    values, errors = a.values[row], a.stderr[row]
    if a.segments is None:
        parts = [(words.raising, values > 0), (words.lowering, values < 0)]
        return [Share(name, float(values[at].sum()), _joint(errors[at]), True) for name, at in parts if at.any()]
    owner = np.unique(a.segments[row], return_inverse=True)[1].reshape(-1)
    sums, spread = np.bincount(owner, values), np.bincount(owner, errors)
    shown, folded = by_size(np.abs(sums), top)
    y, x, _ = np.unravel_index(np.arange(len(values)), (height, width, channels))
    size = np.bincount(owner)
    at = [np.bincount(owner, place) / size for place in (x, y)]
    found = [
        Share(
            words.region.format(x=f"{at[0][k]:.0f}", y=f"{at[1][k]:.0f}", share=f"{100 * size[k] / len(values):.1f}"),
            float(sums[k]), float(spread[k]),
        )
        for k in shown
    ]  # fmt: skip
    return found + folded_of(sums[folded], spread[folded], words)


def folded_of(values: np.ndarray, errors: np.ndarray, words: Phrases) -> list[Share]:
    """Players that are said together, as one."""
    if not len(values):
        return []
    return [Share(words.others.format(count=len(values)), float(values.sum()), _joint(errors), True)]


def by_size(size: np.ndarray, top: int) -> tuple[np.ndarray, np.ndarray]:
    """Players said and players folded; a single one is never folded."""
    order = np.argsort(-size, kind="stable")
    cut = top if len(order) > top + 1 else len(order)
    return order[:cut], order[cut:]


def _joint(errors: np.ndarray) -> float:
    return float(np.sqrt((errors**2).sum()))


def _strongest(answer: Answer, row: int) -> tuple[int, int]:
    held = np.abs(answer.attribution.values[row].reshape(answer.layout.shape)).sum(axis=2)
    y, x = np.unravel_index(int(held.argmax()), held.shape)
    return int(y), int(x)


def accounts(shares: Sequence[Share], number: Numbers, words: Phrases, sign: bool = True) -> str:
    """What each accounts for, as one part of a sentence."""
    forms = [words.many if shares[0].many else words.first, *[words.further] * (len(shares) - 1)]
    parts = [f.format(name=s.name, value=number.share(s, sign)) for f, s in zip(forms, shares, strict=True)]
    return joined(parts, words)


def joined(parts: Sequence[str], words: Phrases) -> str:
    """Parts of a list, as it is written."""
    return words.last.join(filter(None, (words.comma.join(parts[:-1]), parts[-1])))


def _opening(answer: Answer, row: int, words: Phrases, prediction: str) -> str:
    info = answer.attribution.info
    told = {"who": _who(answer, row, words), "output": _output(answer.attribution), "prediction": prediction}
    if info.space:
        return (words.probability if info.space == "probability" else words.margin).format(**told)
    draws = info.unit in POWER and "power" in info.output.lower()
    return (words.draws if draws else words.quantity).format(**told)


def _of_space(a: Attribution, words: Phrases) -> str:
    templates = {"probability": words.probability_of, "margin": words.margin_of}
    return templates.get(a.info.space, "{output}").format(output=_output(a))


def _who(answer: Answer, row: int, words: Phrases) -> str:
    return one_line(answer.labels[row]) if answer.labels else words.row.format(row=row)


def _status(a: Attribution, row: int, words: Phrases) -> str:
    reason = words.reason.format(reason=one_line(a.reasons[row])) if a.reasons[row] else ""
    return words.status.get(str(a.status[row]), str(a.status[row])) + reason


def _output(a: Attribution) -> str:
    return one_line(a.info.output) or "prediction"


def one_line(text: str) -> str:
    """Somebody's text on one line."""
    return "".join(c if c.isprintable() else " " for c in text)


def text_of(said: Sequence[str], words: Phrases) -> str:
    """Sentences: the first letter is a capital where it is a word of ours or a plain name, a stop at the end."""
    whole = words.space.join(_capital(text) + words.stop for text in said)
    return whole if words.space else JOINS.sub("", whole)


def _capital(text: str) -> str:
    first = text.split(" ", 1)[0]
    return text[0].upper() + text[1:] if first in OPENERS else text


OPENERS = ("from", "row", "rows", "the", "there", "caution:", "not", "a", "all", "for", "on", "attention", "prediction")
