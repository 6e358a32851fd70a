"""Every measurement, then the pages:  python -m benchmarks [--quick] [--soak] [--redo] [--only NAME ...] [--list]

What takes an hour and more runs with `--soak` or by name. `--quick`: reduced sizes, results under runs/bench_quick, and
no page is written. `--redo`: also the cells that are there. One that fails is told at the end, and the others go on.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time

from benchmarks.page.sections import SECTIONS, Section


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.partition("\n\n")[2])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--soak", action="store_true", help="also those that take hours")
    parser.add_argument("--redo", action="store_true", help="also cells that are there")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", choices=[s.name for s in SECTIONS])
    parser.add_argument("--list", action="store_true", help="names, commands and minutes of what would run")
    asked = parser.parse_args(arguments)
    chosen = [s for s in SECTIONS if (s.name in asked.only if asked.only else asked.soak or not s.long)]
    if asked.list:
        for section in chosen:
            print(f"{section.name:18s} {section.minutes:6g} min  {section.command}")
        return 0
    failed = [section.name for section in chosen if _run(section, asked.quick, asked.redo)]
    if not asked.quick:
        failed += ["page"] if subprocess.run([sys.executable, "-m", "benchmarks.page"]).returncode else []
    print(f"{len(chosen)} run" + (f", with an error: {', '.join(failed)}" if failed else ""))
    return 1 if failed else 0


def _run(section: Section, quick: bool, redo: bool) -> int:
    command = [sys.executable, "-m", section.module]
    command += ["--quick"] * quick + ["--redo"] * (redo and section.cells)
    print(f"== {section.name}: {' '.join(command[1:])}, about {section.minutes:g} min at full size", flush=True)
    begin = time.perf_counter()
    one = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    code = subprocess.run(command, env=os.environ | one).returncode
    print(f"== {section.name}: {time.perf_counter() - begin:.0f} s, exit code {code}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
