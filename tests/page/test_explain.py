"""Explain, in a real browser and against a real service: what is drawn is what the service says."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow.parquet
import pytest
from playwright.sync_api import Page, expect

from ascribe.bundle.answers import read_answer
from ascribe.core.features import Feature
from ascribe.serve.app import running
from ascribe.serve.settings import Settings
from tests.serve import tiny

from .browser import NARROW, WIDE
from .explaining import answered, explain, opened
from .shop import COUNTERS, NAME, Shop, open_shop

SIZES = pytest.mark.parametrize(("size", "theme"), [(WIDE, "light"), (NARROW, "dark")], ids=["wide", "narrow"])
HOSTILE = ("<img src=x onerror=alert(1)>", 'x{a|b}"', "=cmd|' /C calc'!A0")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory) as held:
        yield held


def shown(page: Page) -> dict[str, str]:
    """Feature and share, as the table of the chosen row says them."""
    page.locator(".results summary").first.click()
    rows = page.locator("table.shares tbody tr")
    expect(rows.first).to_be_visible()  # unfolded
    return {row.locator("th").inner_text(): row.locator("td").nth(1).inner_text() for row in rows.all()}


@SIZES
def test_rows_of_csv_are_explained_and_drawn(shop, tab, size, theme):
    one = opened(tab, shop.at, size, theme)
    page, rows = one.page, shop.rows.head(30)
    answered(page, rows.with_columns(workload=rows["measured_w"].cast(str)).write_csv())
    expect(page.locator(".source")).to_contain_text("30 rows are sent")
    expect(page.locator(".source")).to_contain_text("workload")  # which the model does not take
    expect(page.locator("table.answered tbody tr")).to_have_count(30)
    values = [
        {"values": row, "measured_w": w}
        for row, w in zip(rows.select(COUNTERS).to_dicts(), rows["measured_w"], strict=True)
    ]
    asked = {"model": page.locator("[id^=asked-][id$=model]").input_value(), "feature_vector": values}
    expected = httpx.post(f"{shop.at}/v1/attributions", json=asked).json()["attributions"][0]
    found = shown(page)
    assert set(found) == set(COUNTERS)
    for name, text in found.items():
        assert float(text.replace("\u2212", "-")) == pytest.approx(
            expected["attribution_shares"][name], abs=5.1 * 10 ** -len(text.split(".")[-1]) / 10
        )
    cells = page.locator("table.answered tbody tr").first.locator("td").all_inner_texts()
    prediction, measured, unexplained = (float(text.replace("\u2212", "-")) for text in cells[:3])
    assert prediction + unexplained == pytest.approx(measured, abs=0.11)
    expect(page.locator(".sentence")).to_contain_text(
        "more than" if prediction > expected["base_value"] else "less than"
    )
    expect(page.locator(".results .chart svg")).to_have_count(4)  # waterfall, force, all rows by feature, heat map
    one.picture(f"explain-{theme}")
    one.check_fits()
    one.check_accessible()
    one.check()


def test_another_row_is_looked_at(shop, tab):
    one = opened(tab, shop.at)
    answered(one.page, shop.rows.head(3).write_csv())
    one.page.get_by_role("button", name="row 2").click()
    expect(one.page.get_by_role("heading", name="One row: row 2")).to_be_visible()
    expect(one.page.locator(".sentence")).not_to_be_empty()
    one.check()


@SIZES
def test_two_versions_beside_one_another(shop, tab, size, theme):
    one = opened(tab, shop.at, size, theme)
    page = one.page
    page.get_by_label("Compare with").check()
    sides = page.locator("[id^=asked-][id$=model]")
    expect(sides).to_have_count(2)
    sides.nth(0).select_option(f"{NAME}@production")
    sides.nth(1).select_option(f"{NAME}@canary")
    answered(page, shop.rows.head(5).write_csv())
    values = [{"values": row} for row in shop.rows.head(5).select(COUNTERS).to_dicts()]
    told = [
        httpx.post(
            f"{shop.at}/v1/attributions", json={"model": f"{NAME}@{c}", "feature_vector": values}, timeout=60
        ).json()
        for c in ("production", "canary")
    ]
    assert told[0]["version"] != told[1]["version"]
    most = max(
        abs(a["attribution_shares"][n] - b["attribution_shares"][n])
        for a, b in zip(told[0]["attributions"], told[1]["attributions"], strict=True) for n in COUNTERS
    )  # fmt: skip
    figures = dict(
        zip(page.locator(".figures dt").all_inner_texts(), page.locator(".figures dd").all_inner_texts(), strict=True)
    )
    assert figures["Rows that both answer"] == "5"
    assert float(figures["Largest difference"].split()[0]) == pytest.approx(most, rel=0.01)
    assert 0 < float(figures["Rank correlation of sizes"]) <= 1
    one.picture(f"compare-{theme}")
    one.check_fits()
    one.check_accessible()
    one.check()


def test_two_methods_beside_one_another(shop, tab):
    one = opened(tab, shop.at)
    page = one.page
    page.get_by_label("Compare with").check()
    page.locator("[id^=asked-][id$=method]").nth(1).select_option("kernel_shap")
    answered(page, shop.rows.head(2).write_csv())
    expect(page.locator(".legend")).to_contain_text("tree_shap")
    expect(page.locator(".legend")).to_contain_text("kernel_shap")
    one.check()


def test_only_what_the_model_lists_is_offered(shop, tab):
    one = opened(tab, shop.at)
    listed = httpx.get(f"{shop.at}/v1/models/{NAME}@canary/explainers").json()["outputs"][0]
    offered = one.page.locator("[id^=asked-][id$=method]").first.locator("option").all()
    assert {option.get_attribute("value") for option in offered} <= set(listed["methods"])
    assert "tree_shap" in {option.get_attribute("value") for option in offered}
    one.check()


@pytest.mark.parametrize(("text", "said"), [
    ("", "There are no rows yet"), ("{broken", "begins like JSON"), ("[]", "There are no rows yet"),
    ("[3, {}]", "A row is an object"),
    ('{"cpu_user": "hot"}', "missing"), ("a,a\n1,2\n", "twice"),
], ids=["empty", "broken", "none", "mixed", "text", "twice"])  # fmt: skip
def test_wrong_input_says_what_is_wrong(shop, tab, text, said):
    one = opened(tab, shop.at)
    explain(one.page, text)
    expect(one.page.get_by_role("alert")).to_contain_text(said)
    expect(one.page.locator(".results")).to_have_count(0)
    one.faults[:] = [
        fault for fault in one.faults if "status of 400" not in fault
    ]  # the browser's own word of a refusal
    one.check()


def test_a_bad_row_among_good_ones_says_why(shop, tab):
    one = opened(tab, shop.at)
    rows = shop.rows.head(2).select(COUNTERS).to_dicts()
    answered(one.page, json.dumps([rows[0], rows[1] | {"cpu_user": "hot"}]))
    second = one.page.locator("table.answered tbody tr").nth(1)
    expect(second).to_contain_text("not answered")
    expect(second).to_contain_text("cpu_user is text")
    second.get_by_role("button").click()
    expect(one.page.locator(".note.bad")).to_contain_text("cpu_user is text")
    one.check()


def test_a_parquet_file_is_chosen_or_dropped(shop, tab, tmp_path):
    place = tmp_path / "rows.parquet"
    shop.rows.head(4).write_parquet(place)
    one = opened(tab, shop.at)
    page = one.page
    page.locator("#rows-file").set_input_files(place)
    expect(page.locator(".source")).to_contain_text("rows.parquet: 4 rows")
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(page.locator("table.answered tbody tr")).to_have_count(4)
    commands = page.locator(".command pre").all_inner_texts()
    assert "--data-binary @rows.parquet" in commands[1]
    dropped = page.evaluate_handle(
        """(text) => {
          const held = new DataTransfer();
          held.items.add(new File([text], "drop.csv", {type: "text/csv"}));
          return held;
        }""",
        shop.rows.head(6).write_csv(),
    )
    page.locator(".source").dispatch_event("drop", {"dataTransfer": dropped})
    expect(page.locator(".source")).to_contain_text("drop.csv: 6 rows")
    page.locator("#rows-file").set_input_files({"name": "no.parquet", "mimeType": "", "buffer": b"not one"})
    expect(page.get_by_role("alert")).to_contain_text("no Parquet file")
    one.faults[:] = [fault for fault in one.faults if "status of 400" not in fault]
    one.check()


def test_files_and_commands_give_the_same_again(shop, tab, tmp_path):
    one = opened(tab, shop.at)
    page = one.page
    answered(page, shop.rows.head(3).write_csv())

    def saved(name: str) -> Path:
        with page.expect_download() as told:
            page.get_by_role("button", name=name).first.click()
        place = tmp_path / told.value.suggested_filename
        told.value.save_as(place)
        return place

    assert saved("PNG").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    drawn = saved("SVG").read_text()
    assert drawn.startswith("<svg")
    assert "prediction" in drawn
    answer = read_answer(saved("as Parquet"))
    assert answer.attribution.data.tolist() == [list(row) for row in shop.rows.head(3).select(COUNTERS).rows()]
    by_csv = saved("as CSV").read_bytes()
    assert len(json.loads(saved("as JSON").read_text())["attributions"]) == 3
    saved("These rows as CSV")
    told, curl = page.locator(".command pre").all_inner_texts()
    subprocess.run(["bash", "-c", curl], cwd=tmp_path, check=True, timeout=60)
    assert (tmp_path / "answer.csv").read_bytes() == by_csv
    line = told.replace("ascribe explain", f"{sys.executable} -m ascribe explain")
    subprocess.run(
        ["bash", "-c", line], cwd=tmp_path, check=True, timeout=120, env=os.environ | {"REGISTRY": shop.registry.uri}
    )
    again = pyarrow.parquet.read_table(tmp_path / "answer.parquet")
    assert again["prediction"].to_pylist() == pytest.approx(answer.attribution.prediction.tolist())
    assert again["cpu_user"].to_pylist() == pytest.approx(
        answer.attribution.values[:, COUNTERS.index("cpu_user")].tolist()
    )
    one.check()


def test_the_language_is_changed_and_the_answer_stays(shop, tab):
    one = opened(tab, shop.at)
    answered(one.page, shop.rows.head(2).write_csv())
    one.page.get_by_label("Language").select_option("zh")
    expect(one.page.get_by_role("heading", name="瀑布图")).to_be_visible()
    expect(one.page.locator(".sentence")).to_contain_text("功率")
    one.check()


def test_long_input_shows_progress_and_can_be_stopped(shop, tab):
    one = opened(tab, shop.at)
    page = one.page
    page.locator("[id^=asked-][id$=method]").first.select_option("permutation_shap")
    # The first part is answered, the second waits until it is stopped, however quick the service is.
    parts = itertools.count()
    page.route("**/v1/attributions", lambda route: None if next(parts) else route.continue_())

    def send(count: int) -> None:
        raw = shop.rows.sample(count, with_replacement=True, seed=0).write_csv().encode()
        page.locator("#rows-file").set_input_files({"name": "many.csv", "mimeType": "text/csv", "buffer": raw})

    send(3000)
    expect(page.locator(".source")).to_contain_text("3000 rows")
    page.get_by_role("button", name="Explain", exact=True).click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_text("8 of 3000")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".note", has_text="Stopped")).to_be_visible()
    send(5000)
    expect(page.get_by_role("alert")).to_contain_text("4096")
    one.faults[:] = [fault for fault in one.faults if "status of 413" not in fault]
    one.check()


def test_hostile_names_are_texts(tmp_path_factory, tab, monkeypatch):
    folder = tmp_path_factory.mktemp("hostile")
    monkeypatch.setattr(
        tiny,
        "FEATURES",
        tuple(
            Feature(n, f.unit, f.low, f.high, "", f.seen_low, f.seen_high)
            for n, f in zip(HOSTILE, tiny.FEATURES, strict=True)
        ),
    )
    registry, _ = tiny.publish(folder)
    with running(registry, tiny.NAME, Settings(lake=str(folder / "lake")), write=lambda _: None) as at:
        one = opened(tab, at.http)
        one.page.on("dialog", lambda dialog: one.faults.append(f"dialog {dialog.message}"))
        one.page.get_by_role("button", name="An example row").click()
        one.page.get_by_role("button", name="Explain", exact=True).click()
        expect(one.page.locator(".results .chart svg").first).to_be_visible()
        assert set(shown(one.page)) == set(HOSTILE)
        assert one.page.locator("main img").count() == 0
        one.check()
