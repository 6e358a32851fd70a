"""A command line as the commands themselves read it, and the names of settings."""

from __future__ import annotations

from functools import cache

import typer

from ascribe.cli import app
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.settings import Settings
from ascribe.train.settings import PrometheusSettings, TrainSettings

__all__ = ["NO_SUCH", "SETTINGS", "fields", "options", "parsed"]

SETTINGS = (Settings, PartySettings, TrainSettings, PrometheusSettings)
NO_SUCH = typer.BadParameter.__mro__[1]
"""What a command line that cannot be parsed raises; typer has an own copy of click."""


def parsed(args: list[str]) -> None:
    """Parses as the command itself does, and runs nothing. Raises `NO_SUCH`."""
    command, context, path, rest = _found(args)
    if "--help" not in rest:
        command.make_context(path[-1], rest, parent=context)


def options(args: list[str]) -> list[str]:
    """Those of a command line, perhaps not whole, that its command does not have. Raises `NO_SUCH` for no command."""
    command, _, _, rest = _found(args)
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
    return [word for word in rest if word.startswith("--") and word not in known | {"--help", "--debug"}]


@cache
def _commands():
    return typer.main.get_command(app)


def _found(args):
    """The command, its context, its path, and what is left of the line."""
    command, context, path = _commands(), None, ["ascribe"]
    while hasattr(command, "commands") and args and not args[0].startswith("-"):
        context = command.make_context(path[-1], [], parent=context, resilient_parsing=True)
        child = command.get_command(context, args[0])
        if child is None:
            raise NO_SUCH(f"no command {' '.join([*path, args[0]])}")
        command, args = child, args[1:]
        path.append(str(child.name))
    return command, context, path, args


def fields() -> set[str]:
    return {f"{s.model_config['env_prefix']}{name}".upper() for s in SETTINGS for name in s.model_fields}
