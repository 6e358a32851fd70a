"""Explain: each number, reason and tier is of the rows, the output and the file that it stands beside."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect

from .explaining import answered, opened
from .shop import COUNTERS, Shop, open_shop

MINUS = "\N{MINUS SIGN}"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory) as held:
        yield held


def test_rows_of_a_part_that_are_all_bad_have_their_own_reasons(shop, tab):
    one = opened(tab, shop.at)
    page, rows = one.page, shop.rows.head(10)
    values = rows.select(COUNTERS).to_dicts()
    for k in range(8):  # the first part has eight rows
        values[k] |= {"cpu_user": 250.0} if k % 2 else {"mem_free": -5.0}
    answered(page, json.dumps(values))
    cells = page.locator("table.answered tbody tr td:last-child").all_inner_texts()
    assert [("cpu_user" if k % 2 else "mem_free") in cells[k] for k in range(8)] == [True] * 8
    assert not any("none of the" in cell for cell in cells)  # the last two are answered


def test_a_file_that_is_read_late_does_not_take_the_place_of_a_newer_one(shop, tab):
    page, rows = opened(tab, shop.at).page, shop.rows
    held: list[Any] = []
    page.route("**/v1/rows", lambda route: held.append(route), times=1)
    chooser = page.locator("#rows-file")
    chooser.set_input_files({"name": "old.csv", "mimeType": "text/csv", "buffer": rows.head(7).write_csv().encode()})
    expect(page.locator(".source .notes")).to_contain_text("Loading")
    chooser.set_input_files({"name": "new.csv", "mimeType": "text/csv", "buffer": rows.head(3).write_csv().encode()})
    expect(page.locator(".source")).to_contain_text("new.csv: 3 rows")
    with page.expect_response("**/v1/rows"):
        held[0].continue_()
    page.wait_for_timeout(300)
    expect(page.locator(".source")).to_contain_text("new.csv: 3 rows")
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(page.locator("table.answered tbody tr")).to_have_count(3)


def changed(change: Callable[[dict[str, Any], dict[str, Any]], dict[str, Any]]) -> Callable[[Any], None]:
    """A route on which answers are what `change(request, answer)` makes of them; sentences stay."""

    def route(asked: Any) -> None:
        body = json.loads(asked.request.post_data)
        known = {key: value for key, value in body.items() if key not in ("tier", "max_latency_ms")}
        told = httpx.post(asked.request.url, json=known, headers={"accept": asked.request.headers["accept"]})
        if "json" in told.headers["content-type"]:
            asked.fulfill(json=change(body, told.json()))
        else:
            change(body, {})
            asked.fulfill(body=told.text)

    return route


def test_small_shares_of_a_large_prediction_are_told_apart(shop, tab):
    def small(_: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        for row in answer.get("attributions", ()):
            row["attribution_shares"] = {name: 1e-8 * v for name, v in row["attribution_shares"].items()}
            row["prediction"] = row["base_value"] = 123456.0
        return answer

    one = opened(tab, shop.at)
    one.page.route("**/v1/attributions*", changed(small))
    answered(one.page, shop.rows.select(COUNTERS).head(1).write_csv())
    chart = one.page.locator(".results .chart").first
    drawn = [text for text in chart.locator("svg text").all_text_contents() if text.startswith(("+0.", f"{MINUS}0."))]
    assert len({text for text in drawn if re.search("[1-9]", text)}) == len(COUNTERS)
    over = chart.evaluate("""(chart) => {
      const texts = [...chart.querySelectorAll("svg text")].filter((one) => /^.0[.]/.test(one.textContent));
      const bars = [...chart.querySelectorAll("svg path[fill='#c05c00'], svg path[fill='#0b63b0']")];
      const right = Math.max(...bars.map((one) => one.getBoundingClientRect().right));
      return right - Math.min(...texts.map((one) => one.getBoundingClientRect().left));
    }""")
    assert over < 0  # no number stands on a bar
    one.check_fits()


def test_a_tier_that_keeps_a_time_is_the_same_for_all_that_is_asked_of_the_rows(shop, tab):
    asked: list[dict[str, Any]] = []

    def timed(body: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
        asked.append(body)
        return answer | {"tier": "fast" if len(body["feature_vector"]) > 1 else "balanced"}

    def offered(route: Any) -> None:
        told = httpx.get(route.request.url).json()
        told["outputs"][0]["tiers"] = {"fast": {"stderr": None, "latency_ms": {"1": 1.0}}}
        route.fulfill(json=told)

    one = tab(shop.at)
    page = one.page
    page.route("**/v1/attributions*", changed(timed))
    page.route("**/explainers", offered)
    one.open("#/explain")
    page.locator("[id^=asked-][id$=how]").select_option("latency")
    answered(page, shop.rows.select(COUNTERS).head(12).write_csv())
    expect(page.locator(".sentence").first).not_to_be_empty()
    assert len(asked) == 3  # two parts, and the sentence
    assert "max_latency_ms" in asked[0]
    assert [(body.get("tier"), "max_latency_ms" in body) for body in asked[1:]] == [("fast", False)] * 2
    expect(page.locator(".command").first).to_contain_text("--tier fast")


def test_answers_of_different_outputs_are_not_compared(shop, tab):
    count = itertools.count()
    page = opened(tab, shop.at).page
    page.get_by_label("Compare with another").check()
    expect(page.locator(".asked").nth(1).locator("option").first).to_be_attached()
    unlike = changed(lambda _, answer: answer | ({"unit": "celsius"} if next(count) else {}))
    page.route("**/v1/attributions*", unlike)
    answered(page, shop.rows.select(COUNTERS).head(2).write_csv())
    expect(page.locator(".results .note.warn")).to_contain_text("do not compare")
    expect(page.get_by_text("Largest difference")).to_have_count(0)
