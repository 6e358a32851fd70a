"""Lines that are said on the way, kept."""

from __future__ import annotations

from ascribe.train.watch import Watcher


class Notes(Watcher):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)
