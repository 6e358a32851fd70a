"""Parts of a training: what took long to make is handed over as bytes and plain values, so that it can be kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Keep", "Part", "once"]


@dataclass(frozen=True)
class Part:
    """`files` of the bundle by name; `facts`: plain JSON values."""

    files: Mapping[str, bytes]
    facts: Mapping[str, Any] = field(default_factory=dict)


Keep = Callable[[str, Callable[[], Part]], Part]
"""A part by its name, made or found: called with what makes it."""


def once(name: str, make: Callable[[], Part]) -> Part:
    """Keep nothing."""
    return make()
