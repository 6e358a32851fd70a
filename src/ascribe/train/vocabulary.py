"""Files of words: labels of classes, and vocabularies."""

from __future__ import annotations

from pathlib import Path

from ascribe.core.errors import InputError

__all__ = ["lines", "words"]


def lines(path: Path) -> tuple[str, ...]:
    """Lines that are not empty. Raises InputError."""
    try:
        held = tuple(line.strip() for line in path.read_text().splitlines() if line.strip())
    except FileNotFoundError as exc:
        raise InputError(f"there is no file {path}") from exc
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(f"{path} is no text ({exc})") from exc
    if not held:
        raise InputError(f"{path} is empty: write one a line")
    return held


def words(path: Path) -> tuple[str, ...]:
    """A vocabulary by number: a word a line, in order, or `word number` in any order. Raises InputError for numbers that
    do not run from 0 without a gap.
    """
    held = [line.rsplit(None, 1) for line in lines(path)]
    if not all(len(parts) == 2 and parts[1].isdigit() for parts in held):
        return tuple(" ".join(parts) for parts in held)
    by_number = {int(number): word for word, number in held}
    if len(by_number) < len(held) or max(by_number) >= len(held):
        raise InputError(f"{path}: numbers of words must run from 0 to {len(held) - 1}, each once")
    return tuple(by_number[k] for k in range(len(held)))
