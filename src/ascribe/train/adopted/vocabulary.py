"""Files of words: labels of classes, and vocabularies."""

from __future__ import annotations

import re
from pathlib import Path

from ascribe.core.errors import InputError

__all__ = ["lines", "words"]

NUMBERED = re.compile(r"(.+?)[ \t]+(\d+)", re.DOTALL)  # a word may be any character, also one that ends lines elsewhere


def lines(path: Path) -> tuple[str, ...]:
    """Lines that are not empty, of UTF-8 with or without its mark. Raises InputError."""
    try:
        held = tuple(line.rstrip("\r") for line in path.read_text("utf-8-sig").split("\n") if line.strip(" \t\r"))
    except FileNotFoundError as exc:
        raise InputError(f"there is no file {path}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(f"{path} is no text ({exc})") from exc
    if not held:
        raise InputError(f"{path} is empty: write one a line")
    return held


def words(path: Path) -> tuple[str, ...]:
    """A vocabulary by number: a word a line, in order, or `word number` in any order. Raises InputError for numbers
    that do not run from 0 without a gap.
    """
    held = lines(path)
    numbered = [NUMBERED.fullmatch(line) for line in held]
    if not all(numbered):
        return held
    by_number = {int(found[2]): found[1] for found in numbered if found}
    if len(by_number) < len(held) or max(by_number) >= len(held):
        raise InputError(f"{path}: numbers of words must run from 0 to {len(held) - 1}, each once")
    return tuple(by_number[k] for k in range(len(held)))
