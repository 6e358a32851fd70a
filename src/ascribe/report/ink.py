"""Text is measured before anything is placed; the one door to matplotlib's figures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ascribe.core.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Ink", "blank", "lettered", "measured", "short"]

DPI = 100
NAME_CHARACTERS = 44
CHINESE = (
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "PingFang SC",
)


class Ink:
    """How wide text is: sizes in points, widths in inches."""

    def __init__(self, renderer: Any, font: Any) -> None:
        self.renderer, self.font = renderer, font

    def width(self, text: str, size: float, bold: bool = False) -> float:
        font = self.font(size=size, weight="bold" if bold else "normal")
        return float(self.renderer.get_text_width_height_descent(text, font, ismath=False)[0]) / DPI

    def fitted(self, text: str, size: float, width: float) -> str:
        """The text, without its middle where it is wider than `width`."""
        keep = len(text)
        while keep > 8 and self.width(text, size) > width:
            keep -= 2
            text = f"{text[: keep // 2]}…{text[len(text) - keep // 2 :]}"
        return text

    def wrapped(self, text: str, size: float, width: float, bold: bool = False) -> list[str]:
        """Lines of at most `width`; words are kept whole unless one alone is wider."""
        lines: list[str] = []
        for word in text.split():
            longer = f"{lines[-1]} {word}" if lines else word
            if lines and self.width(longer, size, bold) <= width:
                lines[-1] = longer
                continue
            while self.width(word, size, bold) > width and len(word) > 1:
                cut = max(1, int(len(word) * width / self.width(word, size, bold)) - 1)
                lines.append(word[:cut])
                word = word[cut:]
            lines.append(word)
        return lines


def measured() -> Ink:
    """What measures text. Raises MissingExtra without matplotlib."""
    _needed()
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    return Ink(RendererAgg(1, 1, DPI), FontProperties)


def blank(width: float, height: float) -> Figure:
    """A figure of so many inches, white and empty; no window belongs to it. Raises MissingExtra without matplotlib."""
    _needed()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    FigureCanvasAgg(made)
    return made


@contextmanager
def lettered() -> Iterator[None]:
    """What is drawn within has Chinese letters, too, where a font has them. Raises MissingExtra without matplotlib."""
    _needed()
    import matplotlib as mpl
    from matplotlib.font_manager import fontManager

    have = {font.name for font in fontManager.ttflist}
    with mpl.rc_context({"font.family": ["DejaVu Sans", *(name for name in CHINESE if name in have)]}):
        yield


def _needed() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as exc:
        raise MissingExtra("plots need matplotlib: pip install 'ascribe[report]'") from exc


def short(name: str) -> str:
    """One line; a very long name loses its middle, never its value."""
    name = " ".join(name.split())
    label, equals, value = name.rpartition(" = ")
    label = label or name
    if len(label) > NAME_CHARACTERS:
        half = NAME_CHARACTERS // 2
        label = f"{label[:half]}…{label[1 - half :]}"
    return f"{label}{equals}{value}" if equals else label
