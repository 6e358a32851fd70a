"""python -m benchmarks.serve [--seconds 10] [--quick] [--only PREFIX] [--redo]

Open and closed loops on a server of its own process and on its peers, one JSON each in benchmarks/results/serve. A cell
that is there is kept; a peer that does not install is told and left out. The generator shares the machine. `--quick`:
two seconds each, results apart.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any


def main(arguments: list[str] | None = None) -> int:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from rich.console import Console

    from benchmarks.peers.installed import Absent
    from benchmarks.record import keep, place_of
    from benchmarks.serve.cells import cells, measured, rates

    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each loop")
    parser.add_argument("--quick", action="store_true", help="two seconds each; results apart")
    parser.add_argument("--only", default="", metavar="PREFIX", help="cells whose name begins so")
    parser.add_argument("--redo", action="store_true", help="also what is there")
    asked = parser.parse_args(arguments)
    seconds = 2.0 if asked.quick else asked.seconds
    wanted: dict[str, Callable[[], dict[str, Any]]] = {"rates": partial(rates, seconds)}
    wanted |= {cell.name: partial(measured, cell, seconds) for cell in cells()}
    console = Console(stderr=True)
    for name, run in wanted.items():
        there = place_of(f"serve/{name}", asked.quick).exists()
        if not name.startswith(asked.only) or (there and not asked.redo):
            continue
        with console.status(name):
            try:
                console.print(str(keep(f"serve/{name}", run(), asked.quick)))
            except Absent as exc:
                console.print(f"{name} is left out: {exc}", style="yellow")
    return 0


if __name__ == "__main__":
    sys.exit(main())
