"""Which test files enter which functions: what a copy of the tree that is marked writes down while it is tested."""

from __future__ import annotations

import ast
import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from benchmarks.faults.sites import Site, within

__all__ = ["NOTES", "entered", "in_function", "marked", "read"]

NOTES = "ENTERED"  # the variable that names the file of notes
_seen: set[tuple[str, str]] = set()


def marked(source: str, chosen: Iterable[Site]) -> str:
    """The source, in which each function that holds one of the sites tells so when it is entered."""
    tree = ast.parse(source)
    for function, name in [(within(tree, site), site.name) for site in chosen]:
        if function is not None:
            after = 1 if ast.get_docstring(function) is not None else 0
            told = f"from benchmarks.faults.entered import entered\nentered({name!r})"
            function.body[after:after] = ast.parse(told).body
    return ast.unparse(ast.fix_missing_locations(tree))


def in_function(source: str, site: Site) -> bool:
    """No: it is run when the file is imported."""
    return within(ast.parse(source), site) is not None


def entered(name: str) -> None:
    """Called in the marked copy; its line is empty where no test runs, as while tests are collected."""
    file = os.environ.get("PYTEST_CURRENT_TEST", "").partition("::")[0]
    if (name, file) not in _seen:
        _seen.add((name, file))
        with open(os.environ[NOTES], "a") as notes:
            notes.write(f"{name} {file}\n")


def read(notes: Path) -> dict[str, set[str]]:
    """The test files of each site."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in notes.read_text().splitlines() if notes.exists() else ():
        name, _, file = line.partition(" ")
        found[name].add(file)
    return found
