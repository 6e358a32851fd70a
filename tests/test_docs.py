"""Every Python block of the pages runs as it stands, and every relative link leads somewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest

from tests.journey import ROOT

PAGES = ["README.md", "docs/onnx.md", "docs/gradients.md", "docs/perturbation.md"]
BLOCK = re.compile(r"```python\n(.*?)```", re.DOTALL)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_run(page, trained, tmp_path):
    bundle = tmp_path / "runs" / "demo" / "bundle"
    shutil.copytree(trained[0] / "good", bundle)
    blocks = BLOCK.findall((ROOT / page).read_text())
    assert blocks
    for code in blocks:
        done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr


def test_links_lead_somewhere():
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
    assert len(pages) > 8
    for page in pages:
        for target in LINK.findall(page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
