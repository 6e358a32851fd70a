"""The environment of the demo, read here only."""

from __future__ import annotations

import os

__all__ = ["has_display"]


def has_display() -> bool:
    """Whether a picture can be opened for somebody to see."""
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
