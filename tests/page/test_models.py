"""Models and ingest, in a real browser and against a real service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Locator, Page, expect

from ascribe.bundle.registry import Registry
from ascribe.bundle.state import State, beside

from .browser import NARROW, WIDE
from .shop import NAME, TOKEN, Shop, open_shop

SIZES = pytest.mark.parametrize(("size", "theme"), [(WIDE, "dark"), (NARROW, "light")], ids=["wide", "narrow"])


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """For each test its own: admins change it."""
    with open_shop(tmp_path_factory) as held:
        yield held


def opened(tab: Any, shop: Shop, view: str, size: dict[str, int] = WIDE, theme: str = "light", token: str = "") -> Any:
    one = tab(shop.at, size)
    one.context.add_init_script(f"localStorage.setItem('ascribe.theme', '{theme}')")
    if token:
        one.context.add_init_script(f"sessionStorage.setItem('ascribe.token', '{token}')")
    one.open(f"#/{view}")
    return one


def version_of(page: Page, version: str) -> Locator:
    return page.locator(f'details[data-key="version {version}"]')


@SIZES
def test_versions_verdicts_channels_and_drift(shop, tab, size, theme):
    one = opened(tab, shop, "models", size, theme)
    page = one.page
    expect(page.locator(".version")).to_have_count(3)
    second = version_of(page, shop.second)
    expect(second.locator("> summary")).to_contain_text("canary")
    second.locator("> summary").click()
    told = httpx.get(f"{shop.at}/v1/models/{NAME}/versions").json()["versions"]
    (judged,) = next(one["verdicts"] for one in told if one["version"] == shop.second)
    for reason in judged["reasons"]:
        expect(second).to_contain_text(reason)
    expect(second).to_contain_text("rows.parquet")
    worse = version_of(page, shop.worse)
    expect(worse.locator("> summary")).to_contain_text("not judged")
    channels = page.get_by_role("region", name="Channels")
    expect(channels).to_contain_text(f"production → {shop.first}")
    channels.get_by_text("History: 1").last.click()
    expect(channels).to_contain_text("promoted")
    report = httpx.get(f"{shop.at}/v1/models/{NAME}/drift").json()["report"]
    drift = page.get_by_role("region", name="Drift")
    expect(drift.locator(".chart svg")).to_have_count(2)
    drift.locator("summary").click()
    expect(drift.locator("table")).to_be_visible()
    found = {
        row.locator("th").inner_text(): float(row.locator("td").first.inner_text())
        for row in drift.locator("tbody tr").all()
    }
    assert found == {column["name"]: pytest.approx(column["psi"], abs=6e-4) for column in report["inputs"]}
    expect(page.get_by_role("button", name="Promote")).to_have_count(0)  # nobody who may is here
    expect(page.get_by_role("button", name="Roll back")).to_have_count(0)
    expect(channels).to_contain_text("anybody")
    one.picture(f"models-{theme}")
    one.check_fits()
    one.check_accessible()
    one.check()


def test_an_admin_promotes_and_rolls_back(shop, tab):
    one = opened(tab, shop, "models", token=TOKEN)
    page = one.page
    version = version_of(page, shop.second)
    version.locator("> summary").click()
    version.get_by_role("button", name="Promote to production").click()
    dialog = page.get_by_role("dialog")
    for text in (shop.second, shop.first, "production", "admin-token"):
        expect(dialog).to_contain_text(text)
    one.check_accessible()
    one.picture("promote-light")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert shop.registry.channel(NAME).current.version == shop.first  # nothing has happened
    version.get_by_role("button", name="Promote to production").click()
    dialog.get_by_role("button", name="Promote").click()
    expect(page.get_by_role("region", name="Channels").get_by_role("status")).to_contain_text(
        "is promoted to production"
    )
    channel = Registry(shop.registry.uri).channel(NAME)
    assert (channel.current.version, channel.current.by) == (shop.second, "admin-token")
    expect(page.get_by_role("heading", name=f"production → {shop.second}")).to_be_visible()
    page.get_by_role("button", name="Roll back").first.click()
    expect(dialog).to_contain_text(shop.first)
    dialog.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("region", name="Channels").get_by_role("status")).to_contain_text("is back at")
    assert Registry(shop.registry.uri).channel(NAME).current.version == shop.first
    audits = [event for event in map(json.loads, shop.log) if event["event"] == "audit"]
    assert [(event["action"], event["outcome"]) for event in audits] == [("promote", "ok"), ("rollback", "ok")]
    one.check()


def test_what_the_gate_refuses_is_told(shop, tab):
    one = opened(tab, shop, "models", token=TOKEN)
    page = one.page
    version = version_of(page, shop.worse)
    version.locator("> summary").click()
    version.get_by_role("button", name="Promote to canary").click()
    page.get_by_role("dialog").get_by_role("button", name="Promote").click()
    told = page.get_by_role("region", name="Channels").get_by_role("status")
    expect(told).to_contain_text("The gate refused")
    expect(told.locator("li").first).to_contain_text("worse")
    assert Registry(shop.registry.uri).channel(NAME, "canary").current.version == shop.second
    expect(version_of(page, shop.worse).locator("> summary")).to_contain_text("refused")
    one.picture("refused-light")
    one.check()


@SIZES
def test_readers_runs_and_bad_rows(shop, tab, size, theme):
    one = opened(tab, shop, "ingest", size, theme)
    page = one.page
    reader = page.locator("table.readers tbody tr")
    expect(reader).to_have_count(1)
    status = httpx.get(f"{shop.at}/v1/status").json()["readers"]["ascribe"]
    cells = reader.locator("td").all_inner_texts()
    assert [int(text.replace(",", "")) for text in (cells[1], cells[3], cells[4])] == [
        status["rows"], status["lag_records"], status["quarantined"],
    ]  # fmt: skip
    bad = page.locator("table.bad-rows tbody tr")
    expect(bad).to_have_count(status["quarantined"])
    high = bad.filter(has_text="impossible percentage in cpu_user")
    expect(high).to_contain_text("rack <b>/n")  # a name, not HTML
    meters = page.locator("table.reasons-table meter").all()
    assert {one.get_attribute("max") for one in meters} == {str(status["quarantined"])}  # a part of all of them
    high.locator("summary").click()
    expect(high.locator("pre")).to_contain_text('"cpu_user": 250')
    running, failed = page.locator(".run").all()
    expect(running).to_contain_text("2 of 6 stages")
    assert [item.get_attribute("data-state") for item in running.locator("li").all()] == [
        "done", "done", "running", "waiting", "waiting", "waiting",
    ]  # fmt: skip
    expect(failed).to_contain_text("<i>no disk</i>")
    one.picture(f"ingest-{theme}")
    one.check_fits()
    one.check_accessible()
    one.check()


def test_a_run_that_goes_on_is_seen_to(shop, tab):
    one = opened(tab, shop, "ingest")
    page = one.page
    run = page.locator(".run", has_text="aaaa")
    expect(run).to_contain_text("2 of 6 stages")
    high = page.locator("table.bad-rows tbody tr").first
    high.locator("summary").click()
    state = State(beside(shop.lake))
    name = state.names("runs", NAME)[-1]
    held = state.get("runs", NAME, name)
    before = dict(held["stages"])
    try:
        state.put(held | {"stages": before | {"measure": before["train"]}}, "runs", NAME, name)
        expect(run).to_contain_text("3 of 6 stages")
        expect(high.locator("pre")).to_be_visible()  # what was opened stays open
    finally:
        state.put(held, "runs", NAME, name)
    one.check()


def test_who_may_not_explain_sees_readers_and_runs_and_no_rows(shop, tab):
    def without(route: Any) -> None:
        route.fulfill(json=route.fetch().json() | {"scopes": ["admin"]})

    one = tab(shop.at)
    one.context.route("**/v1/caller", without)
    one.context.route("**/v1/quarantine*", lambda route: pytest.fail("rows were asked for"))
    one.open("#/ingest")
    expect(one.page.locator("table.readers tbody tr")).to_have_count(1)
    expect(one.page.get_by_role("region", name="Quarantine")).to_contain_text("the scope explain")
    assert one.page.locator("table.bad-rows").count() == 0
    one.check()
