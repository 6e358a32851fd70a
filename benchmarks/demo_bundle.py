"""The bundle that a measurement is asked of on its command line: the demo's, where none is named."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

__all__ = ["named"]


def named(words: Sequence[str]) -> tuple[Path, bool]:
    """Words of a command line -> the bundle, made by a quick demo if it is not there, and whether `--quick` is said."""
    bundle = Path(next((word for word in words if word != "--quick"), "runs/demo/bundle"))
    if not bundle.exists():
        subprocess.run([sys.executable, "-m", "ascribe", "demo", "--once", "--quick"], check=True)
    return bundle, "--quick" in words
