"""Running cells: one JSON each, kept, so that a run that stops goes on where it was.

A cell is (group, name, callable returning a dict). Its error is its answer until the next run, which asks again; so is
an answer that says what it lacks (`incomplete`).
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.accuracy.shown import shown
from benchmarks.record import RESULTS as KEPT
from benchmarks.record import machine

__all__ = ["RESULTS", "Cell", "all_cells", "answers", "is_done", "run"]

RESULTS = KEPT / "accuracy"
Cell = tuple[str, str, Callable[[], dict[str, Any]]]


def all_cells(quick: bool = False, every: bool = False) -> list[Cell]:
    """Those of every module that has them, in the order in which they are run: what the page shows, or `every` one."""
    found: list[Cell] = []
    for module in ("known", "tables", "calibration", "ablation", "servers"):
        found += import_module(f"benchmarks.accuracy.{module}").cells(quick)
    found += [("marginal", name, run) for name, run in import_module("benchmarks.accuracy.marginal").cells(quick)]
    return [cell for cell in found if every or quick or shown(cell[0], cell[1])]


def place_of(folder: Path, cell: Cell) -> Path:
    return folder / cell[0] / f"{cell[1]}.json"


def is_done(place: Path) -> bool:
    """There, without an error, and complete."""
    if not place.exists():
        return False
    try:
        held = json.loads(place.read_text())
    except ValueError:
        return False
    return "failed" not in held and not held.get("incomplete")


def run(
    cells: list[Cell], folder: Path = RESULTS, redo: bool = False, step: Callable[[Cell, str], None] | None = None
) -> int:
    """Runs what is not done; `step(cell, word)` is told `runs`, then `done`, `kept` or the error. Number of errors."""
    failed = 0
    tell = step or (lambda cell, word: None)
    for cell in cells:
        place = place_of(folder, cell)
        if not redo and is_done(place):
            tell(cell, "kept")
            continue
        tell(cell, "runs")
        begin = time.perf_counter()
        try:
            answer, word = cell[2](), "done"
        except Exception as exc:
            failed += 1
            word = f"{type(exc).__name__}: {exc}"
            answer = {"failed": word, "traceback": traceback.format_exc()}
        whole = {
            "group": cell[0],
            "cell": cell[1],
            "seconds": time.perf_counter() - begin,
            "machine": machine(),
            **answer,
        }
        _write(place, whole)
        tell(cell, word)
    return failed


def answers(folder: Path, group: str) -> Iterator[dict[str, Any]]:
    """The kept answers of a group, without the errors."""
    for place in sorted((folder / group).glob("*.json")):
        held = json.loads(place.read_text())
        if "failed" not in held:
            yield held


def _write(place: Path, held: dict[str, Any]) -> None:
    """Whole or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    part = place.with_suffix(f".{os.getpid()}.part")
    part.write_text(json.dumps(held, sort_keys=True) + "\n")
    os.replace(part, place)
