"""Every Python block of the pages runs as it stands, in this process, and prints what the page says that it prints."""

from __future__ import annotations

import contextlib
import io
import re
import shutil

import numpy as np
import pytest

import ascribe
from tests.docs.blocks import ROOT, Block, blocks

SECONDS = re.compile(r"max_seconds=\d+")
RUN = [
    block
    for block in blocks()
    if block.language == "python"
    and block.mark in ("", "needs a bundle", "needs mobilenet")
    and block.page != "docs/signing.md"  # whose blocks belong together: test_signing
]
LOOKED_AT = {  # what these say is looked at below, so that they run once
    ("README.md", "fit_conditional"),
    ("docs/federated.md", "split_trees"),
    ("docs/forecast-data.md", "by a line that knows the end"),
}
OTHERS = [block for block in RUN if not any(block.page == page and text in block.text for page, text in LOOKED_AT)]


def ran(block: Block) -> tuple[dict, str]:
    """Names and output of a block; a fit is given two seconds, since what a page checks holds of any fit."""
    held, out = {"__name__": "page"}, io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(SECONDS.sub("max_seconds=2", block.text), str(block), "exec"), held)
    return held, out.getvalue()


@pytest.fixture
def place(tmp_path, monkeypatch, request):
    """A folder with the bundles and the data that blocks open."""
    marks = request.node.callspec.params["block"].mark if hasattr(request.node, "callspec") else ""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    if marks == "needs a bundle":
        shutil.copytree(request.getfixturevalue("trained")[0] / "good", tmp_path / "runs" / "demo" / "bundle")
    if marks == "needs mobilenet":
        shutil.copytree(request.getfixturevalue("mobilenet"), tmp_path / "runs" / "mobilenet")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("block", OTHERS, ids=str)
def test_the_block_runs(block, place):
    ran(block)


def the(page: str, text: str) -> Block:
    (found,) = (block for block in RUN if block.page == page and text in block.text)
    return found


def test_no_other_block_is_left_out():
    assert len(OTHERS) == len(RUN) - len(LOOKED_AT)


def test_the_first_example_says_what_the_readme_says(place):
    """65, near 50, and shares near 5.5, 4.5 and 5; with background rows near 10, 0 and 5."""
    held, _ = ran(the("README.md", "fit_conditional"))
    a = held["a"]
    assert a.prediction[0] == 65
    assert a.base_value == pytest.approx(50, abs=0.3)
    assert a.values[0] == pytest.approx([5.5, 4.5, 5], abs=0.5)
    rows = ascribe.explain(held["f"], [[1.0, 1.0, 1.0]], background=held["X"])
    assert rows.values[0] == pytest.approx([10, 0, 5], abs=0.3)


def test_what_pages_print():
    federated = ROOT / "docs" / "federated.md"
    _, said = ran(the("docs/federated.md", "split_trees"))
    assert f"`{said.strip()}`" in federated.read_text()


def test_what_filling_costs_is_what_the_page_says(place):
    """docs/forecast-data.md: errors by the rule and by a line that knows the end."""
    _, said = ran(the("docs/forecast-data.md", "by a line that knows the end"))
    rule, line, level = np.array(
        re.findall(r"(\d+) by the rule, (\d+) by a line that knows the end; level (\d+)", said)
    ).T
    text = (ROOT / "docs" / "forecast-data.md").read_text()
    told = text.partition("Mean absolute errors of the filled steps")[2].replace(",", "")
    assert f"at a level of {level[0]}" in told
    assert f"{rule[0]} by the rule against {line[0]} by the line" in told
    for k in (1, 2):
        assert f"{rule[k]} against {line[k]}" in told
