"""The code blocks of the pages: fenced ones, and those that are indented by four spaces."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

__all__ = ["PAGES", "ROOT", "Block", "blocks", "lines"]

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in ("*.md", "docs/**/*.md", "examples/**/*.md", "deploy/*.md")
    for page in ROOT.glob(pattern)
    if page.name != "CHANGELOG.md"
)
PROGRAMS = {"ascribe", ".venv/bin/ascribe", "make", "curl", "git", "pip", "python", ".venv/bin/python", "tritonserver"}
ROUTE = re.compile(r"(GET|POST|DELETE) +/")
VARIABLE = re.compile(r"[A-Z_]+=")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
INDENTED = re.compile(r"(?<=\n\n)(?:    [^\n]*\n)+")


@dataclass(frozen=True)
class Block:
    """`language`: of a fence, or what an indented block is seen to be: shell, http, toml, python or text. `mark`: the
    comment in the line before, which says how a test runs it.
    """

    page: str
    line: int
    language: str
    text: str
    mark: str
    fenced: bool

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def blocks() -> tuple[Block, ...]:
    return tuple(block for page in PAGES for block in _of(page.relative_to(ROOT).as_posix(), page.read_text() + "\n"))


def _of(page: str, text: str) -> Iterator[Block]:
    found = [(m.start(), m[1], m[2], True) for m in FENCE.finditer(text)]
    rest = FENCE.sub(lambda m: re.sub(r"[^\n]", "`", m[0]), text)  # of the same length
    for m in INDENTED.finditer(rest):
        own = re.sub(r"^    ", "", m[0], flags=re.MULTILINE)
        found.append((m.start(), _seen(own), own, False))
    for start, language, own, fenced in sorted(found):
        mark = re.search(r"<!-- ([\w ]+) -->\n$", text[:start])
        yield Block(page, text.count("\n", 0, start) + 1, language or "text", own, mark[1] if mark else "", fenced)


def _seen(text: str) -> str:
    first = text.split()[0]
    if first in PROGRAMS or VARIABLE.match(first):
        return "shell"
    if ROUTE.match(text):
        return "http"
    try:
        tomllib.loads(text)
        return "toml"
    except tomllib.TOMLDecodeError:
        pass
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except SyntaxError:
        return "text"
    return "python" if any(isinstance(node, ast.Call | ast.Import | ast.ImportFrom) for node in nodes) else "text"


def lines(text: str) -> list[list[str]]:
    """Words of each command of a shell block, what stands before a pipe or a redirection, without variables."""
    found: list[list[str]] = []
    held = ""
    for line in text.replace("\\\n", " ").split("\n"):
        held = f"{held}\n{line}" if held else line
        try:
            words = shlex.split(held, comments=True)
        except ValueError:  # a quote that goes on
            continue
        held = ""
        words = words[: next((k for k, word in enumerate(words) if word in ("|", "<", ">", "&")), len(words))]
        found += _commands(words)
    assert not held, held
    return found


def _commands(words: list[str]) -> Iterator[list[str]]:
    """Of a line, or two that `&&` joins."""
    while words:
        end = words.index("&&") if "&&" in words else len(words)
        part = words[:end]
        while part and VARIABLE.match(part[0]):
            part = [] if "$(" in part[0] else part[1:]
        if part:
            yield part
        words = words[end + 1 :]
