"""100 faults in `core`, one at a time: how many do its tests and laws catch?

python -m benchmarks.faults.run [--faults 100] [--seed 0] [--quick] [--again] [--jobs 2]

The tree is copied, so that it may be worked on meanwhile. Its tests run there once without a fault: they must pass,
and they note which of them enter the functions that are to be faulty. Then each fault in turn meets the tests that
enter its function (all of tests/core and tests/laws where it is outside of functions), first of all those that are
named like its file or import it, then those that enter few others, until one fails. What takes 300 s of a core is
caught, too: all tests together take 90; and what asks for 4 GB of memory.

One record for each fault in benchmarks/results/faults. It holds for the source that it names: where the file has
changed it is made again. `caught_at_first` is what the first run said and stays; --again tries those that were not
caught, after new tests. Where a reader of a record finds that its fault changes nothing that a caller can see, he
writes the reason in as `equivalent`; such a fault counts as not caught all the same, and is not tried again.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from resource import RLIMIT_CPU, RLIMIT_DATA, setrlimit
from signal import SIGKILL, SIGTERM, SIGXCPU

import pytest

from benchmarks.faults.entered import NOTES, in_function, marked, read
from benchmarks.faults.sites import Site, drawn, faulty, short
from benchmarks.record import RESULTS

ROOT = Path(__file__).resolve().parents[2]
CORE = Path("src") / "ascribe" / "core"
OUT = RESULTS / "faults"
PARTS = ("src", "tests", "benchmarks", "examples", "pyproject.toml")
TESTS = ("tests/core", "tests/laws")
LAID_ASIDE = shutil.ignore_patterns("__pycache__", "node_modules", "results")
LOADED = ("scipy.stats", "hypothesis", "torch", "captum.attr", "shap", "sklearn.metrics")  # what most tests begin with
CPU_S = 300  # of one run: three times what all tests take
MOST_BYTES = 4 << 30  # of one run: all tests take less than 1 GB


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--faults", type=int, default=100)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--quick", action="store_true", help="ten faults")
    asked.add_argument("--again", action="store_true", help="those not caught, with the tests of today")
    asked.add_argument("--jobs", type=int, default=2, help="faults at a time")
    told = asked.parse_args()
    chosen = drawn(10 if told.quick else told.faults, told.seed, ROOT / CORE)
    OUT.mkdir(parents=True, exist_ok=True)
    left = [site for site in chosen if not _holds(_record(site), site) or (told.again and _missed(_record(site)))]
    if left:
        with tempfile.TemporaryDirectory() as folder:
            _try(left, Path(folder), told.jobs)
    _say(chosen)


def _try(chosen: list[Site], folder: Path, jobs: int) -> None:
    """Each job has a copy of the tree, and takes every jobs-th test file, then every jobs-th fault."""
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", NOTES: str(folder / "notes")}
    for library in LOADED:
        import_module(library)
    places = [_copied(folder / str(job)) for job in range(jobs)]
    tests = sorted(str(p.relative_to(ROOT)) for part in TESTS for p in (ROOT / part).rglob("test_*.py"))
    rank = {site.name: {test: _rank(places[0] / test, site) for test in tests} for site in chosen}
    own = {site.file: (places[0] / CORE / site.file).read_text() for site in chosen}
    told = {file: marked(text, [site for site in chosen if site.file == file]) for file, text in own.items()}
    with ThreadPoolExecutor(jobs) as pool:
        for failed in pool.map(lambda job: _fails(tests[job::jobs], places[job], told), range(jobs)):
            if failed:
                raise SystemExit(f"the tests fail without a fault: {failed}")
        entering = read(folder / "notes")
        wide = Counter(file for files in entering.values() for file in files)

        def one(job: int) -> None:
            for site in chosen[job::jobs]:
                files, near = entering.get(site.name, set()), rank[site.name]
                every = "" in files or not in_function(own[site.file], site)
                # near ones always: what an earlier call came to may have been kept for them
                there = [(near[t], wide[t], t) for t in tests if every or t in files or near[t] < 3]
                source = own[site.file]
                by = _fails([t for _, _, t in sorted(there)], places[job], {site.file: faulty(source, site)})
                _keep(site, short(source), by)

        list(pool.map(one, range(jobs)))


def _copied(place: Path) -> Path:
    place.mkdir()
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, place / part, ignore=LAID_ASIDE)
        else:
            shutil.copy(ROOT / part, place / part)
    return place


def _rank(test: Path, site: Site) -> int:
    """0: named like the file; 1: imports it; 2: imports its package; 3: neither."""
    stem = site.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    if stem.rpartition(".")[2] in test.stem:
        return 0
    text = test.read_text()
    for rank, name in ((1, stem), (2, stem.rpartition(".")[0])):
        if name and re.search(rf"\bascribe\.core\.{re.escape(name)}(?![.\w])", text):
            return rank
    return 3


def _fails(tests: list[str], place: Path, texts: dict[str, str]) -> str:
    """What failed first with these files of core; empty: nothing did."""
    if not tests:
        return ""
    own = {file: (place / CORE / file).read_text() for file in texts}
    for file, text in texts.items():
        (place / CORE / file).write_text(text)
    said = place / "said"
    child = get_context("fork").Process(target=_tested, args=(tests, place))
    child.start()
    child.join()
    for file, text in own.items():
        (place / CORE / file).write_text(text)
    if child.exitcode in (0, 5):
        return ""
    if child.exitcode in (-SIGTERM, -SIGKILL):
        raise SystemExit("the tests were ended from outside: start again, what is recorded stays")
    if child.exitcode == -SIGXCPU:
        return f"the clock: {CPU_S} s"
    lines = [line for line in said.read_text().splitlines() if line.startswith(("FAILED", "ERROR"))]
    return [*lines, f"pytest ended with {child.exitcode}"][0][:200]


def _tested(tests: list[str], place: Path) -> None:
    """In a process of its own, a fork of this one, which has loaded all libraries but nothing of Ascribe."""
    setrlimit(RLIMIT_CPU, (CPU_S, CPU_S + 5))
    setrlimit(RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))
    said = os.open(place / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.chdir(place)
    paths = [str(place / "src"), str(place)]
    os.environ |= {"PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "300"}
    sys.path[:0] = paths
    for name in [name for name in sys.modules if name.partition(".")[0] == "benchmarks"]:
        del sys.modules[name]
    sys.dont_write_bytecode = True
    os._exit(pytest.main(["-x", "-q", "--tb=no", "-p", "no:cacheprovider", "-n", "0", *tests]))


def _record(site: Site) -> dict[str, object]:
    place = OUT / f"{site.name}.json"
    return json.loads(place.read_text()) if place.exists() else {}


def _holds(record: dict[str, object], site: Site) -> bool:
    return record.get("source") == short((ROOT / CORE / site.file).read_text())


def _missed(record: dict[str, object]) -> bool:
    return not record["caught"] and "equivalent" not in record


def _keep(site: Site, source: str, by: str) -> None:
    """`source`: of the copy that was tried; the tree may have moved on."""
    before = _record(site)
    record = {
        "file": site.file, "line": site.line, "column": site.column, "kind": site.kind,
        "was": site.was, "is": site.becomes,
        "source": source, "caught": bool(by), "by": by,
        "caught_at_first": before.get("caught_at_first", bool(by)),
    }  # fmt: skip
    if before.get("equivalent") and before["source"] == source and not by:
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
