"""Which versions core, each extra and all of them together come to on every Python that pyproject.toml names.

python -m benchmarks.resolves           asks the package index through uv; some minutes; nothing is installed

`newest`: as `pip install` would choose today. `pinned`: all of them at the versions of constraints.txt. Wheels only,
for Linux on x86-64, so "resolves" means that no compiler is needed. A Python is asked for by its fifth patch: some
packages refuse the first ones of a series. Exit code 1 if anything does not resolve.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.record import keep

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PATCH = 5
PLATFORM = "x86_64-manylinux_2_28"
SERIES = re.compile(r"Programming Language :: Python :: (3\.\d+)")
NAME = re.compile(r"[\w.-]+")
TIMEOUT_S = 300
THREADS = 4  # what is waited for is the index


def pythons() -> list[str]:
    """The series of the classifiers: "3.11", ..."""
    return [found[1] for line in PROJECT["classifiers"] if (found := SERIES.fullmatch(line))]


def named(requirements: list[str]) -> list[str]:
    """Names as an index spells them.

    >>> named(["pyjwt[crypto]>=2.10", "Prometheus_Client"])
    ['prometheus-client', 'pyjwt']
    """
    found = (NAME.match(line) for line in requirements)
    return sorted(re.sub(r"[-_.]+", "-", name[0]).lower() for name in found if name)


def wanted() -> dict[str, tuple[list[str], list[str]]]:
    """By what is asked for: uv's options, and the packages that pyproject.toml names there."""
    extras: dict[str, list[str]] = PROJECT["optional-dependencies"]
    found = {name: ([f"--extra={name}"], named(lines)) for name, lines in extras.items()}
    return {"core": ([], named(PROJECT["dependencies"])), **found, "all": (["--all-extras"], [])}


def resolved(python: str, options: list[str], direct: list[str]) -> dict[str, Any]:
    """`packages`: how many; `chosen`: versions of those in `direct`; or `fails`: what uv says."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "chosen.txt"
        line = [
            sys.executable, "-m", "uv", "pip", "compile", "-q", "--no-header", "--no-annotate", "--only-binary=:all:",
            f"--python-version={python}.{PATCH}", f"--python-platform={PLATFORM}", f"--output-file={out}",
            *options, "pyproject.toml",
        ]  # fmt: skip
        try:
            done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
        except subprocess.TimeoutExpired:
            return {"fails": f"no answer within {TIMEOUT_S} s"}
        if done.returncode:
            return {"fails": " ".join(done.stderr.split())}
        chosen = dict(text.split(";")[0].strip().split("==") for text in out.read_text().split("\n") if "==" in text)
    return {"packages": len(chosen), "chosen": {name: chosen[name] for name in direct}}


def main() -> None:
    quick = "--quick" in sys.argv[1:]  # the newest of everything only
    asked = {
        ("newest", python, name): (python, options, direct)
        for python in pythons()
        for name, (options, direct) in wanted().items()
    }
    if not quick:
        asked |= {
            ("pinned", python, "all"): (python, ["--all-extras", "-c", "constraints.txt"], []) for python in pythons()
        }
    with ThreadPoolExecutor(THREADS) as pool:
        answers = dict(zip(asked, pool.map(lambda one: resolved(*one), asked.values()), strict=True))
    result: dict[str, Any] = {}
    for (how, python, name), answer in answers.items():
        result.setdefault(how, {}).setdefault(python, {})[name] = answer
        print(f"{how} {python} {name}: {answer.get('fails') or answer['packages']}")
    version = subprocess.run([sys.executable, "-m", "uv", "--version"], capture_output=True, text=True, check=True)
    print(keep("resolves", {"resolver": version.stdout.split(" (")[0].strip(), "platform": PLATFORM, **result}, quick))
    sys.exit(any("fails" in answer for answer in answers.values()))


if __name__ == "__main__":
    main()
