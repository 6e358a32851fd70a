"""What `import ascribe` offers, each name with its docstring."""

from __future__ import annotations

import ascribe

__all__ = ["page"]


def page() -> str:
    parts = ["# Python", "`import ascribe` offers these; each is imported when it is first used."]
    for name in sorted(ascribe.__all__, key=str.lower):
        held = getattr(ascribe, name)
        parts.append(f"::: {held.__module__}.{held.__name__}")
    return "\n\n".join(parts) + "\n"
