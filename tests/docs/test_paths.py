"""A file or folder of the tree that a page names is there: pages age when files move."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path for path in [*ROOT.glob("*.md"), *ROOT.glob("*/*.md"), *ROOT.glob("docs/*/*.md"), *ROOT.glob("*/*/*.md")]
    if path.name != "CHANGELOG.md" and not {".venv", "runs", "node_modules"} & set(path.parts)
)  # fmt: skip
ROOMS = "core|bundle|train|serve|report|cli|demo|client|tests|benchmarks|deploy|proto|examples"
NAMED = re.compile(rf"`((?:src/ascribe/)?(?:{ROOMS})/[\w./-]*[\w/])`")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_a_page_names_are_there(page):
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.S)
    places = (ROOT, ROOT / "src" / "ascribe", page.parent)
    missing = {name for name in NAMED.findall(text) if not any((place / name).exists() for place in places)}
    assert missing == set()


def test_the_pattern_finds_what_pages_name():
    assert NAMED.findall("`core/plan.py` and `train/families/`, `tests/laws/`, not `a/b.py` nor `serve --workers`") == [
        "core/plan.py", "train/families/", "tests/laws/",
    ]  # fmt: skip
