"""The page of a guest, in a real browser, beside a real host: FATE-Serving's own pair of models."""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from ascribe.bundle.archive import Bundle
from tests.serve.federated.conftest import patience
from tests.serve.federated.servers import Rows, bundled, guesting, hosting
from tests.serve.federated.worlds import GUEST_CSV, ids, pair
from tests.train.adapters.fate import real

from .browser import NARROW, WIDE

__all__ = ["patience"]

SIZES = pytest.mark.parametrize(
    ("size", "theme", "language"), [(WIDE, "light", "en"), (NARROW, "dark", "zh"), (NARROW, "light", "en")],
    ids=["wide", "narrow", "narrow-en"],
)  # fmt: skip
HOSTILE = '<img src=x onerror=alert(1)>{a|b}"'


@dataclass(frozen=True)
class Place:
    at: str
    host: Rows


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundled(pair()[0], tmp_path_factory.mktemp("guest") / "guest")


@pytest.fixture(scope="module")
def place(bundle: Bundle) -> Iterator[Place]:
    rows = Rows(real.table("host") | {HOSTILE: next(iter(real.table("host").values()))})
    with hosting(pair()[1], rows) as at, guesting(bundle, {"bank": at}, background=GUEST_CSV) as where:
        yield Place(where.http, rows)


def mine(names: list[str]) -> str:
    """The guest's rows as CSV, with a column that the model does not take."""
    held = [real.table("guest")[name if name in real.table("guest") else ids()[0]] for name in names]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["id", *held[0], "remark"])
    writer.writerows([name, *row.values(), "x"] for name, row in zip(names, held, strict=True))
    return out.getvalue()


def opened(tab: Any, at: str, size: dict[str, int] = WIDE, theme: str = "light", language: str = "en") -> Any:
    one = tab(at, size, accept_downloads=True)
    one.context.add_init_script(
        f"localStorage.setItem('ascribe.theme', '{theme}'); localStorage.setItem('ascribe.language', '{language}')"
    )
    one.open()
    expect(one.page.locator(".ask .main")).to_be_enabled()
    return one


def score(page: Page, text: str) -> None:
    page.locator("#rows-text").fill(text)
    page.locator(".ask .main").click()
    expect(page.locator(".results")).to_be_visible()


@SIZES
def test_own_columns_stand_beside_the_host(place, tab, size, theme, language):
    one = opened(tab, place.at, size, theme, language)
    page = one.page
    assert page.locator("nav a").evaluate_all("all => all.map((one) => one.dataset.view)") == ["federated"]
    expect(page.locator("#stream")).to_be_hidden()
    score(page, mine([*ids()[:3], HOSTILE, "nobody"]))
    expect(page.locator(".results .chart svg").first).to_be_visible()
    expect(page.locator("table.answered tbody tr")).to_have_count(5)
    expect(page.locator(".source .notes")).to_contain_text("remark")
    recorded = real.expected("secureboost", "expected_shapley")["ids"]
    name = next(n for n in ids()[:3] if n in recorded)
    page.locator("table.answered button", has_text=name).click()
    page.locator(".results summary").first.click()
    expect(page.locator("table.shares")).to_be_visible()
    rows = page.locator("table.shares tbody tr").all()
    shown = {row.locator("th").inner_text(): row.locator("td").all_inner_texts() for row in rows}
    for player, value in recorded[name]["shapley"].items():
        cells = shown.get("bank" if player == "HOST" else player)
        if cells:
            assert float(cells[2].replace("\u2212", "-")) == pytest.approx(value, abs=0.00051)
    assert shown["bank"][0] == {"en": "host", "zh": "主机方"}[language]
    expect(page.locator(".results .sentence").first).to_contain_text("bank")
    colour = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--host').trim()")
    drawn = page.locator(f'.results .chart svg path[fill="{colour}"], .results .chart svg rect[fill="{colour}"]')
    expect(drawn.first).to_be_attached()
    page.locator(".results summary").first.click()
    one.picture(f"federated-{size['width']}-{theme}-{language}")
    one.check_fits()
    one.check_accessible()
    one.check()


@SIZES
def test_where_the_host_has_no_answer_there_are_bounds(place, tab, size, theme, language):
    one = opened(tab, place.at, size, theme, language)
    page = one.page
    page.locator("#policy").select_option("bounds")
    score(page, mine([ids()[0], "nobody"]))
    row = {"id": "nobody", "values": {c: float(v) for c, v in real.table("guest")[ids()[0]].items()}}
    told = httpx.post(
        f"{place.at}/v1/attributions", json={"feature_vector": [row]}, headers={"X-Host-Policy": "bounds"}
    ).json()
    low, high = (float(w) for w in told["attributions"][0]["reason"].split("margin between ")[1].split(" and "))
    page.locator("table.answered button", has_text="nobody").click()
    sentence = page.locator(".results .sentence").first
    for value in (low, high):
        expect(sentence).to_contain_text(f"{value:.4f}".replace("-", "\u2212"))
    expect(page.locator(".results .note.warn").first).to_contain_text("1")
    expect(page.locator(".results .note.bad")).to_contain_text("policy bounds")
    one.picture(f"federated-bounds-{size['width']}-{theme}-{language}")
    one.check_fits()
    one.check_accessible()
    one.check()


def test_a_host_that_went_away_is_said_by_the_policy(bundle, tab):
    with ExitStack() as host:
        at = host.enter_context(hosting(pair()[1], Rows(real.table("host"))))
        with guesting(bundle, {"bank": at}, background=GUEST_CSV) as where:
            one = opened(tab, where.http)
            host.close()
            one.page.locator("#rows-text").fill(mine(ids()[:1]))
            one.page.locator(".ask .main").click()
            expect(one.page.locator(".ask [role=alert]")).to_contain_text("policy fail")
    assert all("503" in fault for fault in one.faults), one.faults


WRONG = {
    "nothing": ("", "There are no rows yet"),
    "no id": ("x0,x1\n1,2\n", "Each row needs an id"),
    "no json": ("[1, 2", "This begins like JSON and is none"),
}


def test_what_is_no_row_is_said(place, tab):
    one = opened(tab, place.at)
    for text, said in WRONG.values():
        one.page.locator("#rows-text").fill(text)
        one.page.locator(".ask .main").click()
        expect(one.page.locator(".ask [role=alert]")).to_contain_text(said)
    one.check()


def test_what_is_taken_along_is_the_answer(place, tab, tmp_path: Path):
    one = opened(tab, place.at)
    page = one.page
    page.locator("#policy").select_option("bounds")
    score(page, mine([*ids()[:2], "nobody"]))
    with page.expect_download() as coming:
        page.get_by_role("button", name="These rows as CSV").click()
    coming.value.save_as(tmp_path / "rows.csv")
    with page.expect_download() as coming:
        page.get_by_role("button", name="The shares as CSV").click()
    shares = list(csv.DictReader(io.StringIO(coming.value.path().read_text())))
    subprocess.run(["bash", "-c", page.locator(".command pre").inner_text()], cwd=tmp_path, check=True, timeout=60)
    again = list(csv.DictReader((tmp_path / "answer.csv").open()))
    for saved, row in zip(shares, again, strict=True):
        assert saved["id"] == row["label"]
        if row["status"] == "ok":
            assert float(saved["bank"]) == float(row["bank"])
        assert ("margin between" in saved["reason"]) == ("margin between" in row["reason"])
    one.check()


def test_the_other_views_are_not_there(place, tab):
    one = tab(place.at)
    page = one.open("#/models")
    expect(page.locator("h1")).to_have_text("Federated")
    one.check()
