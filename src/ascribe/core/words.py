"""Text for people."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["listed", "quoted"]


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names as they stand in a message: the first few, and how many more.

    >>> listed(["a", "b", "c"], most=2)
    'a, b and 1 more'
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def quoted(text: object, most: int = 60) -> str:
    """Somebody's text as it stands in a message: one line, short, whatever it holds.

    >>> quoted("two\\nlines")
    "'two\\\\nlines'"
    """
    return "'" + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in str(text)[:most]) + "'"
