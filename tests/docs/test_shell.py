"""The shell blocks that are marked `runs`, line by line, and what they say that they print."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys

import pytest

from tests.docs.blocks import ROOT, blocks
from tests.journey import MOBILENET

APART = ("docs/forecast.md", "docs/signing.md")  # whose blocks belong together
SCRIPTS = [block for block in blocks() if block.mark == "runs"]


def test_these_run():
    assert [block.page for block in SCRIPTS].count("docs/adopt.md") == 3
    assert [block.page for block in SCRIPTS].count("docs/forecast.md") == 1


@pytest.mark.parametrize("block", [block for block in SCRIPTS if block.page not in APART], ids=str)
def test_the_commands_run(block, tmp_path, request):
    text = block.text.replace("\\\n", " ")
    first, _, rest = text.partition("\n")
    if shlex.split(first) == f"ascribe {MOBILENET} --out runs/mobilenet".split():  # which is imported once a run
        text = rest
        shutil.copytree(request.getfixturevalue("mobilenet"), tmp_path / "runs" / "mobilenet")
    said = run(text, tmp_path)
    for line in block.text.splitlines():
        if line.startswith("print(") and "  # " in line:
            assert line.partition("  # ")[2] in said


def test_a_forecast_from_data_to_python(tmp_path):
    """The commands of the page, then its Python on what they left."""
    (commands,) = (block for block in SCRIPTS if block.page == "docs/forecast.md")
    (code,) = (
        b for b in blocks() if b.page == "docs/forecast.md" and b.language == "python" and b.mark == "on what runs left"
    )
    run(commands.text, tmp_path)
    done = subprocess.run([sys.executable, "-c", code.text], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "calendar" in done.stdout


def run(script: str, place, seconds: float = 300) -> str:
    (place / "examples").symlink_to(ROOT / "examples")
    (place / "bin").mkdir()
    for name, line in (
        ("ascribe", f'exec "{sys.executable}" -m ascribe "$@"'),
        ("python", f'exec "{sys.executable}" "$@"'),
    ):
        (place / "bin" / name).write_text(f"#!/bin/sh\n{line}\n")
        (place / "bin" / name).chmod(0o755)
    found = {"PATH": f"{place / 'bin'}:{os.environ['PATH']}"}
    command = ["bash", "-e", "-c", script]
    done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=seconds, env=os.environ | found)
    assert done.returncode == 0, done.stderr
    return done.stdout
