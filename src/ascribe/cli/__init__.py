"""The command `ascribe`: one file for each group of commands."""

from ascribe.cli.app import app, main

__all__ = ["app", "main"]
