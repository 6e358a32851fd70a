"""python -m benchmarks.fuzz [--inputs 100000] [--cases 4000] [--seed 1] [--quick] [--one FAMILY:NUMBER]

Malformed inputs against a server of its own process, through both doors and below them, then Schemathesis over its
OpenAPI document. Ends with 1 if anything failed. `--one`: make and send that input alone, and show both.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.fuzz.asking import Asker
from benchmarks.fuzz.report import told
from benchmarks.fuzz.server import served
from benchmarks.fuzz.soak import made, soak
from benchmarks.record import keep


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzz", description=__doc__.partition("\n\n")[2])
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--cases", type=int, default=4000, help="of Schemathesis, about")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="5,000 inputs, 500 cases; results apart")
    parser.add_argument("--one", default="", metavar="FAMILY:NUMBER")
    asked = parser.parse_args()
    inputs, cases = (5000, 500) if asked.quick else (asked.inputs, asked.cases)
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as server:
        if asked.one:
            family, _, number = asked.one.partition(":")
            given = made(family, asked.seed, int(number))
            print(given, Asker(server.at["http"], server.at["grpc"]).ask(given, family == "frames"), sep="\n")
            server.stop()
            print(*server.wrong, sep="\n")
            return 0
        numbers = told(server, soak(server, inputs, asked.seed, print), cases, asked.seed)
    for failure in numbers["failures"]:
        print("FAILED", failure)
    for kind, count in numbers["failures_by_kind"].items():
        print(f"{count} x {kind}")
    print(
        f"{numbers['inputs']} inputs, {numbers['schemathesis']['cases']} cases, {numbers['canaries']} canaries: "
        f"{numbers['failed']} failures; RSS {numbers['rss_start_bytes'] / 1e6:.0f} -> "
        f"{numbers['rss_end_bytes'] / 1e6:.0f} MB, {numbers['rss_slope_bytes_per_input']:+.1f} +- "
        f"{numbers['rss_slope_stderr_bytes_per_input']:.1f} bytes an input; {numbers['seconds']:.0f} s"
    )
    print(keep("fuzz", numbers, asked.quick))
    return 1 if numbers["failed"] else 0


if __name__ == "__main__":
    sys.exit(main())
