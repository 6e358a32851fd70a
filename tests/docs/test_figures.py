"""Figures of the benchmarks are what the raw results say."""

from __future__ import annotations

import re

import matplotlib

from benchmarks.page.marks import ROOT
from benchmarks.page.sections import SECTIONS, pictures
from benchmarks.record import Raw


def test_figures_are_drawn_from_the_raw_results(tmp_path):
    """Byte for byte but for names, where the same matplotlib drew them."""
    for section in SECTIONS:
        pictures(section, Raw(), tmp_path)
    drawn = sorted(tmp_path.iterdir())
    assert {"forecast.svg", "latency.svg", "sizing.svg", "accuracy-truth.svg"} <= {p.name for p in drawn}
    shown = (ROOT / "docs" / "benchmarks.md").read_text() + (ROOT / "docs" / "sizing.md").read_text()
    for place in drawn:
        assert f"images/{place.name}" in shown
        kept = (ROOT / "docs" / "images" / place.name).read_text()
        if f"Matplotlib v{matplotlib.__version__}" in kept:
            assert numbered(kept) == numbered(place.read_text()), f"{place.name}: make bench-page"


def numbered(drawing: str) -> str:
    """Names of paths as they come: matplotlib makes them of the last digits of coordinates."""
    seen: dict[str, str] = {}
    return re.sub(r"\bp[0-9a-f]{10}\b", lambda m: seen.setdefault(m[0], f"p{len(seen)}"), drawing)
