"""The page on signatures from top to bottom, in one shell: serve, open, refuse what is unsigned, change keys."""

from __future__ import annotations

import shutil

from tests.docs.blocks import blocks
from tests.docs.test_shell import run


def test_a_signed_bundle_is_served_others_are_refused_and_keys_change(trained, tmp_path):
    here = [block for block in blocks() if block.page == "docs/signing.md"]
    serve, *others = (block.text for block in here if block.language == "bash")
    (code,) = (block.text for block in here if block.language == "python")
    shutil.copytree(trained[0] / "good", tmp_path / "runs" / "demo" / "bundle")
    (tmp_path / "opened.py").write_text(code)
    run("\n".join([serve, "python opened.py", *others]), tmp_path)
