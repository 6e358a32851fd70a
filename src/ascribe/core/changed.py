"""What changed between two moments of one thing, in plain words.

    prediction_1 - prediction_0 = (base_1 - base_0) + sum over players (phi_1 - phi_0)

The base values cancel where one model answered both. A difference within two standard errors of 0 is said not to be
told from zero. Nothing is said to be a cause.
"""

from __future__ import annotations

from collections.abc import Sequence

from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError
from ascribe.core.phrases import PHRASES
from ascribe.core.quantities import scale_of
from ascribe.core.sentences import LANGUAGES, accounts, by_size, folded_of, joined, one_line, text_of
from ascribe.core.shares import Numbers, Share

__all__ = ["say_change"]

NAMED = 4  # players; the rest is said together


def say_change(
    who: str,
    before: tuple[str, float],
    after: tuple[str, float],
    names: Sequence[str],
    values: Float[np.ndarray, " p"],
    errors: Float[np.ndarray, " p"],
    unit: str = "W",
    language: str = "en",
) -> str:
    """`before`, `after`: what a reader calls the moment, and the prediction; `values`, `errors (p,)`: differences of
    attributions by player and their standard errors (NaN where there is none), in `unit`.

    Raises InputError for an unknown language.

    >>> say_change("n1", ("10:02", 105.0), ("10:07", 131.0), ("cpu", "disk"), np.array([30.0, -4.0]), np.zeros(2))
    'From 10:02 to 10:07, n1 went from 105.0 W to 131.0 W (+26.0 W): cpu accounts for +30.0 W and disk for −4.0 W.'
    """
    if language not in PHRASES:
        raise InputError(f"no language '{language}': use {' or '.join(LANGUAGES)}")
    words, by = PHRASES[language], after[1] - before[1]
    scale = scale_of([before[1], after[1], *values], unit)
    number = Numbers(scale, scale.decimals([before[1], after[1], float(np.abs(values).max(initial=0.0))]), words)
    shown, rest = by_size(np.abs(values), NAMED)
    shares = [Share(one_line(names[j]), float(values[j]), float(errors[j])) for j in shown]
    shares += folded_of(values[rest], errors[rest], words)
    clear = [s for s in shares if s.clear and number.visible(s.value)]
    unclear = [s for s in shares if not s.clear]
    said = words.changed.format(
        who=one_line(who), start=before[0], end=after[0], old=number.plain(before[1]), new=number.plain(after[1]),
        by=number.signed(by),
    )  # fmt: skip
    if clear:
        said += words.changed_parts.format(parts=accounts(clear, number, words))
    text = [said]
    if unclear:
        pieces = [words.piece.format(name=s.name, value=number.share(s)) for s in unclear]
        text.append(words.unclear.format(parts=joined(pieces, words)))
    return text_of(text, words)
