"""python -m benchmarks.latency [--quick] [--only PREFIX] [--redo]

Every bundle on one thread and on two, tiers through gRPC, and how well plans are read. One JSON each in
benchmarks/results/latency. A cell that is there is kept.
`--quick`: without peers, the two smaller bundles; results apart.
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

    from benchmarks.latency.cells import cell
    from benchmarks.latency.door import through_grpc
    from benchmarks.latency.reading import reading
    from benchmarks.record import keep, place_of

    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="without peers, two bundles; results apart")
    parser.add_argument("--only", default="", metavar="PREFIX", help="cells whose name begins so")
    parser.add_argument("--redo", action="store_true", help="also what is there")
    asked = parser.parse_args(arguments)
    names = ["net8", "net12"] if asked.quick else ["normal12", "net8", "net12", "net32", "trees32"]
    cells: dict[str, Callable[[], dict[str, Any]]] = {
        f"{name}_{threads}": partial(cell, name, threads, asked.quick) for name in names for threads in (1, 2)
    }
    cells |= {f"{name}_grpc": partial(through_grpc, name) for name in names[-1:]}
    cells |= {f"{name}_reading": partial(reading, name) for name in ("trees32", "opteron32") if not asked.quick}
    console = Console(stderr=True)
    for name, run in cells.items():
        there = place_of(f"latency/{name}", asked.quick).exists()
        if not name.startswith(asked.only) or (there and not asked.redo):
            continue
        with console.status(name):
            console.print(str(keep(f"latency/{name}", run(), asked.quick)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
