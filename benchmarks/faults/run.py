"""100 faults in `core`, one at a time: how many do its tests and laws catch?

python -m benchmarks.faults.run [--faults 100] [--seed 0] [--quick] [--jobs 2]

Each fault is put into a copy of the tree; the tests that are named like its file or import it run first, then all of
tests/core and tests/laws, until one fails. A fault that makes tests hang is caught by the clock. One JSON for each
in benchmarks/results/faults; those that are there are not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.faults.sites import Site, faulty, sites
from benchmarks.record import RESULTS

ROOT = Path(__file__).resolve().parents[2]
CORE = ROOT / "src" / "ascribe" / "core"
OUT = RESULTS / "faults"
FIRST_S, ALL_S = 300, 1500


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--faults", type=int, default=100)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--quick", action="store_true", help="ten faults")
    asked.add_argument("--jobs", type=int, default=2, help="of pytest")
    told = asked.parse_args()
    chosen = drawn(10 if told.quick else told.faults, told.seed)
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        shutil.copytree(ROOT / "src", place / "src")
        for k, site in enumerate(chosen):
            record = OUT / f"{told.seed}_{k:03d}.json"
            if not record.exists():
                record.write_text(json.dumps(_tried(site, place, told.jobs), indent=1) + "\n")
            held = json.loads(record.read_text())
            word = "caught" if held["caught"] else "NOT CAUGHT"
            print(
                f"{k:3d} {word:10s} {held['seconds']:7.1f} s  {site.file}:{site.line} {site.kind}: {site.was}",
                flush=True,
            )
    found = [json.loads((OUT / f"{told.seed}_{k:03d}.json").read_text()) for k in range(len(chosen))]
    print(f"{sum(f['caught'] for f in found)} of {len(found)} caught")


def drawn(count: int, seed: int) -> list[Site]:
    """Files by their number of sites, and none of them often: a fault in every corner."""
    rng = random.Random(seed)
    every = {path: sites(path, CORE) for path in sorted(CORE.rglob("*.py"))}
    every = {path: held for path, held in every.items() if held}
    found: list[Site] = []
    while len(found) < count:
        for path in rng.sample(sorted(every), len(every)):
            if len(found) < count and rng.random() < len(every[path]) / max(map(len, every.values())) + 0.1:
                site = rng.choice(every[path])
                if site not in found:
                    found.append(site)
    return found


def _tried(site: Site, place: Path, jobs: int) -> dict[str, object]:
    target = place / "src" / "ascribe" / "core" / site.file
    own = (CORE / site.file).read_text()
    begin = time.perf_counter()
    target.write_text(faulty(own, site))
    try:
        word = Path(site.file).stem
        near = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "tests").rglob(f"test_*{word}*.py"))
        near += sorted(
            {str(p.relative_to(ROOT)) for p in (ROOT / "tests" / "core").rglob("test_*.py") if _uses(p, site)}
            - set(near)
        )
        failed = _fails(near, place, FIRST_S, 0) if near else ""
        failed = failed or _fails(["tests/core", "tests/laws"], place, ALL_S, jobs)
    finally:
        target.write_text(own)
    return {
        "file": site.file, "line": site.line, "kind": site.kind, "was": site.was, "caught": bool(failed), "by": failed,
        "seconds": round(time.perf_counter() - begin, 1),
    }  # fmt: skip


def _uses(path: Path, site: Site) -> bool:
    module = "ascribe.core." + site.file.removesuffix(".py").replace("/", ".").removesuffix(".__init__")
    return module in path.read_text()


def _fails(tests: list[str], place: Path, limit_s: float, jobs: int) -> str:
    """What failed first; empty: nothing did."""
    env = os.environ | {"PYTHONPATH": f"{place / 'src'}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-n", str(jobs), *tests]
    try:
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=limit_s)
    except subprocess.TimeoutExpired:
        return "the clock"
    if done.returncode in (0, 5):
        return ""
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return (lines or [done.stdout[-200:]])[0][:200]


if __name__ == "__main__":
    main()
