"""Every command with its options, as the command line itself tells them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from ascribe.cli import app

__all__ = ["page"]


def page() -> str:
    parts = ["# Commands", "`ascribe COMMAND --help` says the same; `--debug` anywhere on the line shows a traceback."]
    for path, command in _commands(typer.main.get_command(app), ()):
        parts += [f"## {' '.join(path)}", (command.help or "").strip()]
        rows = [_row(parameter) for parameter in command.params if parameter.name != "help"]
        if rows:
            parts.append("\n".join(["| option | | default |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _commands(group: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, command in sorted(getattr(group, "commands", {}).items()):
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield (*path, name), command


def _row(parameter: Any) -> str:
    argument = parameter.param_type_name == "argument"
    names = parameter.name.upper() if argument else ", ".join(parameter.opts)
    told = (getattr(parameter, "help", "") or "").replace("|", "\\|").replace("<", "&lt;")
    default = parameter.default
    shown = (
        "required" if parameter.required else "" if default in (None, False, (), []) or callable(default) else default
    )
    return f"| `{names}` | {told} | {shown} |"
