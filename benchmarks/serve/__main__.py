"""python -m benchmarks.serve [--seconds 10] [--quick] [--only PREFIX] [--redo] [--page]

Open and closed loops on a server of its own process and on its peers, one JSON each in benchmarks/results/serve; the
part of docs/benchmarks.md between `<!-- serve:begin -->` and `<!-- serve:end -->`. A cell that is there is kept; a peer
that does not install is told and left out. The generator shares the machine. `--quick`: two seconds each, results
apart.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any


def main(arguments: list[str] | None = None) -> int:
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    from rich.console import Console

    from benchmarks.record import RESULTS, keep
    from benchmarks.serve.cells import cells, measured, rates
    from benchmarks.serve.page import write

    parser = argparse.ArgumentParser(prog="python -m benchmarks.serve", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each loop")
    parser.add_argument("--quick", action="store_true", help="two seconds each; results apart")
    parser.add_argument("--only", default="", metavar="PREFIX", help="cells whose name begins so")
    parser.add_argument("--redo", action="store_true", help="also what is there")
    parser.add_argument("--page", action="store_true", help="write the page from what is there, and measure nothing")
    asked = parser.parse_args(arguments)
    folder, seconds = ("serve_quick", 2.0) if asked.quick else ("serve", asked.seconds)
    (RESULTS / folder).mkdir(parents=True, exist_ok=True)
    wanted: dict[str, Callable[[], dict[str, Any]]] = {"rates": partial(rates, seconds)}
    wanted |= {cell.name: partial(measured, cell, seconds) for cell in cells()}
    console = Console(stderr=True)
    for name, run in {} if asked.page else wanted.items():
        place = RESULTS / folder / f"{name}.json"
        if not name.startswith(asked.only) or (place.exists() and not asked.redo):
            continue
        with console.status(name):
            try:
                console.print(str(keep(f"{folder}/{name}", run())))
            except RuntimeError as exc:
                console.print(f"{name} is left out: {exc}", style="yellow")
    places = {name: RESULTS / folder / f"{name}.json" for name in wanted}
    write({name: json.loads(place.read_text()) for name, place in places.items() if place.exists()}, not asked.quick)
    return 0


if __name__ == "__main__":
    sys.exit(main())
