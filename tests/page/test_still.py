"""Servers on which nothing moves, and nodes that are played again: both are said, and nothing is asked twice."""

from __future__ import annotations

from playwright.sync_api import expect

from ascribe.serve.app import running
from ascribe.serve.settings import Settings
from tests.serve import tiny

from .feigned import Service, feigning


def test_a_server_without_a_lake_says_so_and_is_left_alone(tmp_path, tab):
    registry, _ = tiny.publish(tmp_path)
    with running(registry, tiny.NAME, Settings(), write=lambda _: None) as at:
        one = tab(at.http)
        asked: list[str] = []
        one.page.on("request", lambda request: asked.append(request.url))
        page = one.open()
        expect(page.locator("main .note")).to_contain_text("start it with --lake LAKE")
        expect(page.locator("#stream")).to_be_hidden()
        page.wait_for_timeout(2000)
        assert not [url for url in asked if "/v1/events" in url or "/v1/now" in url]
        page.get_by_label("Language").select_option("zh")
        expect(page.locator("main .note")).to_contain_text("--lake LAKE")
        one.picture("now-no-lake")
        one.check_accessible()
        one.check()


def test_a_stream_that_is_not_there_is_asked_for_once(tab):
    """A service that was started with a lake and sends no events all the same, such as behind a proxy."""
    with feigning(Service(events=False)) as at:
        one = tab(at)
        asked: list[str] = []
        one.page.on("request", lambda request: "/v1/events" in request.url and asked.append(request.url))
        page = one.open()
        expect(page.locator("main .note.warn")).to_contain_text("sends no events")
        expect(page.locator(".nodes tbody tr")).to_have_count(3)
        page.wait_for_timeout(3000)  # a first retry would come after half a second
        assert len(asked) == 1
        assert all("404" in fault for fault in one.faults)


def test_nodes_of_a_replay_are_said_to_be_one(tab):
    for nodes, seen in ((("replay/1", "replay/2"), True), (("rack/1",), False)):
        with feigning(Service(nodes=nodes)) as at:
            one = tab(at)
            page = one.open()
            expect(page.locator(".nodes tbody tr")).to_have_count(len(nodes))
            expect(page.get_by_text("are recorded rows played again")).to_be_visible(visible=seen)
            one.check()
