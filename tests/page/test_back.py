"""What could not be had is asked for again: a server that was away, one that has only begun, a node fallen silent."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from ascribe.serve.app import running
from ascribe.serve.settings import Settings
from tests.serve import tiny

from .feigned import Service, feigning


class Away:
    """The service's calls come to nothing while `away`."""

    def __init__(self, page: Page) -> None:
        self.away = True
        page.route("**/v1/**", lambda route: route.abort() if self.away else route.continue_())


@pytest.mark.parametrize(
    ("view", "there"), [("explain", ".asked option"), ("models", ".version"), ("ingest", "main .note")]
)
def test_a_view_that_was_opened_while_the_service_was_away_is_filled_once_it_is_back(tmp_path, tab, view, there):
    registry, _ = tiny.publish(tmp_path)
    with running(registry, tiny.NAME, Settings(), write=lambda _: None) as at:
        page = tab(at.http).page
        service = Away(page)
        page.goto(f"{at.http}/#/{view}")
        expect(page.locator("main [role=alert]").first).to_have_text("The service does not answer.")
        service.away = False
        expect(page.locator(there).first).to_be_attached()
        expect(page.locator("main [role=alert]")).to_have_count(0)


def test_what_a_model_offers_is_asked_for_again_with_the_next_question(tmp_path, tab):
    registry, _ = tiny.publish(tmp_path)
    with running(registry, tiny.NAME, Settings(), write=lambda _: None) as at:
        page = tab(at.http).page
        page.route("**/explainers", lambda route: route.abort(), times=1)
        page.goto(f"{at.http}/#/explain")
        expect(page.locator("main [role=alert]")).to_have_text("The service does not answer.")
        page.get_by_label("Paste rows").fill(json.dumps(tiny.ROW))
        page.get_by_role("button", name="Explain", exact=True).click()
        expect(page.locator(".results .chart svg").first).to_be_visible()
        expect(page.locator("main [role=alert]")).to_have_count(0)


def test_nodes_come_once_a_service_that_was_away_or_busy_answers(tab):
    with feigning(Service()) as at:
        busy = {"detail": "the nodes are still being looked at: ask again"}
        for answer in (lambda route: route.fulfill(status=503, json=busy), lambda route: route.abort()):
            one = tab(at)
            one.page.route("**/v1/now*", answer, times=1)
            page = one.open()
            expect(page.locator("main [role=alert]")).to_be_visible()
            expect(page.locator(".nodes tbody tr")).to_have_count(3)
            expect(page.locator("main [role=alert]")).to_have_count(0)


def test_a_node_that_falls_silent_is_stale_without_an_event(tab):
    """And the last values are drawn without those that are none."""
    service = Service(nodes=("rack 1", "rack 2"))
    with feigning(service) as at:
        one = tab(at)
        one.page.clock.install()
        one.page.route("**/v1/events*", lambda route: route.fulfill(content_type="text/event-stream", body=""))

        held: list[int] = []

        def gap(route: Any) -> None:
            told = httpx.get(route.request.url).json()
            told["nodes"][0]["spark"][3:5] = [None, None]
            held.append(len(told["nodes"][0]["spark"]))
            route.fulfill(json=told)

        one.page.route("**/v1/now*", gap)
        page = one.open()
        expect(page.locator(".nodes tbody tr")).to_have_count(2)
        points = page.locator(".nodes polyline").first.get_attribute("points") or ""
        heights = [float(point.split(",")[1]) for point in points.split()]
        assert sum(height > max(heights) - 0.5 for height in heights) < len(heights) / 2  # no fall to nothing
        assert len(heights) == held[0] - 2
        service.stale = frozenset({"rack 1"})
        page.clock.run_for(31_000)
        expect(page.locator(".nodes tbody tr.stale")).to_have_count(1)
        expect(page.locator(".nodes tbody tr").first.locator(".c-remarks")).to_have_text("stale")


def test_one_of_several_models_or_channels_is_chosen_and_another_can_be(tmp_path, tab):
    registry, version = tiny.publish(tmp_path)
    from ascribe.bundle.registry import Registry

    Registry(registry).promote(tiny.NAME, version, tiny.AT, "canary")
    settings = Settings(lake=str(tmp_path / "lake"))
    with running(registry, f"{tiny.NAME},{tiny.NAME}@canary", settings, write=lambda _: None) as at:
        page = tab(at.http).open()
        choice = page.get_by_label("Model", exact=True)
        expect(choice).to_be_visible()
        expect(choice.locator("option")).to_have_text([f"{tiny.NAME}@canary", f"{tiny.NAME}@production"])
        expect(page.locator("main [role=alert]")).to_have_count(0)
        expect(page.locator("main")).to_contain_text(f"explained by {tiny.NAME}")
        expect(choice).to_have_value(f"{tiny.NAME}@production")
        with page.expect_request(lambda asked: "/v1/now?" in asked.url and "canary" in asked.url):
            choice.select_option(f"{tiny.NAME}@canary")
        expect(choice).to_have_value(f"{tiny.NAME}@canary")


def test_units_are_those_of_the_model(tab):
    def other(route: Any) -> None:
        route.fulfill(json=httpx.get(route.request.url).json() | {"unit": "celsius"})

    with feigning(Service()) as at:
        one = tab(at)
        one.page.route("**/v1/now*", other)
        page = one.open()
        expect(page.locator(".nodes thead .c-measured")).to_have_text("Measured, celsius")
        expect(page.locator("main .energy")).to_have_count(0)
        one.check()
