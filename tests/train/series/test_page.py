"""The examples of the page run as they stand."""

import os
import re
import subprocess
import sys

import pytest

from tests.journey import ROOT

BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "forecast-data.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("at", range(len(BLOCKS)))
def test_the_examples_run(at, tmp_path):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    command = [sys.executable, "-c", BLOCKS[at]]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, env=dict(os.environ))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
