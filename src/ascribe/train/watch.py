"""What a caller may follow of a training run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # whoever follows a run that has nothing to train loads no torch
    from ascribe.train.clean import Cleaned
    from ascribe.train.loop import Progress

__all__ = ["Watcher"]


class Watcher:
    """What a caller may follow; every method does nothing by default."""

    def progress(self, stage: str) -> Progress | None:
        """A progress callback for a long stage."""
        return None

    def cleaned(self, cleaned: Cleaned, total: int, quarantine: Path) -> None:
        """Cleaning is done."""

    def note(self, text: str) -> None:
        """One line worth reading."""
