"""Which files come first: the longest, so that no worker ends minutes after the others.

Left to itself, `--dist loadfile` hands out the files with most tests first, and those of few long tests last.
"""

from __future__ import annotations

import pytest

LONGEST = (  # two that need no training of others lead, so that no worker waits while another trains
    "test_lifecycle.py",
    "test_journey.py",
    "test_demo.py",
    "test_accuracy.py",
    "docs/test_shell.py",
    "docs/test_python.py",
    "train/runs/test_run.py",
    "page/test_explain.py",
    "test_adopted_doors.py",
    "portability/test_portability.py",
    "train/test_pipeline.py",
    "train/ingest/test_ingest.py",
    "page/test_forecast.py",
    "test_tiers_journey.py",
    "serve/versions/test_swaps.py",
    "train/adapters/test_onnx_files.py",
)


def place(file: str) -> int:
    """Where a file, relative to `tests`, comes: as listed, all others afterwards in the order that they have."""
    return LONGEST.index(file) if file in LONGEST else len(LONGEST)


def longest_first(items: list[pytest.Item], root: str) -> None:
    """Sorts the tests collected below the folder `root`; within a file nothing moves."""
    items.sort(key=lambda item: place(item.path.as_posix().removeprefix(f"{root}/")))
