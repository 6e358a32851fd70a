"""What a core install weighs and how fast it starts: a fresh virtual environment, the wheel, no extra.

python -m benchmarks.install [BUNDLE] [--quick]     default: runs/demo/bundle, made by a quick demo if it is not there

Installed twice at the versions of constraints.txt, with a cache of pip's own that is empty at first: once as whoever
has none of the packages, over the network to the index that pip is set to here, once again from that cache.
MB (10^6 bytes) are of site-packages without pip and setuptools; `without_bytecode`: less what the interpreter writes
beside it. Seconds are of new processes, `python -c pass` beside them; the first of each is apart, since files are cold.
`load_before`: how many processes wanted to run before this began; above the number of cores the clock says little, and
`processor_median` more.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.demo_bundle import named
from benchmarks.record import keep

ROOT = Path(__file__).parents[1]
TIMES = 7
LARGEST = 10
OWN = "pip", "setuptools"
"""What a virtual environment has before anything is installed."""
OPENED = "import json, sys, ascribe; ascribe.open(sys.argv[1])"
STARTS = {
    "python -c pass": ["python", "-c", "pass"],
    "import ascribe": ["python", "-c", "import ascribe"],
    "ascribe --help": ["ascribe", "--help"],
    "ascribe serve --help": ["ascribe", "serve", "--help"],
    "import ascribe.serve": ["python", "-c", "from ascribe.serve import app"],
    "open a bundle": ["python", "-c", f"{OPENED}"],
    "open, predict a row": ["python", "-c", f"{OPENED}.predict([json.loads(sys.argv[2])])"],
    "open, explain a row": ["python", "-c", f"{OPENED}.explain([json.loads(sys.argv[2])])"],
}
WEIGHED = """
import json, re
from importlib.metadata import distributions
out = {}
for one in distributions():
    files = [(str(f), f.locate()) for f in one.files or []]
    sizes = {n: p.stat().st_size for n, p in files if p.is_file()}
    code = sum(s for n, s in sizes.items() if not n.endswith(".pyc"))
    out[re.sub(r"[-_.]+", "-", one.name).lower()] = [one.version, sum(sizes.values()) / 1e6, code / 1e6]
print(json.dumps(out))
"""


def ran(line: list[Any], **environment: str) -> tuple[float, str]:
    """Seconds and what was printed. Raises RuntimeError with the end of the error stream."""
    begin = time.perf_counter()
    done = subprocess.run(list(map(str, line)), capture_output=True, text=True, env=os.environ | environment, cwd="/")
    seconds = time.perf_counter() - begin
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, line))[:200]}: {done.stderr[-2000:]}")
    return seconds, done.stdout


def started(line: list[Any], times: int) -> dict[str, float]:
    """Seconds of starting a program: the first, the least and the median of those after it, and of processor time."""
    taken, busy = [], []
    for _ in range(times + 1):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(ran(line, OPENBLAS_NUM_THREADS="1")[0])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        busy.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    told = {"first": taken[0], "least": min(taken[1:]), "median": statistics.median(taken[1:])}
    return {name: round(value, 3) for name, value in {**told, "processor_median": statistics.median(busy[1:])}.items()}


def install(place: Path, wheel: Path, cache: Path) -> float:
    """Seconds of `pip install` into a new virtual environment."""
    ran([sys.executable, "-m", "venv", place])
    line = [place / "bin" / "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", wheel]
    return ran(line, PIP_CACHE_DIR=str(cache), PIP_DISABLE_PIP_VERSION_CHECK="1")[0]


def main() -> None:
    bundle, quick = named(sys.argv[1:])
    bundle, times = bundle.resolve(), 1 if quick else TIMES  # quick: installed once, each start tried twice
    row = json.loads((bundle / "manifest.json").read_text())["example"]["x"]
    load = os.getloadavg()[0]
    os.environ.pop("PYTHONPATH", None)  # what is measured is what was installed
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        ran([sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", work / "dist", ROOT])
        (wheel,) = (work / "dist").glob("*.whl")
        seconds = {"from_network": install(work / "first", wheel, work / "cache")}
        bin_ = work / "first" / "bin"
        if not quick:
            seconds["from_cache"] = install(work / "second", wheel, work / "cache")
            bin_ = work / "second" / "bin"
        packages = json.loads(ran([bin_ / "python", "-c", WEIGHED])[1])
        kept = {name: told for name, told in packages.items() if name not in OWN}
        starts = {}
        for name, (program, *args) in STARTS.items():
            line = [bin_ / program, *args, *([bundle, row] if name.startswith("open") else [])]
            starts[name] = started(line, times)
            print(name, starts[name])
        weight = sorted(kept.items(), key=lambda item: -item[1][1])
        numbers = {
            "load_before": load,
            "wheel_mb": round(wheel.stat().st_size / 1e6, 2),
            "packages": len(kept),
            "mb": round(sum(size for _, size, _ in kept.values()), 1),
            "mb_without_bytecode": round(sum(size for _, _, size in kept.values()), 1),
            "largest_mb": {f"{name} {version}": round(size, 1) for name, (version, size, _) in weight[:LARGEST]},
            "install_s": seconds,
            "start_s": starts,
        }
    print(json.dumps({key: value for key, value in numbers.items() if key != "start_s"}, indent=1))
    print(keep("install", numbers, quick))


if __name__ == "__main__":
    main()
