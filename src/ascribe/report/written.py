"""Pages: put together from parts, with their pictures inside, and written."""

from __future__ import annotations

import io
from collections.abc import Sequence
from html import escape
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from ascribe.bundle.written import write_whole
from ascribe.core.errors import InputError
from ascribe.report.page import PLAIN
from ascribe.report.spark import HEAD, METADATA

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["inline", "number", "plain_page", "table", "write_page"]


LEAST = 1e-9  # what is below is rounding


def write_page(html: str, path: Path) -> Path:
    """Raises InputError for another suffix or a place that cannot be written."""
    if path.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"cannot save a page as '{path.name}': end it in .html")
    return write_whole(path, html)


def plain_page(head: str, says: str, facts: Sequence[tuple[str, str]], body: Sequence[str], foot: str) -> str:
    """`body`: parts of HTML; everything else is text."""
    held = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts if text)
    return PLAIN.substitute(
        title=escape(head), head=escape(head), says=escape(says), facts=held, body="\n".join(body),
        foot=f"<p>{escape(foot)}</p>",
    )  # fmt: skip


def table(heads: Sequence[tuple[str, str]], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """`heads`: (name, what it means); `rows`: (class of the row, cells); the first cell is the row's name, the others
    are numbers.
    """
    top = "".join(
        f'<th{" class=n" if k else ""} title="{escape(told, quote=True)}">{escape(name)}</th>'
        for k, (name, told) in enumerate(heads)
    )
    held = "".join(
        f'<tr class="{kind}">'
        + "".join(f'<td class="{"n" if k else "name"}">{escape(cell)}</td>' for k, cell in enumerate(cells))
        + "</tr>"
        for kind, cells in rows
    )
    return f'<div class="wide"><table><thead><tr>{top}</tr></thead><tbody>{held}</tbody></table></div>'


def inline(figure: Figure, label: str) -> str:
    """A figure as SVG inside a page; the same numbers give the same text."""
    import matplotlib

    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "ascribe"}):
        figure.savefig(out, format="svg", metadata={"Date": None})
    drawn = METADATA.sub("", HEAD.sub("", out.getvalue(), count=1))
    named = f'<svg role="img" aria-label="{escape(label, quote=True)}"'
    return f'<div class="figure">{drawn.replace("<svg", named, 1).strip()}</div>'


def number(mean: float, stderr: float | None = None, digits: int = 3) -> str:
    """`0.123 ± 0.004`; a dash where there is none.

    >>> number(0.12345, 0.00421), number(float("nan"))
    ('0.123 ± 0.0042', '–')
    """
    if isnan(mean):
        return "\N{EN DASH}"
    if abs(mean) < LEAST:
        return "0"
    text = f"{mean:.{digits}g}"
    if stderr is not None and not isnan(stderr):
        text += f" \N{PLUS-MINUS SIGN} {stderr:.2g}"
    return text.replace("-", "\N{MINUS SIGN}") if "e-" not in text else text
