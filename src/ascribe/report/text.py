"""Text: the sentence as it was read, each word on the colour of its value, the number beneath it."""

from __future__ import annotations

from html import escape

from ascribe.core.answer import Answer, words_of
from ascribe.core.arrays import np
from ascribe.core.quantities import Scale, scale_of
from ascribe.report.captions import title_of, words_for
from ascribe.report.colours import tint
from ascribe.report.drawn import Drawn, View
from ascribe.report.frame import framed, name_of
from ascribe.report.ink import measured
from ascribe.report.panel import BODY, INK, SOFT
from ascribe.report.players import chosen
from ascribe.report.ranked import unit_of

__all__ = ["laid", "text"]

WIDE, LINE_HEIGHT, TITLE = 8.2, 0.5, 0.34  # inches
WORD, NUMBER = 12.0, 7.0  # points
PAD, SPACE = 0.05, 0.05


def laid(widths: list[float], room: float) -> list[tuple[float, int]]:
    """(x, line) of boxes set one after another.

    >>> laid([2.0, 2.0], 3.0)
    [(0.0, 0), (0.0, 1)]
    """
    places: list[tuple[float, int]] = []
    x, line = 0.0, 0
    for width in widths:
        if x and x + width > room:
            x, line = 0.0, line + 1
        places.append((x, line))
        x += width + SPACE
    return places


def text(answer: Answer, view: View) -> Drawn:
    """Up to six texts; colours compare between them."""
    rows = chosen(answer, view.rows, 6)
    held = [words_of(answer, row) for row in rows]
    largest = max((float(np.abs(v).max()) for _, v, _ in held if len(v)), default=0.0) or 1.0
    scale = scale_of([largest], unit_of(answer))
    decimals = scale.decimals([largest])
    ink = measured()
    boxes, places = [], []
    for words, values, _ in held:
        texts = [scale.number(float(v), decimals, sign=True) for v in values]
        names = [ink.fitted(name_of(word), WORD, WIDE - 0.2) for word in words]
        widths = [max(ink.width(n, WORD), ink.width(t, NUMBER)) + 2 * PAD for n, t in zip(names, texts, strict=True)]
        boxes.append((names, texts, widths))
        places.append(laid(widths, WIDE))
    heights = [TITLE + LINE_HEIGHT * ((at[-1][1] if at else 0) + 1) + 0.15 for at in places]
    words_around = words_for(answer.attribution, "", scale.unit, False, ((SOFT, _legend(answer, largest, scale)),))
    body = framed(words_around, WIDE, sum(heights))
    y = 0.0
    for k, (row, (_, values, _), (names, texts, widths), at, height) in enumerate(
        zip(rows, held, boxes, places, heights, strict=True)
    ):
        body.write(0, y, [(ink.fitted(title_of(answer, row), BODY, WIDE), BODY, INK, "bold")])
        axes = body.axes(0, y + TITLE, WIDE, height - TITLE)
        axes.set_xlim(0, WIDE)
        axes.set_ylim(height - TITLE, 0)
        axes.axis("off")
        for j, (x, line) in enumerate(at):
            top, middle = line * LINE_HEIGHT, x + widths[j] / 2
            axes.fill([x, x + widths[j], x + widths[j], x], [top, top, top + 0.27, top + 0.27],
                      color=tint(float(values[j]) / largest), linewidth=0, gid=f"word-{k}-{j}")  # fmt: skip
            axes.text(middle, top + 0.135, names[j], size=WORD, color=INK, ha="center", va="center", parse_math=False)
            axes.text(middle, top + 0.29, texts[j], size=NUMBER, color=SOFT, ha="center", va="top", parse_math=False)
        y += height
    return Drawn(
        body.figure, f"{len(rows)} texts with the value of each word.",
        ("row", "place", "word", "value", "standard error"),
        tuple(
            (answer.label(row), float(j), word, float(v), float(e))
            for row, (words, values, errors) in zip(rows, held, strict=True)
            for j, (word, v, e) in enumerate(zip(words, values, errors, strict=True))
        ),
        body="".join(_html(answer, row, one, largest, scale) for row, one in zip(rows, held, strict=True)),
    )  # fmt: skip


def _html(
    answer: Answer, row: int, held: tuple[list[str], np.ndarray, np.ndarray], largest: float, scale: Scale
) -> str:
    decimals = scale.decimals([largest])
    spans = []
    for word, value, error in zip(*held, strict=True):
        told = f"{word}: {scale.amount(float(value), decimals, sign=True)}"
        told += f" ± {scale.number(float(error), decimals)}" if error > 0 else ""
        spans.append(
            f'<span class="word" style="background:{tint(float(value) / largest)}" data-v="{float(value)!r}" '
            f'data-tip="{escape(told)}">{escape(word)}</span>'
        )
    return f"<section><h2>{escape(title_of(answer, row))}</h2><p class='words'>{' '.join(spans)}</p></section>"


def _legend(answer: Answer, largest: float, scale: Scale) -> str:
    edge = scale.amount(largest, scale.decimals([largest]))
    if answer.attribution.info.game == "attention":
        return f"deep: the network looked there; full colour at {edge}"
    return f"vermilion: the word raises the prediction, blue: it lowers it; full colour at ± {edge}"
