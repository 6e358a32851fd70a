"""Tables and numbers as pages show them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from textwrap import fill

__all__ = ["filled", "row", "share", "table", "three"]

MARKED = re.compile(r"[|#!<]|- ")  # no running text


def row(*cells: object) -> str:
    return "| " + " | ".join(str(c) for c in cells) + " |"


def table(head: Iterable[object], lines: Iterable[Iterable[object]]) -> str:
    """With its last line break."""
    head = list(head)
    return "\n".join([row(*head), row(*["---"] * len(head)), *(row(*line) for line in lines)]) + "\n"


def three(value: float | None) -> str:
    """Three digits; nothing where there is nothing."""
    return "" if value is None else f"{value:,.0f}" if 1e3 <= value < 1e6 else f"{value:.3g}"


def share(value: float) -> str:
    return f"{100 * value:,.0f} %" if value >= 10 else f"{100 * value:.3g} %"


def filled(markdown: str) -> str:
    """Paragraphs at the width of the pages; headings, tables, lists and pictures as they are.

    >>> filled("## Head\\n\\none\\ntwo\\n")
    '## Head\\n\\none two\\n'
    """
    blocks = markdown.rstrip("\n").split("\n\n")
    return "\n\n".join(block if MARKED.match(block) else _filled(block) for block in blocks) + "\n"


def _filled(block: str) -> str:
    """The text before and after a table that touches it."""
    lines: list[str] = []
    for marked, run in groupby(block.split("\n"), key=lambda line: bool(MARKED.match(line))):
        held = list(run)
        lines += held if marked else [fill(" ".join(held), 120, break_long_words=False, break_on_hyphens=False)]
    return "\n".join(lines)
