"""Every block of code on a page is run, or read by its reader: commands by the commands, data by what reads them."""

from __future__ import annotations

import ast
import inspect
import json
import re
import tomllib
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest
import yaml

import ascribe
from ascribe.serve.access.keys import Keys
from ascribe.serve.rest.openapi import OPERATIONS
from ascribe.train.definitions import read_definitions
from ascribe.train.sources.decoding import Decoder
from ascribe.train.units import read_units
from tests.docs.blocks import PAGES, ROOT, Block, blocks, lines
from tests.lines import NO_SUCH, fields, options, parsed

ELSEWHERE = {"js"}
"""docs/callers.md: tests/portability runs it."""
INLINE = re.compile(r"`(?:\.venv/bin/)?ascribe ([a-z][^`\n]*)`")
URL = re.compile(r"(?:http://)?127\.0\.0\.1:8080(/[^\s'\"]*)")


def of(*languages: str) -> list[Block]:
    return [block for block in blocks() if block.language in languages]


def test_every_block_is_of_a_kind_that_is_looked_at():
    known = {"python", "bash", "shell", "http", "toml", "json", "yaml", "text"} | ELSEWHERE
    assert {block.language for block in blocks()} <= known
    assert len(of("bash", "shell")) > 50
    assert len(of("python")) > 20
    assert {block.page for block in of(*ELSEWHERE)} == {"docs/callers.md"}
    assert [str(block) for block in of("python") if not block.fenced] == [], "Python stands in a fence: it is run"


def test_every_mark_is_one_that_a_test_knows():
    marks = {"", "runs", "needs a bundle", "needs mobilenet", "needs a server", "on what runs left", "checked"}
    assert {block.mark for block in blocks()} == marks
    checked = [block.page for block in blocks() if block.mark == "checked"]
    assert checked == ["docs/adopt.md", "docs/forecast.md"], "only what needs a server of its own is not run"


def test_a_block_of_text_is_no_command():
    for block in of("text"):
        assert not re.search(r"^(\$ )?(ascribe|make|curl|pip|python) ", block.text, re.MULTILINE), str(block)


@pytest.mark.parametrize("block", of("bash", "shell"), ids=str)
def test_commands_are_commands_with_options_that_exist(block):
    if block.mark == "runs":
        return  # test_shell.py does
    for words in lines(block.text):
        _command(words)


def _command(words: list[str]) -> None:
    program, *rest = words
    if program in ("ascribe", ".venv/bin/ascribe"):
        _ascribe(rest)
    elif program == "make":
        made = set(re.findall(r"^(\w[\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        assert {word for word in rest if "=" not in word} <= made
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert set(re.findall(r"\[([\w,]+)\]", " ".join(rest))) <= set(extras)
    elif program in ("python", ".venv/bin/python") and rest[0] == "-m":
        assert find_spec(rest[1]), rest[1]
    elif program == "curl":
        _asked(" ".join(rest), words)
    else:
        assert program in ("git", "cd", "tritonserver", "serve"), words  # other people's


def _ascribe(rest: list[str]) -> None:
    if "..." in rest or "COMMAND" in rest:
        assert options([word for word in rest if word not in ("...", "COMMAND")]) == []
    else:
        parsed(rest)


def _asked(text: str, words: list[str]) -> None:
    """A route that exists, and a body that is JSON."""
    for path in URL.findall(text):
        verb = "POST" if {"-d", "--data-binary", "-X"} & set(words) else "GET"
        assert _route(verb, path.partition("?")[0]), (verb, path)
    for k, word in enumerate(words):
        if word == "-d" and not words[k + 1].startswith("@"):
            json.loads(words[k + 1])


def _route(verb: str, path: str) -> bool:
    known = {re.sub(r"\{[^}]*\}", "[^/:]+", place) for asked, place in OPERATIONS if asked == verb}
    return any(re.fullmatch(pattern, path) for pattern in known)


@pytest.mark.parametrize("block", of("http"), ids=str)
def test_routes_exist(block):
    for line in block.text.splitlines():
        verb, path = re.match(r"(\w+) +([^\s?]+)", line).groups()
        assert _route(verb, path), line


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_commands_in_sentences_have_the_options_that_they_name(page):
    for said in INLINE.findall(page.read_text()):
        words = re.split(r"\s+", re.sub(r"[\[\]\\]", " ", said).strip())
        words = [word for word in words if word not in ("...", "/", "COMMAND") and "|" not in word]
        assert options(words) == [], said


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_settings_that_pages_name_exist(page):
    named = set(re.findall(r"\b(ASCRIBE_[A-Z0-9_]*[A-Z0-9])\b", page.read_text()))
    assert named <= fields(), page.name


def test_what_no_command_has_would_be_found():
    for line in ("serve --registry x", "srve", "plot a.parquet -o b --knd waterfall"):
        with pytest.raises(NO_SUCH):
            _ascribe(line.split())
    assert options(["serve", "--registry", "x", "--modle", "y"]) == ["--modle"]
    assert not _route("POST", "/v1/attribution")
    assert _route("POST", "/v2/models/node-power/infer")


def test_data_is_what_our_readers_read(tmp_path):
    """JSON, TOML and YAML: all of it parses; what is a format of ours is read by what reads it."""
    seen = set()
    for block in of("json", "yaml"):
        (json.loads if block.language == "json" else yaml.safe_load)(block.text)
    for block in of("json"):
        (v,), dead = Decoder().decode([block.text.encode()], ("s",), np.zeros(1, int), np.zeros(1, int))
        assert len(v) == 1 and not dead
        seen.add("message")
    for block in of("toml"):
        held = tomllib.loads(block.text)
        place = tmp_path / "block.toml"
        place.write_text(block.text)
        if "key" in held:
            assert Keys(place).find("nobody's") is None
            seen.add("keys")
        elif block.page == "docs/telemetry.md":
            assert "package" in read_definitions(place).names
            seen.add("definitions")
        elif block.page == "examples/README.md" and not any(isinstance(value, list) for value in held.values()):
            assert "cpu_user" in read_units(place)
            seen.add("units")
        else:
            assert held
            seen.add("groups")
    assert seen == {"message", "keys", "definitions", "units", "groups"}


@pytest.mark.parametrize("block", of("python"), ids=str)
def test_python_imports_what_there_is_and_asks_the_client_as_it_can_be_asked(block):
    """Also blocks that no test runs, since they need a server of their own."""
    tree = ast.parse(block.text)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("ascribe"):
            for alias in node.names:
                assert hasattr(import_module(node.module), alias.name) or find_spec(f"{node.module}.{alias.name}")
        if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("client."):
            asked = inspect.signature(getattr(ascribe.Client, node.func.attr))
            asked.bind(None, *node.args, **{word.arg: None for word in node.keywords})
