"""100 faults in `core`, one at a time: how many do its tests and laws catch?

python -m benchmarks.faults.run [--faults 100] [--seed 0] [--quick] [--again]

The tree is copied, so that it may be worked on meanwhile. Its tests run there once without a fault: they must pass,
and they note which of them enter the functions that are to be faulty. Then each fault in turn meets the tests that
enter its function (all of tests/core and tests/laws where it is outside of functions), first of all those that are
named like its file or import it, until one fails. A test that takes a minute has caught it: the slowest takes seconds.

One record for each fault in benchmarks/results/faults. It holds for the source that it names: where the file has
changed it is made again. `caught_at_first` is what the first run said and stays; --again tries those that were not
caught, after new tests. Where a reader of a record finds that its fault changes nothing that a caller can see, he
writes the reason in as `equivalent`; such a fault counts as not caught all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.faults.entered import NOTES, in_function, marked, read
from benchmarks.faults.sites import Site, drawn, faulty, short

ROOT = Path(__file__).resolve().parents[2]
CORE = Path("src") / "ascribe" / "core"
OUT = ROOT / "benchmarks" / "results" / "faults"
PARTS = ("src", "tests", "benchmarks", "examples", "pyproject.toml")
LAID_ASIDE = shutil.ignore_patterns("__pycache__", "node_modules", "results")
TEST_S, ALL_S = 60, 1800


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--faults", type=int, default=100)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--quick", action="store_true", help="ten faults")
    asked.add_argument("--again", action="store_true", help="those not caught, with the tests of today")
    told = asked.parse_args()
    chosen = drawn(10 if told.quick else told.faults, told.seed, ROOT / CORE)
    OUT.mkdir(parents=True, exist_ok=True)
    left = [site for site in chosen if not _holds(_record(site), site) or (told.again and not _record(site)["caught"])]
    if left:
        with tempfile.TemporaryDirectory() as folder:
            _try(left, Path(folder))
    _say(chosen)


def _try(chosen: list[Site], place: Path) -> None:
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, place / part, ignore=LAID_ASIDE)
        else:
            shutil.copy(ROOT / part, place / part)
    tests = sorted(p for name in ("core", "laws") for p in (place / "tests" / name).rglob("test_*.py"))
    own = {site.file: (place / CORE / site.file).read_text() for site in chosen}
    notes = place / "notes"
    notes.touch()
    os.environ[NOTES] = str(notes)
    told = {file: marked(text, [site for site in chosen if site.file == file]) for file, text in own.items()}
    if failed := _fails(tests, place, told):
        raise SystemExit(f"the tests fail without a fault: {failed}")
    entering = read(notes)
    for site in chosen:
        files = entering.get(site.name, set())
        every = "" in files or not in_function(own[site.file], site)
        near = [test for test in tests if _near(test, site)]
        there = [test for test in tests if every or str(test.relative_to(place)) in files]
        there = [test for test in there if test in near] + [test for test in there if test not in near]
        there += [test for test in near if test not in there]  # what it came to may be kept for others
        _keep(site, _fails(there, place, {site.file: faulty(own[site.file], site)}))


def _near(test: Path, site: Site) -> bool:
    """Named like the file, or importing it, its package, or all of core (for the examples in docstrings)."""
    stem = site.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    package = "|" + re.escape(stem.rpartition(".")[0]) if "." in stem else ""
    imported = rf"\bascribe\.core(\.({re.escape(stem)}{package}))?(?![.\w])"
    return stem.rpartition(".")[2] in test.stem or bool(re.search(imported, test.read_text()))


def _fails(tests: list[Path], place: Path, texts: dict[str, str]) -> str:
    """What failed first with these files of core; empty: nothing did."""
    if not tests:
        return ""
    own = {file: (place / CORE / file).read_text() for file in texts}
    for file, text in texts.items():
        (place / CORE / file).write_text(text)
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    ours = {"PYTHONPATH": f"{place / 'src'}{os.pathsep}{place}", "PYTHONDONTWRITEBYTECODE": "1", "COLUMNS": "300"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-n", "0",
               f"--timeout={TEST_S}", *(str(test.relative_to(place)) for test in tests)]  # fmt: skip
    try:
        done = subprocess.run(
            command, cwd=place, env=os.environ | threads | ours, capture_output=True, text=True, timeout=ALL_S
        )
    except subprocess.TimeoutExpired:
        return "the clock"
    finally:
        for file, text in own.items():
            (place / CORE / file).write_text(text)
    if done.returncode in (0, 5):
        return ""
    lines = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return [*lines, f"pytest ended with {done.returncode}"][0][:200]


def _record(site: Site) -> dict[str, object]:
    place = OUT / f"{site.name}.json"
    return json.loads(place.read_text()) if place.exists() else {}


def _holds(record: dict[str, object], site: Site) -> bool:
    return record.get("source") == short((ROOT / CORE / site.file).read_text())


def _keep(site: Site, by: str) -> None:
    before = _record(site)
    record = {
        "file": site.file, "line": site.line, "kind": site.kind, "was": site.was, "is": site.becomes,
        "source": short((ROOT / CORE / site.file).read_text()), "caught": bool(by), "by": by,
        "caught_at_first": before.get("caught_at_first", bool(by)),
    }  # fmt: skip
    if before.get("equivalent") and _holds(before, site) and not by:
        record["equivalent"] = before["equivalent"]
    (OUT / f"{site.name}.json").write_text(json.dumps(record, indent=1) + "\n")
    print(f"{'caught' if by else 'NOT CAUGHT':10s} {site}: {by}", flush=True)


def _say(chosen: list[Site]) -> None:
    found = [(site, _record(site)) for site in chosen]
    for site, record in found:
        if not record["caught"]:
            print(f"{site}: {record.get('equivalent', 'not caught')}")
    first, now = (sum(bool(record[word]) for _, record in found) for word in ("caught_at_first", "caught"))
    alike = sum("equivalent" in record for _, record in found)
    print(f"{now} of {len(found)} caught, {first} at first; of the others {alike} change nothing that a caller can see")


if __name__ == "__main__":
    main()
