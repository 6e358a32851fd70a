"""Forecast, in a real browser and against a real service: what is drawn is what POST /v1/forecasts says."""

from __future__ import annotations

import csv
import io
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from ascribe.bundle.registry import Registry
from ascribe.bundle.state import State, beside
from ascribe.core.forecast.context import latest_plain
from ascribe.serve.app import running
from ascribe.serve.settings import Settings
from tests.forecasts import CONTEXT, HORIZON, forecast_bundle, series
from tests.serve import tiny

from .browser import NARROW, WIDE

HOSTILE = "<img src=x onerror=alert(1)>{a|b}"
HELD = series(20, ("north", HOSTILE))
SIZES = pytest.mark.parametrize(
    ("size", "theme", "language"), [(WIDE, "light", "en"), (NARROW, "dark", "zh"), (NARROW, "light", "en")],
    ids=["wide", "narrow", "narrow-en"],
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    at: str
    version: str


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("forecast")
    registry = Registry(str(folder / "registry"))
    version = registry.publish("traffic", forecast_bundle(tmp_path_factory, folder / "bundle", HELD))
    registry.promote("traffic", version, "2026-11-01T00:00:00+00:00")
    lake = str(folder / "lake")
    for j, name in enumerate(HELD.names):
        State(beside(lake)).put({**latest_plain(HELD, j, CONTEXT), "zone": "UTC"}, "series", name)
    with running(registry.uri, "traffic", Settings(lake=lake), write=lambda _: None) as at:
        yield Place(at.http, version)


def opened(tab: Any, at: str, size: dict[str, int] = WIDE, theme: str = "light", language: str = "en") -> Any:
    one = tab(at, size, accept_downloads=True)
    one.context.add_init_script(
        f"localStorage.setItem('ascribe.theme', '{theme}'); localStorage.setItem('ascribe.language', '{language}')"
    )
    one.open("#/forecast")
    expect(one.page.locator(".ask .main")).to_be_enabled()
    return one


def ask(page: Page) -> None:
    page.locator(".ask .main").click()
    expect(page.locator(".results .chart svg").first).to_be_visible()


def number(text: str) -> float:
    return float(text.replace("\u2212", "-").replace(",", "").replace("%", ""))


def told(place: Place, wanted: Any, output: str = "peak") -> dict[str, Any]:
    body = {"model": "traffic", "attention": True, "attribution": {"output": output}, "series": wanted}
    answer = httpx.post(f"{place.at}/v1/forecasts", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["forecasts"][0]


def samples(steps: int = 80, j: int = 0) -> str:
    rows = zip(HELD.time_s[-steps:].astype(int).tolist(), HELD.values[-steps:, j].tolist(), strict=True)
    return "time,value\n" + "".join(f"{t},{v!r}\n" for t, v in rows)


@SIZES
def test_a_series_of_the_lake_is_forecast_and_explained(place, tab, size, theme, language):
    one = opened(tab, place.at, size, theme, language)
    page = one.page
    expect(page.locator("nav [aria-current=page]")).to_have_attribute("data-view", "forecast")
    expect(page.locator("#series-name option")).to_have_count(3)
    page.locator("#series-name").select_option(HOSTILE)
    ask(page)
    found = told(place, {"name": HOSTILE})
    for summary in page.locator(".results summary").all():
        summary.click()
    curve = [row.locator("td").all_inner_texts() for row in page.locator("table.curve tbody tr").all()]
    assert len(curve) == HORIZON
    for k, cells in enumerate(curve):
        shown, wanted = [number(c) for c in cells], [found[name][k] for name in ("forecast", "lower", "upper")]
        digits = len(cells[0].split(".")[-1])
        assert shown == pytest.approx(wanted, abs=0.501 * 10**-digits)
    shares = [row.locator("td").all_inner_texts() for row in page.locator("table.shares tbody tr").all()]
    assert len(shares) == len(found["attribution"]["shares"])
    sizes = sorted(map(abs, found["attribution"]["shares"].values()), reverse=True)
    assert [abs(number(cells[1])) for cells in shares] == pytest.approx(sizes, abs=0.00051)
    top = page.locator("table.weights tbody tr").first.locator("td").all_inner_texts()
    assert number(top[1]) == pytest.approx(100 * max(found["attention"][0]["weights"]), abs=0.0051)
    if language == "en":
        expect(page.locator(".results .note").first).to_contain_text("not what moved the number")
        expect(page.locator(".maps")).to_contain_text("Base")
    page.evaluate("document.querySelectorAll('.results details').forEach((one) => (one.open = false))")
    one.picture(f"forecast-{size['width']}-{theme}-{language}")
    one.check_fits()
    one.check_accessible()
    one.check()


def test_the_sentence_is_what_the_days_say(place, tab):
    """Two days here: no rank is told of two, but which day has most is."""
    one = opened(tab, place.at)
    one.page.locator("#series-name").select_option("north")
    ask(one.page)
    found = told(place, {"name": "north"})
    weights = np.array(found["attention"][0]["weights"]).reshape(HORIZON, CONTEXT).mean(axis=0)
    looked = {"2 days ago": weights[:24].sum(), "1 day ago": weights[24:].sum()}
    hangs = {day: sum(abs(v) for n, v in found["attribution"]["shares"].items() if n.endswith(day)) for day in looked}
    most, main = max(looked, key=looked.__getitem__), max(hangs, key=hangs.__getitem__)
    note = one.page.locator(".results .note").first
    expect(note).to_contain_text(f"{100 * looked[most]:.1f} %")
    expect(note).to_contain_text(f"same day, {most}" if most == main else f"hangs most on {main}")
    expect(note).not_to_contain_text("rank correlation")
    one.check()


TIMES, VALUES = HELD.time_s[-80:].tolist(), HELD.values[-80:, 0].tolist()
FORMS = {
    "csv": samples(),
    "csv without names": samples().partition("\n")[2],
    "json": json.dumps({"epoch_s": TIMES, "values": VALUES}),
    "pairs": json.dumps([list(pair) for pair in zip(TIMES, VALUES, strict=True)]),
    "records": json.dumps([{"time": t, "value": v} for t, v in zip(TIMES, VALUES, strict=True)]),
}  # fmt: skip


def test_samples_in_whatever_form_give_the_same_curve(place, tab):
    one = opened(tab, place.at)
    page = one.page
    found = page.evaluate(
        """async (texts) => {
          const { readSamples } = await import("/page/views/forecast/samples.js");
          return texts.map((text) => readSamples({ t: (key) => key }, text, []));
        }""",
        list(FORMS.values()),
    )
    for (one_series,) in found:
        assert one_series["epoch_s"] == HELD.time_s[-80:].tolist()
        assert one_series["values"] == HELD.values[-80:, 0].tolist()
    page.locator("#series-name").select_option("")
    page.locator("#samples-text").fill(FORMS["csv"])
    page.locator("#forecast-output").select_option("step")
    page.locator("#forecast-step").fill("3")
    ask(page)
    found = told(place, {"name": "north"}, "step 3")
    expect(page.locator(".results h3", has_text="Shares of the step 3")).to_be_visible()
    page.locator(".results summary").first.click()
    expect(page.locator("table.curve")).to_be_visible()
    first = page.locator("table.curve tbody tr").first.locator("td").first.inner_text()
    assert number(first) == pytest.approx(found["forecast"][0], abs=0.00051)
    one.check()


def test_a_file_of_two_series_one_of_them_bad(place, tab):
    one = opened(tab, place.at)
    page = one.page
    lines = samples().splitlines()
    text = "series,time,value\n" + "".join(f'"{HOSTILE}",{line}\n' for line in lines[1:])
    text += "".join(f"short,{line}\n" for line in lines[1:10])
    page.locator("#samples-file").set_input_files({"name": "s.csv", "mimeType": "text/csv", "buffer": text.encode()})
    expect(page.locator(".source .notes")).to_contain_text("s.csv: 89 samples, series: 2")
    ask(page)
    expect(page.locator(".results section h2").first).to_have_text(HOSTILE)
    page.get_by_label("Series", exact=True).last.select_option("1")
    expect(page.locator(".results .note.bad")).to_contain_text("9 steps before the forecast, 48 are the context")
    one.check()


WRONG = {
    "nothing": ("", "There are no samples yet"),
    "no json": ("[1, 2", "This begins like JSON and is none"),
    "no columns": ("a,b,c\n1,2,3\n", "No samples are found here"),
    "no number": ("time,value\n1767225600,<b>many</b>\n", "Row 1: \u201c<b>many</b>\u201d is no number"),
    "several": ("time,a,b\n1,2,3\n", "Several columns may be the value: a, b"),
    "numbers": ("[1, 2, 3]", "No samples are found here"),
    "null": ("[null]", "No samples are found here"),
}


def test_what_is_no_series_is_said_at_once(place, tab):
    one = opened(tab, place.at)
    one.page.locator("#series-name").select_option("")
    for text, said in WRONG.values():
        one.page.locator("#samples-text").fill(text)
        one.page.locator(".ask .main").click()
        expect(one.page.locator(".ask [role=alert]")).to_contain_text(said)
    one.check()


def test_what_the_service_refuses_is_told_in_its_words(place, tab):
    one = opened(tab, place.at)
    page = one.page
    page.locator("#series-name").select_option("")
    page.locator("#samples-text").fill("time,value\n2026-01-01T00:00:00,1\n2026-01-01T01:00:00,2\n")
    page.locator(".ask .main").click()
    expect(page.locator(".ask [role=alert]")).to_contain_text("does not say its zone")
    page.locator("#forecast-output").select_option("step")
    page.locator("#forecast-step").fill("0")
    page.locator(".ask .main").click()
    expect(page.locator(".ask [role=alert]")).to_have_text("The step is a whole number from 1 to 12.")
    assert all("400" in fault for fault in one.faults)


def test_what_is_taken_along_is_the_answer(place, tab, tmp_path: Path):
    one = opened(tab, place.at)
    page = one.page
    page.locator("#series-name").select_option(HOSTILE)
    ask(page)
    found = told(place, {"name": HOSTILE})
    with page.expect_download() as coming:
        page.get_by_role("button", name="The forecast as CSV").click()
    rows = list(csv.DictReader(io.StringIO(coming.value.path().read_text())))
    assert [float(row["forecast"]) for row in rows] == found["forecast"]
    assert {row["series"] for row in rows} == {HOSTILE}
    with page.expect_download() as coming:
        page.get_by_role("button", name="The shares as CSV").click()
    rows = list(csv.DictReader(io.StringIO(coming.value.path().read_text())))
    assert {row["player"]: float(row["share"]) for row in rows} == found["attribution"]["shares"]
    line = page.locator(".command pre").inner_text()
    subprocess.run(["bash", "-c", line], cwd=tmp_path, check=True, timeout=60)
    again = json.loads((tmp_path / "answer.json").read_text())["forecasts"][0]
    assert (again["forecast"], again["attribution"]["shares"]) == (found["forecast"], found["attribution"]["shares"])
    one.check()


def test_the_request_of_samples_is_a_file_for_its_command(place, tab, tmp_path: Path):
    one = opened(tab, place.at)
    page = one.page
    page.locator("#series-name").select_option("")
    page.locator("#samples-text").fill(samples())
    ask(page)
    with page.expect_download() as coming:
        page.get_by_role("button", name="The request as JSON").click()
    coming.value.save_as(tmp_path / "forecast.json")
    subprocess.run(["bash", "-c", page.locator(".command pre").inner_text()], cwd=tmp_path, check=True, timeout=60)
    found = told(place, {"name": "north"})
    assert json.loads((tmp_path / "answer.json").read_text())["forecasts"][0]["forecast"] == found["forecast"]
    one.check()


def test_it_is_not_listed_where_nothing_forecasts(tmp_path_factory, tab):
    registry, _ = tiny.publish(tmp_path_factory.mktemp("plain"))
    with running(registry, tiny.NAME, Settings(), write=lambda _: None) as at:
        one = tab(at.http)
        page = one.open("#/forecast")
        expect(page.locator("main .note")).to_have_text("No model that is served here forecasts.")
        assert page.locator("nav a").evaluate_all("all => all.map((one) => one.dataset.view)") == [
            "now", "explain", "models", "ingest",
        ]  # fmt: skip
        one.check()
