"""A page on drift: whole, alone, safe, and in the right order."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from ascribe.core.drifted import Drift, Shift, Thresholds, shifts, verdict
from ascribe.core.errors import InputError
from ascribe.report.drift import page, save
from ascribe.report.spark import spark

VOID = {"meta", "br"}
NAMES = ("busy", 'a <b>"name"</b> & more', "misses")


def drift(shift: float = 2.0, errors: bool = True, attributions: bool = True) -> Drift:
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((400, 3)), rng.standard_normal((400, 3)) + np.array([0, 0, shift])
    one = np.ones(1)
    inputs = shifts(NAMES, ["ratio", "", "count/s"], X, Y, np.full(3, 1 / 3))
    told = shifts(["power_w"], ["W"], X.sum(1, keepdims=True), Y.sum(1, keepdims=True), one)[0]
    held = shifts(NAMES, ["W"] * 3, X, Y, np.full(3, 1 / 3)) if attributions else ()
    missed = shifts(["|power_w - prediction|"], ["W"], np.abs(X[:, :1]), np.abs(Y[:, :1]), one)[0] if errors else None
    word, reasons = verdict(inputs, told, held, missed, 0.005, Thresholds())
    tier = "fast" if attributions else ""
    return Drift(
        "node-power", "v1", "2026-11-26T03:20:33Z", "400 held-out rows", "lake version 3", 400, 400, 2, inputs, told,
        held, missed, 0.5, 0.005, 20, tier, Thresholds(), word, reasons,
    )  # fmt: skip


class Page(HTMLParser):
    """Text, and that every tag is closed in its order."""

    def __init__(self, raw: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(raw)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if data.strip() and not {"style", "svg"} & set(self.open):
            self.texts.append(data.strip())


def test_the_page_is_whole_and_asks_nothing_of_the_network():
    found = Page(page(drift()))
    assert found.links == []
    assert "script" not in found.tags
    assert "@import" not in page(drift())
    assert found.tags.count("svg") == 2 + 3 + 3


def test_the_verdict_stands_first_with_its_reasons():
    found, told = Page(page(drift())), drift()
    at = found.texts.index("■ drifted")
    assert found.texts[at + 1] == "· node-power"
    assert [reason for reason in told.reasons if reason in found.texts] == list(told.reasons)
    assert Page(page(drift(0.0))).texts[1] == "● steady"


def test_features_stand_in_the_order_of_their_psi():
    told = drift()
    texts = Page(page(told)).texts
    wanted = [s.name for s in sorted(told.inputs, key=lambda s: -s.psi)]
    assert wanted[0] == "misses"
    assert [text for text in texts if text in NAMES] == wanted * 2


def test_names_are_text_whatever_they_hold():
    raw = page(replace(drift(), model="<script>alert(1)</script>"))
    assert "<script>" not in raw
    assert 'a <b>"name"</b> & more' in Page(raw).texts


def test_versions_thresholds_and_what_was_left_out_are_there():
    texts = " ".join(Page(page(drift())).texts)
    wanted = ("2026-11-26 03:20:33 UTC", "v1", "400 held-out rows", "lake version 3", "2 rows now", "below 0.1 steady")
    for words in (*wanted, "from 0.25", "10 % together", "exchanging 20 runs"):
        assert words in texts


def test_what_is_missing_is_said():
    texts = " ".join(Page(page(drift(errors=False, attributions=False))).texts)
    assert "Too few rows have a measured value." in texts
    assert "no compiled tier to explain rows by" in texts


def test_the_same_comparison_is_the_same_page():
    assert page(drift()) == page(drift())


def test_a_histogram_is_a_picture_that_parses_and_has_a_name():
    drawn = spark((0.0, 1.0, 2.0), (0.25, 0.75), (1.0, 0.0), "#0072B2", label="busy")
    root = ET.fromstring(drawn)
    assert root.tag.endswith("svg")
    assert root.attrib["aria-label"] == "busy"
    assert "id=" not in drawn.replace("clip-path", "")


def test_an_empty_side_can_be_drawn():
    still = Shift("x", "", 0, 0, 1, 0, 0, 0, 1, (0.0, 1.0), (0.0,), (1.0,))
    assert spark(still.edges, still.shares_before, still.shares_now, "#000000").startswith("<svg")


def test_it_is_saved_as_html_and_nothing_else(tmp_path):
    place = save(drift(), tmp_path / "deep" / "report.html")
    assert place.read_text(encoding="utf-8") == page(drift())
    with pytest.raises(InputError, match=r"end it in \.html"):
        save(drift(), tmp_path / "report.pdf")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot write"):
        save(drift(), tmp_path / "file" / "report.html")
