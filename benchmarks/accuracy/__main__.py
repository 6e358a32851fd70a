"""Accuracy, cell by cell:  python -m benchmarks.accuracy [--quick] [--only PREFIX] [--part 0/2] [--redo] [--list]
                                                       [--skip TEXT] [--all]

`--only truth/gaussian8` chooses cells by the beginning of group/name; `--part i/k` takes every k-th cell, so that k
processes share the work; `--all`: also what no page shows, most of a day. Results:
benchmarks/results/accuracy/<group>/<cell>.json (`--quick`: apart).
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings


def main(arguments: list[str] | None = None) -> int:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):  # one core per process: seconds are comparable
        os.environ.setdefault(name, "1")
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from benchmarks.accuracy.cells import RESULTS, Cell, all_cells, run
    from benchmarks.record import QUICK

    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer worlds and rows; results apart")
    parser.add_argument("--only", default="", metavar="PREFIX", help="cells whose group/name begins so")
    parser.add_argument("--skip", default="", metavar="TEXT", help="not cells whose group/name holds this")
    parser.add_argument("--part", default="0/1", metavar="I/K", help="every K-th cell, from the I-th")
    parser.add_argument("--redo", action="store_true", help="also what is there")
    parser.add_argument("--all", action="store_true", help="also worlds, rows and methods that no page shows")
    parser.add_argument("--list", action="store_true", help="only name the cells")
    asked = parser.parse_args(arguments)
    part, parts = (int(k) for k in asked.part.split("/"))
    cells = [cell for cell in all_cells(asked.quick, asked.all) if f"{cell[0]}/{cell[1]}".startswith(asked.only)]
    cells = [cell for cell in cells if not asked.skip or asked.skip not in f"{cell[0]}/{cell[1]}"][part::parts]
    if asked.list:
        print("\n".join(f"{group}/{name}" for group, name, _ in cells))
        return 0
    warnings.filterwarnings("ignore", category=UserWarning)
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(cells))

        def step(cell: Cell, word: str) -> None:
            if word == "runs":
                progress.update(task, description=f"{cell[0]}/{cell[1]}")
                return
            progress.advance(task)
            if word not in ("kept", "done"):
                console.print(f"{cell[0]}/{cell[1]}: {word}", markup=False)

        failed = run(cells, QUICK / "accuracy" if asked.quick else RESULTS, asked.redo, step)
    console.print(f"{len(cells)} cells, {failed} with an error")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
