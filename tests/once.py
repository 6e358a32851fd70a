"""What several files need and takes long to make: made once a run, whichever worker comes first."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder of the caller's own, copied from the one that `make(folder)` filled; a failed making is tried again.

    A copy, since commands write into bundles (`publish` keeps what it measured).
    """
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "once"  # beside every worker's own
    shared.mkdir(exist_ok=True)
    with FileLock(shared / f"{name}.lock"):
        if not (shared / name).exists():
            shutil.rmtree(shared / f"{name}.begun", ignore_errors=True)
            (shared / f"{name}.begun").mkdir()
            make(shared / f"{name}.begun")
            (shared / f"{name}.begun").rename(shared / name)
    place = factory.mktemp(name)
    shutil.copytree(shared / name, place, dirs_exist_ok=True)
    return place
