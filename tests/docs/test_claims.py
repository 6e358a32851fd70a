"""Every number that a page says is measured has a raw file, and every benchmark has a place; pages and files agree."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.settings import Settings
from ascribe.train.settings import PrometheusSettings
from benchmarks.__main__ import main
from benchmarks.page.claims import Claim, cited, claims, given, spaced
from benchmarks.page.marks import ROOT, between, pages
from benchmarks.page.sections import SECTIONS, part
from benchmarks.record import RESULTS, Raw

BENCHMARKS = ROOT / "benchmarks"
COVERED = sorted(
    [*ROOT.glob("README*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/for/*.md"), *ROOT.glob("docs/zh/*.md")]
)
"""Decisions are left out: their numbers are those of their day."""
UNIT = r"(?:ms|us|µs|s|seconds|kB|KiB|MB|MiB|GB|GiB|TB|Mi|%|per cent|x|times|W|rows/s)"
MEASURED = re.compile(rf"(?<![\w.,/^-])(?:\d[\d.,]*|\.\d+) ?{UNIT}(?![\w/])")
SETTING = re.compile(r"`(ASCRIBE_)?_?([A-Z_]+)` \(([\d.,]+)(?: (s|MiB|Mi|KiB))?[,)]")
SIZES = {"MiB": 1 << 20, "Mi": 1 << 20, "KiB": 1 << 10}


def prose(page: str) -> str:
    """A page without code, without what is written whole, and without the settings that have a test of their own."""
    page = re.sub(r"<!-- (\w+):begin -->.*?<!-- \1:end -->", "", page, flags=re.DOTALL)
    page = re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)
    page = re.sub(r"^(?:    |\t).*$", "", page, flags=re.MULTILINE)
    page = SETTING.sub("", page)
    page = re.sub(r"^\|[^|]*`ASCRIBE_\w+`.*$", "", page, flags=re.MULTILINE)  # a table of settings
    return re.sub(r"`[^`\n]*\n?[^`\n]*`", "``", page)


def test_pages_say_what_the_raw_results_say():
    """`make bench-page` writes them; nothing in the measured parts is written by hand."""
    old = [str(place.relative_to(ROOT)) for place, text in pages(Raw(), claims()).items() if place.read_text() != text]
    assert old == [], "make bench-page"


def test_another_result_is_another_page(tmp_path):
    section = next(s for s in SECTIONS if s.name == "start")
    (tmp_path / "start.json").write_text(json.dumps({"ready_s": [1, 2, 9], "ready_median_s": 2.345}))
    text = part(section, Raw(tmp_path))
    assert "2.35 s" in text or "2.34 s" in text
    assert section.command in text
    assert between("a\n<!-- start:begin -->\nold\n<!-- start:end -->\nb\n", section, text).endswith(
        "<!-- start:end -->\nb\n"
    )
    with pytest.raises(ValueError, match="needs the lines"):
        between("no marks", section, text)
    (tmp_path / "start.json").unlink()
    assert "not measured yet" in part(section, Raw(tmp_path))


def test_every_section_names_its_command_and_its_files():
    for section in SECTIONS:
        if section.page and any(Raw().files(section.raw)):
            text = part(section, Raw())
            assert f"`{section.command}`" in text
            assert text.count("../benchmarks/results/") == len(section.raw)


def test_every_benchmark_and_every_result_has_a_section():
    run = {".".join(p.relative_to(ROOT).with_suffix("").parts) for p in BENCHMARKS.rglob("*.py") if _runs(p)}
    run = {name.removesuffix(".__main__") for name in run}
    named = {section.module for section in SECTIONS}
    parts = {name for name in run if any(name.startswith(f"{whole}.") for whole in [*named, "benchmarks.peers"])}
    alone = run - named - parts - {"benchmarks", "benchmarks.page"}
    assert alone == {"benchmarks.trees_woodelf"}  # which trees.py starts, in an environment of its own
    assert named <= run
    kept = {place.relative_to(RESULTS).parts[0].removesuffix(".json") for place in RESULTS.rglob("*.json")}
    assert kept <= {name for section in SECTIONS for name in section.raw}
    assert len({section.name for section in SECTIONS}) == len(SECTIONS)


def test_every_benchmark_takes_the_flags_that_make_bench_hands_on(capsys):
    for section in SECTIONS:
        place = BENCHMARKS.joinpath(*section.module.split(".")[1:])
        text = (place / "__main__.py" if place.is_dir() else place.with_suffix(".py")).read_text()
        assert "--quick" in text, section.module
        assert ("--redo" in text) == section.cells, section.module
    assert main(["--list"]) == 0
    listed = capsys.readouterr().out
    assert "benchmarks.gaussian" in listed
    assert "benchmarks.accuracy" not in listed  # hours
    assert main(["--soak", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(SECTIONS)


def _runs(place: Path) -> bool:
    """A script: it does something when it is run."""
    tree = ast.parse(place.read_text())
    return any(isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) for node in tree.body)


@pytest.mark.parametrize("page", COVERED, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_numbers_with_a_unit_are_claims_or_given(page):
    name, text = page.relative_to(ROOT).as_posix(), page.read_text()
    spoken = [claim.pattern() for claim in claims() if claim.page == name]
    spoken += [re.compile(spaced(words)) for held in given() if held.page == name for words in held.says]
    for pattern in spoken:
        text = pattern.sub("", text)
    assert MEASURED.findall(prose(text)) == [], f"{name}: put these into benchmarks/claims.toml, or measure them"


def test_the_pattern_finds_what_is_measured():
    found = "takes 0.5 ms, .61 s, 12 % and 5.3 times as much of 16 MiB; not `3 ms`, version 2, 14 features or rho 0.5"
    assert MEASURED.findall(prose(found)) == ["0.5 ms", ".61 s", "12 %", "5.3 times", "16 MiB"]


def test_what_is_given_is_there():
    for held in given():
        text = (ROOT / held.page).read_text()
        for words in held.says:
            assert re.search(spaced(words), text), f"{held.page}: {words}"


def test_a_wrong_number_and_a_bound_that_does_not_hold_are_told(tmp_path):
    (tmp_path / "x.json").write_text('{"ms": 12.6}')
    claim = Claim("README.md", "in {:.0f} ms", "x", value='it["ms"]')
    assert cited("answers in\n7 ms, or so", claim, Raw(tmp_path)) == "answers in\n13 ms, or so"
    for page in ("nothing", "in 7 ms and in 8 ms"):
        with pytest.raises(ValueError, match="not once"):
            cited(page, claim, Raw(tmp_path))
    bound = Claim("README.md", "in milliseconds", "x", value='it["ms"]', holds="value < 10")
    with pytest.raises(ValueError, match="does not hold"):
        cited("in milliseconds", bound, Raw(tmp_path))


def _default(prefix: str, name: str) -> object:
    """Of a setting by the name that a page gives it."""
    for kind in (Settings, PartySettings, PrometheusSettings):
        start = str(kind.model_config["env_prefix"])
        field = f"ASCRIBE_{name}".removeprefix(start).lower()
        if f"ASCRIBE_{name}".startswith(start) and field in kind.model_fields:
            return kind.model_fields[field].default
    return None


def test_defaults_in_pages_are_those_of_the_code():
    """`ASCRIBE_NAME` (30 s), and the column of defaults in the tables of limits."""
    seen = 0
    for page in COVERED:
        for prefix, name, value, unit in SETTING.findall(page.read_text()):
            default = _default(prefix, name)
            assert default is not None, f"{page.name}: no setting {name}"
            assert float(value.replace(",", "")) * SIZES.get(unit, 1) == pytest.approx(float(default)), (
                page.name,
                name,
            )
            seen += 1
    for line in (ROOT / "docs" / "security.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        if len(cells) == 4 and cells[0].startswith("`ASCRIBE_MAX"):
            names = re.findall(r"`(?:ASCRIBE)?_?([A-Z_]+)`", cells[0])
            for name, told in zip(names, cells[1].split(", "), strict=True):
                value, _, unit = told.partition(" ")
                assert float(value) * SIZES.get(unit, 1) == _default("", name), name
                seen += 1
    assert seen > 20
