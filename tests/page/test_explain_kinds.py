"""Explain for models of pictures, of sentences, and of tables with categories, in a real browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from ascribe.serve.app import running
from ascribe.serve.settings import Settings
from tests.serve import brought

from .explaining import answered, explain, opened


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Models of pictures, of sentences, and of tables with categories."""
    held = brought.bring(tmp_path_factory)
    lake = Settings(lake=str(held.place / "lake"))
    with running(held.registry, "eye,mood,income", lake, write=lambda _: None) as at:
        yield at.http


def test_a_picture_with_its_values_over_it(others, tab):
    one = opened(tab, others)
    page = one.page
    page.locator("[id^=asked-][id$=model]").select_option("eye")
    page.locator("#rows-file").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": brought.picture(7)})
    expect(page.locator(".source")).to_contain_text("a.png: one row")
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(page.locator("canvas.overlay")).to_be_visible()
    before = page.evaluate("document.querySelector('canvas.overlay').toDataURL()")
    page.get_by_label("Opacity").fill("0")
    bare = page.evaluate("document.querySelector('canvas.overlay').toDataURL()")
    assert before != bare
    page.get_by_label("Opacity").fill("80")
    one.picture("picture-light")
    one.check_accessible()
    one.check()


def test_words_by_their_value(others, tab):
    one = opened(tab, others)
    page = one.page
    page.locator("[id^=asked-][id$=model]").select_option("mood")
    answered_text = "very good film"
    explain(page, answered_text)
    expect(page.locator(".words .word").first).to_be_visible()
    told = httpx.post(
        f"{others}/v1/attributions",
        json={"model": "mood", "feature_vector": [{"text": answered_text}], "output": "glad"},
    )
    assert "good" in page.locator(".words").inner_text()
    assert told.status_code == 200
    one.picture("words-light")
    one.check_accessible()
    one.check()


def test_categories_are_shown_as_texts(others, tab):
    one = opened(tab, others)
    page = one.page
    page.locator("[id^=asked-][id$=model]").select_option("income")
    answered(page, json.dumps(brought.adult_rows()))
    page.locator(".results summary").first.click()
    expect(page.locator("table.shares")).to_contain_text(re.compile("Private|Self-emp|gov"), use_inner_text=True)
    one.check()
