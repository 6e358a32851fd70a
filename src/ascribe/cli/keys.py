"""`ascribe keys ...`: keys of a server's callers."""

from __future__ import annotations

from typing import Annotated

import typer

from ascribe.console import err

__all__ = ["keys"]

keys = typer.Typer(help="Make keys for callers of a server.")


@keys.callback()
def _group() -> None:
    """Make keys for callers of a server."""


@keys.command()
def new(
    name: Annotated[str, typer.Argument(help="whose key; another of the same name is good beside it")],
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="predict, explain, metrics or admin; repeatable (default: the first two)"),
    ] = None,
    rate_per_s: Annotated[
        float | None, typer.Option("--rate-per-s", min=0, help="rows a second it may ask for")
    ] = None,
) -> None:
    """Print a fresh key, once, and the lines for the file ASCRIBE_API_KEYS, which hold its hash alone."""
    from ascribe.serve.access.keys import line, new_key

    key = new_key()
    lines = line(name, key, scope or [], rate_per_s)
    err.print("the key, which is kept nowhere: give it to whom it is for", highlight=False)
    typer.echo(key)
    err.print("and for the file ASCRIBE_API_KEYS:", highlight=False)
    typer.echo(lines, nl=False)
