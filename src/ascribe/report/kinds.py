"""The table of pictures, and the file that one is saved to.

Answer -> KINDS[kind].draw -> Drawn -> PNG, SVG or HTML
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ascribe.bundle.written import write_whole
from ascribe.core.answer import Answer, additive, by_players
from ascribe.core.errors import InputError
from ascribe.core.words import quoted
from ascribe.report import plots
from ascribe.report.attention import attention
from ascribe.report.beeswarm import beeswarm
from ascribe.report.captions import foot_of, sub_of, words_for
from ascribe.report.days import days
from ascribe.report.dependence import dependence
from ascribe.report.drawn import Drawn, View
from ascribe.report.force import force
from ascribe.report.heatmap import heatmap
from ascribe.report.image import image
from ascribe.report.ink import lettered, measured
from ascribe.report.interactive import page_of
from ascribe.report.maps import maps
from ascribe.report.text import text
from ascribe.report.whole import bar, waterfall

__all__ = ["KINDS", "Kind", "draw", "fitting", "known", "save"]

SUFFIXES = (".png", ".svg", ".html", ".htm")
WHOLE = ("attention", "features")  # that look at windows as they are


@dataclass(frozen=True)
class Kind:
    """`layouts`: what rows it can draw. `shares`: it needs values that add up to the prediction."""

    draw: Callable[[Answer, View], Drawn]
    layouts: tuple[str, ...]
    says: str
    shares: bool = False


ANY = ("table", "image", "text", "series")
PLAYERS = ("table", "series")  # of a window the players stand for columns
KINDS: dict[str, Kind] = {
    "waterfall": Kind(waterfall, (*PLAYERS, "text"), "from the base value to the prediction, row by row", True),
    "force": Kind(force, (*PLAYERS, "text"), "shares of a row as arrows on one line", True),
    "bar": Kind(bar, PLAYERS, "mean |value| of each player over rows"),
    "beeswarm": Kind(beeswarm, PLAYERS, "a point for each row and player, coloured by the feature's value"),
    "heatmap": Kind(heatmap, PLAYERS, "rows across, players down"),
    "dependence": Kind(dependence, PLAYERS, "a feature's value against what it accounts for"),
    "image": Kind(image, ("image",), "a photo with what raises and lowers the prediction laid over it"),
    "text": Kind(text, ("text",), "words on the colour of their value"),
    "days": Kind(days, ("series",), "attention beside the values of each day and input of a window"),
    "attention": Kind(attention, ANY, "weights of each layer and head"),
    "features": Kind(maps, ANY, "maps of a convolutional layer"),
}


def fitting(answer: Answer) -> tuple[str, ...]:
    """Kinds that this answer can be drawn as."""
    found = []
    for name, kind in KINDS.items():
        held = {"attention": answer.matrices is not None, "features": bool(answer.maps)}.get(name, True)
        if held and answer.layout.kind in kind.layouts and (additive(answer.attribution) or not kind.shares):
            found.append(name)
    return tuple(found)


def known(kind: str) -> None:
    """Raises InputError for an unknown kind; empty is nobody's choice yet."""
    if kind and kind not in KINDS:
        raise InputError(f"no kind {quoted(kind)} of picture: use {', '.join(KINDS)}")


def draw(answer: Answer, kind: str, view: View | None = None) -> Drawn:
    """Raises InputError for an unknown kind, one that does not fit the answer (naming those that do), or wrong rows."""
    known(kind or "none")
    view = view or View()
    if not 0 <= view.opacity <= 1:
        raise InputError(f"opacity is 0 ... 1, not {view.opacity}")
    if kind not in fitting(answer):
        raise InputError(f"{_why(answer, kind)}: this answer can be drawn as {', '.join(fitting(answer)) or 'nothing'}")
    with _style():
        whole = "table" not in KINDS[kind].layouts or kind in WHOLE
        return KINDS[kind].draw(answer if whole else by_players(answer), view)


def save(drawn: Drawn, answer: Answer, path: str | Path, said: str = "", language: str = "en") -> Path:
    """Write PNG, SVG or an interactive HTML page, as the suffix says; `said`: words that stand above a page's picture.

    Raises InputError for another suffix or a place that cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"cannot save a picture as '{path.name}': end it in {', '.join(SUFFIXES[:3])}")
    with _style():
        if path.suffix.lower() in (".png", ".svg"):
            return plots.save(drawn.figure, path)
        held = io.StringIO()
        if not drawn.body:
            drawn.figure.savefig(held, format="svg", metadata={"Date": None})
    a = answer.attribution
    words = words_for(a, "", a.info.unit if additive(a) else "", False)
    heads = (words.head, sub_of(a), foot_of(a))
    return write_whole(path, page_of(drawn, held.getvalue(), words.head, heads, said, language))


def _why(answer: Answer, kind: str) -> str:
    a, layout = answer.attribution, answer.layout.kind
    if layout not in KINDS[kind].layouts:
        return f"{kind} is drawn of {' or '.join(KINDS[kind].layouts)} rows, and these are {layout} rows"
    if kind == "attention":
        return "this answer holds no attention weights (explain with --method attention)"
    if kind == "features":
        return "this answer holds no maps of layers (explain with --method grad_cam)"
    return f"{a.info.method} does not add up to the prediction, so it has no {kind}"


@contextmanager
def _style() -> Iterator[None]:
    """Text stays text in an SVG; the same picture has the same ids; images keep theirs; Chinese where a font has it."""
    measured()
    import matplotlib as mpl

    style: Any = {"svg.fonttype": "none", "svg.hashsalt": "ascribe", "image.composite_image": False}
    told = logging.getLogger("matplotlib.font_manager")
    level = told.level
    told.setLevel(logging.ERROR)  # a family without a bold face is drawn in the face it has: nobody need act on that
    try:
        with lettered(), mpl.rc_context(style):
            yield
    finally:
        told.setLevel(level)
