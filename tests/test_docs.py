"""Every Python block of the pages runs as it stands, and every relative link leads somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.journey import ROOT

PAGES = [
    "README.md",
    "docs/onnx.md",
    "docs/gradients.md",
    "docs/perturbation.md",
    "docs/importance.md",
    "docs/compare.md",
    "docs/additive.md",
    "docs/plots.md",
    "docs/federated.md",
    "docs/index.md",
    "docs/for/energy.md",
    "docs/for/ml.md",
    "docs/zh/index.md",
]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
SECONDS = re.compile(r"max_seconds=\d+")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_run(page, trained, tmp_path):
    """As they stand; only that a fit is given two seconds, since what a page checks holds of any fit."""
    bundle = tmp_path / "runs" / "demo" / "bundle"
    shutil.copytree(trained[0] / "good", bundle)
    blocks = BLOCK.findall((ROOT / page).read_text())
    assert blocks
    for block in blocks:
        code = SECONDS.sub("max_seconds=2", block)
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr


def test_links_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
    assert len(pages) > 8
    for page in pages:
        for target in LINK.findall(page.read_text()):
            made = "reference/" in target  # by docs/site when the site is built, which fails on a link to nowhere
            assert made or (page.parent / target).exists(), f"{page.name}: {target}"


SHELL = re.compile(r"<!-- runs -->\n```bash\n(.*?)```", re.DOTALL)
SCRIPTS = SHELL.findall((ROOT / "docs" / "adopt.md").read_text())
FORECAST = (ROOT / "docs" / "forecast.md").read_text()


@pytest.mark.parametrize("at", range(len(SCRIPTS)))
def test_the_commands_run(at, tmp_path):
    _run(SCRIPTS[at], tmp_path)


def test_a_forecast_from_data_to_python(tmp_path):
    """The commands of the page, then its Python on what they left."""
    (commands,), (code,) = SHELL.findall(FORECAST), BLOCK.findall(FORECAST)
    _run(commands, tmp_path)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "calendar" in done.stdout


def test_a_signed_bundle_is_served_others_are_refused_and_keys_change(trained, tmp_path):
    """The page from top to bottom, in one shell."""
    page = (ROOT / "docs" / "signing.md").read_text()
    shutil.copytree(trained[0] / "good", tmp_path / "runs" / "demo" / "bundle")
    serve, *others = SHELL.findall(page)
    (code,) = BLOCK.findall(page)
    (tmp_path / "opened.py").write_text(code)
    _run("\n".join([serve, "python opened.py", *others]), tmp_path)


def _run(script, tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "bin").mkdir()
    for name, line in (
        ("ascribe", f'exec "{sys.executable}" -m ascribe "$@"'),
        ("python", f'exec "{sys.executable}" "$@"'),
    ):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    found = {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"}
    command = ["bash", "-e", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, env=os.environ | found)
    assert done.returncode == 0, done.stderr
