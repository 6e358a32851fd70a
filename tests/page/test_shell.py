"""The page around its views, in a real browser: loading, languages, colours, tokens, restarts, wrong addresses."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.ports import held_port

from .browser import NARROW, WIDE
from .feigned import Service, feigning

MOST_BYTES = 2 << 20


@pytest.fixture(scope="module")
def at():
    with feigning(Service()) as at:
        yield at


def test_all_that_is_loaded_comes_from_here_and_is_small(at, tab):
    one = tab(at)
    session = one.context.new_cdp_session(one.page)
    session.send("Network.enable")
    sizes = []
    session.on("Network.loadingFinished", lambda told: sizes.append(told["encodedDataLength"]))
    page = one.open()
    expect(page.locator(".chart svg").first).to_be_visible()
    page.wait_for_timeout(300)
    assert 100_000 < sum(sizes) < MOST_BYTES
    assert page.evaluate(
        "performance.getEntriesByType('resource').every((one) => one.name.startsWith(location.origin))"
    )
    one.check()


def test_numbers_move_while_the_page_is_open(at, tab):
    page = tab(at).open()
    page.wait_for_function("() => document.querySelectorAll('.nodes tbody tr').length === 3")
    first = page.locator(".nodes tbody .c-measured").first.inner_text()
    assert float(first) > 50
    page.wait_for_function(
        "(before) => document.querySelector('.nodes tbody .c-measured').textContent !== before",
        arg=first,
    )


def test_the_language_is_changed_and_kept(at, tab):
    one = tab(at)
    page = one.open()
    expect(page.locator("h1")).to_have_text("Now")
    page.get_by_label("Language").select_option("zh")
    expect(page.locator("h1")).to_have_text("现在")
    assert page.evaluate("document.documentElement.lang") == "zh"
    page.reload()
    expect(page.locator("h1")).to_have_text("现在")
    left = page.evaluate("""() => [...document.querySelectorAll("main *")].flatMap((one) => [...one.childNodes])
      .filter((node) => node.nodeType === 3).map((node) => node.textContent)
      .filter((text) => /(now|shell)\\.[a-z_.]+/.test(text))""")
    assert left == []  # a text that is missing stands as its key
    one.check()


def test_the_browsers_language_is_the_first_one(at, tab):
    page = tab(at, locale="zh-CN").open()
    expect(page.locator("h1")).to_have_text("现在")


def test_colours_follow_the_system_until_somebody_chooses(at, tab):
    one = tab(at, color_scheme="dark")
    page = one.open()
    ground, dark, light = page.locator("html"), "rgb(21, 24, 28)", "rgb(255, 255, 255)"
    expect(ground).to_have_css("background-color", dark)
    page.get_by_label("Colours").select_option("light")
    expect(ground).to_have_css("background-color", light)
    page.reload()
    expect(ground).to_have_css("background-color", light)
    page.get_by_label("Colours").select_option("system")
    for _ in range(4):  # charts are drawn meanwhile, which look at the colours too
        for scheme, colour in (("light", light), ("dark", dark)):
            page.emulate_media(color_scheme=scheme)
            expect(ground).to_have_css("background-color", colour)
    one.check()


@pytest.mark.parametrize("hash_", ["", "#/", "#/nothing", "#/%", "#/now/%E0%A4%A", "#now", "#/now?model=%00"])
def test_a_wrong_address_shows_the_page_all_the_same(at, tab, hash_):
    one = tab(at)
    page = one.open(hash_)
    expect(page.locator("h1")).to_have_text("Now")
    expect(page.locator(".nodes tbody tr")).to_have_count(3)
    assert one.faults == []


def test_a_node_that_is_not_there_is_said(at, tab):
    page = tab(at).open("#/now/nobody")
    expect(page.locator(".note")).to_have_text("There is no node nobody here.")


def test_a_token_is_asked_for_and_kept_in_the_tab(tab):
    with feigning(Service(token="open sesame")) as at:
        one = tab(at)
        page = one.open()
        dialog = page.locator("dialog")
        expect(dialog).to_have_count(1)  # one, though several calls were refused
        expect(dialog.locator("input")).to_be_focused()
        one.check_accessible()
        dialog.locator("input").fill("wrong")
        page.keyboard.press("Enter")
        expect(page.locator("main .bad, dialog .bad").first).to_be_visible()
        page.reload()
        expect(dialog.locator(".bad")).to_have_text("The service does not take that token.")
        dialog.locator("input").fill("open sesame")
        page.keyboard.press("Enter")
        expect(page.locator(".nodes tbody tr")).to_have_count(3)
        expect(page.locator("#stream")).to_have_text("Live")
        page.reload()
        expect(page.locator(".nodes tbody tr")).to_have_count(3)
        expect(dialog).to_have_count(0)
        assert page.evaluate("[localStorage.getItem('ascribe.token'), document.cookie, location.href]")[:2] == [
            None,
            "",
        ]
        assert all("401" in fault for fault in one.faults)
        assert "sesame" not in page.url


def test_a_stream_that_is_refused_late_asks_for_no_second_token(tab):
    with feigning(Service(token="open sesame")) as at:
        one = tab(at)
        held: list[Any] = []
        one.page.route("**/v1/events", lambda route: held.append(route), times=1)
        page = one.open()
        page.locator("dialog input").fill("open sesame")
        page.keyboard.press("Enter")
        expect(page.locator(".nodes tbody tr")).to_have_count(3)
        held[0].continue_()  # without a token, as it was sent
        expect(page.locator("#stream")).to_have_text("Live")
        expect(page.locator("dialog")).to_have_count(0)


@pytest.fixture
def port():
    with held_port() as port:
        yield port


def test_a_restart_of_the_service_is_waited_out(port, tab):
    service = Service(every_s=0.2)
    with feigning(service, port) as at:
        one = tab(at)
        page = one.open()
        expect(page.locator("#stream")).to_have_text("Live")
    expect(page.locator("#stream")).to_have_text("Not connected: trying again")
    with feigning(service, port):
        expect(page.locator("#stream")).to_have_text("Live")
        moved = "document.querySelector('.nodes tbody .c-measured').textContent"
        before = page.evaluate(moved)
        page.wait_for_function(f"(before) => {moved} !== before", arg=before)
        assert service.heard[0] == ""
        assert service.heard[-1].isdigit()  # the id of the last event, so that what was missed can be sent
    assert all("ERR_CONNECTION" in fault or "ERR_INCOMPLETE" in fault or "ERR_EMPTY" in fault for fault in one.faults)


def test_a_service_that_is_away_is_said(tab):
    with feigning(Service()) as at:
        one = tab(at)
        one.page.route("**/v1/now*", lambda route: route.abort())
        page = one.open()
        expect(page.locator("main [role=alert]")).to_have_text("The service does not answer.")


def test_the_services_own_words_are_shown_as_text(tab):
    said = '{"title": "Bad", "status": 400, "detail": "<img src=x onerror=alert(1)> is not known", "code": "input"}'
    with feigning(Service()) as at:
        one = tab(at)
        answer = {"status": 400, "content_type": "application/problem+json", "body": said}
        one.page.route("**/v1/now*", lambda route: route.fulfill(**answer))
        page = one.open()
        alert = page.locator("main [role=alert]")
        expect(alert).to_have_text("The service says 400: <img src=x onerror=alert(1)> is not known")
        assert alert.locator("img").count() == 0


def test_the_keyboard_reaches_everything(at, tab):
    one = tab(at)
    page = one.open()
    expect(page.locator(".chart svg").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.locator("#skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("input[type=search]")).to_be_focused()
    page.locator(".nodes tbody a").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".nodes tbody a").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#node-title")).to_have_text("rack 1/node-2")
    one.check()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
@pytest.mark.parametrize("view", ["explain", "models", "ingest"])
def test_every_view_has_a_title_and_fits(at, tab, view, size):
    one = tab(at, size)
    page = one.open(f"#/{view}")
    expect(page.locator("h1")).to_be_visible()
    expect(page.locator("nav [aria-current=page]")).to_have_attribute("data-view", view)
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1]


def test_no_text_becomes_html(at, tab):
    one = tab(at)
    page = one.open()
    with page.expect_console_message(lambda said: "policy violated" in said.text or "TrustedHTML" in said.text):
        told = page.evaluate("""() => {
          try { document.createElement("p").innerHTML = "<b>x</b>"; return "taken"; }
          catch (error) { return error.name; }
        }""")
    assert told == "TypeError"
    assert any("policy violated" in fault or "TrustedHTML" in fault for fault in one.faults)
