"""Every setting of a server with its default, and what the code says of it."""

from __future__ import annotations

import inspect
import re
from typing import Any

from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.settings import MIB, Settings

__all__ = ["page", "told"]

NAME = re.compile(r"`(\w+)`")
LEAD = re.compile(r"`\w+`(?: \([^)]*\))?(?:, `\w+`(?: \([^)]*\))?)*: ")
ENDS = re.compile(r"(?<=[.;]) (?![^(]*\))")  # of parts: not inside brackets


def page() -> str:
    parts = [
        "# Settings",
        "Variables of the environment of `ascribe serve`, `ascribe federated host` and `ascribe federated guest`. "
        "None: not set. More: [the wire](../wire.md), [security](../security.md), [what a server "
        "tells](../observability.md), [the servers of several companies](../federated-servers.md).",
        "## Of every server",
        _table(Settings),
        "## Of the parties of a federated model",
        _table(PartySettings),
    ]
    return "\n\n".join(parts) + "\n"


def told(kind: Any) -> list[tuple[list[str], str]]:
    """Fields, and the part of the docstring that is of them. A part ends with a full stop or semicolon; one without a
    field of its own belongs to the part before. The docstring's first paragraph says how variables are written.
    """
    found: list[tuple[list[str], str]] = []
    seen: set[str] = set()
    for part in ENDS.split(" ".join((inspect.getdoc(kind) or "").partition("\n\n")[2].split())):
        names = [name for name in dict.fromkeys(NAME.findall(part)) if name in kind.model_fields and name not in seen]
        if names:
            found.append((names, part))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]} {part}")
        seen |= set(names)
    return found


def _table(kind: Any) -> str:
    rows = [
        f"| {', '.join(f'`{_variable(kind, name)}`' for name in names)} | "
        f"{', '.join(_default(kind.model_fields[name].default) for name in names)} | {_said(kind, part)} |"
        for names, part in told(kind)
    ]
    return "\n".join(["| setting | default | |", "|---|---|---|", *rows])


def _variable(kind: Any, name: str) -> str:
    return str(kind.model_fields[name].validation_alias or f"{kind.model_config['env_prefix']}{name}".upper())


def _said(kind: Any, part: str) -> str:
    """Without the names that the first column has; others as they are written in the environment."""
    text = LEAD.sub("", part, count=1).rstrip(".;").replace("|", "\\|")
    return NAME.sub(lambda m: f"`{_variable(kind, m[1])}`" if m[1] in kind.model_fields else m[0], text)


def _default(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and value and value % MIB == 0:
        return f"{value // MIB} Mi"
    return f"{value:g}" if isinstance(value, float) else str(value) or "empty"
