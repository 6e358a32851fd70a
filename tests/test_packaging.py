"""What is shipped: the wheel and the sdist, what they ask for, what starts fast, and the bill of materials."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from benchmarks.record import RESULTS
from benchmarks.resolves import pythons
from deploy import sbom

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
RESOLVED = json.loads((RESULTS / "resolves.json").read_text())


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """The sdist, the wheel made from it, and the wheel made from the tree."""
    place = tmp_path_factory.mktemp("dist")
    line = [sys.executable, "-m", "build", "--no-isolation", "--outdir"]
    for more in ([place / "both"], [place / "tree", "--wheel"]):
        done = subprocess.run([*line, *more, ROOT], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    found = [*place.glob("both/*.tar.gz"), *place.glob("both/*.whl"), *place.glob("tree/*.whl")]
    assert len(found) == 3
    return found


def contents(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as held:
        return {name: held.read(name) for name in held.namelist()}


def test_the_wheel_is_the_package_and_nothing_else(shipped):
    inside = contents(shipped[1])
    package = {name for name in inside if ".dist-info/" not in name}
    tree = {path for path in (ROOT / "src").rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert package == {path.relative_to(ROOT / "src").as_posix() for path in tree}
    for name in (
        "py.typed", "serve/page/static/index.html", "serve/page/static/vendor/echarts.esm.min.mjs",
        "serve/page/static/vendor/ECHARTS-LICENSE", "serve/wire/attribution_pb2.py", "train/wire/telemetry_pb2.pyi",
        "train/sources/presets/kepler.toml",
    ):  # fmt: skip
        assert f"ascribe/{name}" in package
    assert [name for name in inside if "dist-info/licenses/LICENSE" in name]


def test_the_sdist_makes_the_same_wheel_and_carries_no_data(shipped):
    sdist, through_sdist, from_tree = shipped
    assert contents(through_sdist) == contents(from_tree)
    with tarfile.open(sdist) as held:
        tops = {name.split("/")[1] for name in held.getnames()}
    assert {"src", "proto", "pyproject.toml", "constraints.txt", "README.md", "LICENSE"} <= tops
    assert not tops & {"tests", "examples", "benchmarks", "docs"}


def test_the_wheel_asks_for_what_pyproject_says(shipped):
    inside = contents(shipped[1])
    told = Parser().parsestr(next(text for name, text in inside.items() if name.endswith("METADATA")).decode())
    assert told["Requires-Python"] == PROJECT["requires-python"]
    assert set(told.get_all("Provides-Extra")) == set(EXTRAS)
    asked = [Requirement(line) for line in told.get_all("Requires-Dist")]
    assert {str(one) for one in asked if one.marker is None} == {str(Requirement(x)) for x in PROJECT["dependencies"]}
    entry = next(text for name, text in inside.items() if name.endswith("entry_points.txt")).decode()
    assert f"ascribe = {PROJECT['scripts']['ascribe']}" in entry


def test_pythons_are_those_that_are_asked_for():
    assert pythons() == ["3.11", "3.12", "3.13", "3.14"]
    assert f">={pythons()[0]}" == PROJECT["requires-python"]
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["target-version"]
    assert ruff == f"py{pythons()[0].replace('.', '')}"


def test_every_extra_was_resolved_for_every_python_since_it_last_changed():
    """What is kept in benchmarks/results fits pyproject.toml of now; else `python -m benchmarks.resolves`."""
    wanted = {"core": PROJECT["dependencies"], **EXTRAS}
    assert set(RESOLVED["newest"]) == set(RESOLVED["pinned"]) == set(pythons())
    assert all(set(answers) == {"all"} and "fails" not in answers["all"] for answers in RESOLVED["pinned"].values())
    for python, answers in RESOLVED["newest"].items():
        assert set(answers) == {*wanted, "all"}
        for name, answer in answers.items():
            assert "fails" not in answer, (python, name, answer)
            for line in wanted.get(name, ()):
                one = Requirement(line)
                assert answer["chosen"][canonicalize_name(one.name)] in one.specifier, (python, name, line)


def test_every_pin_is_within_the_bounds():
    pins = [Requirement(x) for x in (ROOT / "constraints.txt").read_text().splitlines() if not x.startswith("#")]
    bounds: dict[str, SpecifierSet] = {}
    for line in [*PROJECT["dependencies"], *(x for lines in EXTRAS.values() for x in lines)]:
        one = Requirement(line)
        bounds[canonicalize_name(one.name)] = bounds.get(canonicalize_name(one.name), SpecifierSet()) & one.specifier
    pinned = {canonicalize_name(pin.name) for pin in pins}
    assert set(bounds) - pinned == {"ray"}  # too large for what `make setup` installs
    for pin in pins:
        (version,) = [each.version for each in pin.specifier]
        assert version in bounds.get(canonicalize_name(pin.name), SpecifierSet()), pin


@pytest.mark.parametrize("start", ["import ascribe; ascribe.open", "from ascribe.serve import app"])
def test_what_starts_loads_nothing_that_is_slow(start):
    """scipy.stats takes longer to import than all of numpy and ONNX Runtime; `python -X importtime` finds others."""
    code = f"{start}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"numpy", "scipy.special"} <= loaded
    assert not loaded & {"scipy.stats", "PIL", "torch", "pandas", "polars", "sklearn", "matplotlib"}


@pytest.fixture(scope="module")
def bills(tmp_path_factory):
    place = tmp_path_factory.mktemp("sbom")
    done = subprocess.run(
        [sys.executable, ROOT / "deploy" / "sbom.py", place], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name: json.loads((place / f"{name}.cdx.json").read_text()) for name in ("core", "all")}, done.stdout


def named(bill: dict) -> dict[str, dict]:
    return {one["name"]: one for one in bill["components"]}


@pytest.mark.parametrize("name", ["core", "all"])
def test_the_bill_is_of_the_schema(bills, name):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    check = JsonStrictValidator(SchemaVersion.V1_6).validate_str
    assert check(json.dumps(bills[0][name])) is None
    assert check(json.dumps({**bills[0][name], "components": [{"name": "x"}]})) is not None


def test_the_bill_of_core_has_all_that_core_needs_and_no_more(bills):
    told = named(bills[0]["core"])
    direct = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
    assert direct < set(told)
    for name, one in told.items():
        assert one["licenses"], name
        if name != "echarts":
            assert one["version"] == distribution(name).version
            for line in distribution(name).requires or []:
                needs = Requirement(line)
                if needs.marker is None or needs.marker.evaluate({"extra": ""}):
                    assert canonicalize_name(needs.name) in told
    edges = {edge["ref"]: edge["dependsOn"] for edge in bills[0]["core"]["dependencies"]}
    reached, left = set(), [bills[0]["core"]["metadata"]["component"]["bom-ref"]]
    while left:
        if (ref := left.pop()) not in reached:
            reached.add(ref)
            left += edges.get(ref, [])
    assert {one["bom-ref"] for one in told.values()} <= reached
    assert not {"torch", "xgboost", "polars", "pip", "pytest"} & set(told)


def test_the_bill_names_what_the_page_brings_along_by_its_own_version(bills):
    text = sbom.CHARTS.with_name("ECHARTS-NOTICE").read_text()
    assert "Apache ECharts" in text
    assert re.fullmatch(r"\d+\.\d+\.\d+", named(bills[0]["core"])["echarts"]["version"])


def test_everything_that_core_needs_is_permissive_and_the_rest_says_which_extra_brings_it(bills):
    core, everything = (named(bills[0][name]) for name in ("core", "all"))
    assert set(core) < set(everything)
    said = dict(re.findall(r"^not permissive: (\S+) .* by (.*)$", bills[1], re.M))
    assert "core" not in said.values()
    assert said["psycopg"] == "train"
    for name in set(everything) - set(core):
        assert {each["value"] for each in everything[name]["properties"]} <= set(EXTRAS)
        assert everything[name]["properties"]


@pytest.mark.parametrize(
    ("licence", "permissive"),
    [
        ("MIT", True), ("(0BSD AND Apache-2.0 WITH LLVM-exception)", True), ("MPL-2.0", False),
        ("MIT OR GPL-3.0-only", False), ("", False),
    ],
)  # fmt: skip
def test_a_licence_is_permissive_by_all_of_its_parts(licence, permissive):
    assert sbom.is_permissive(licence) is permissive
