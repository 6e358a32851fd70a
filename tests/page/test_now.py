"""The view of now, in a real browser: what is drawn is what the service says, and everybody can read it."""

from __future__ import annotations

import urllib.parse
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from .browser import NARROW, WIDE
from .feigned import BASE_W, Service, feigning, now_us

NODE = "rack 1/node-2"
SIZES = {"1280": WIDE, "390": NARROW}
HOSTILE = (
    '<img src=x onerror="document.title=1">', "\"'`{{}}${alert(1)}", "\u202egnp.exe\u202c مرحبا", "🔥🧯👩‍🚀", "n" * 200,
    "{a|b}{c}", "__proto__", "a/b?c#d%2Fe%", " ",
)  # fmt: skip


@pytest.fixture(scope="module")
def at():
    with feigning(Service(warnings={NODE: ["out_of_domain", "drift", "new_word"]}, stale=frozenset({NODE}))) as at:
        yield at


def opened(page: Page) -> None:
    """Until everything is drawn."""
    for part in (".sum[class='sum']", ".energy tbody tr"):
        expect(page.locator(part).first).to_be_visible()
    expect(page.locator(".sum:not(.energy)")).to_have_count(2)
    for at in range(3):  # the library's frame comes first, and what is in it with the next frame
        expect(page.locator(".detail .chart").nth(at).locator("svg text").first).to_be_visible()


def said(at: str, node: str, what: str, **query: Any) -> dict[str, Any]:
    answer = httpx.get(f"{at}/v1/nodes/{urllib.parse.quote(node, safe='')}/{what}", params=query)
    return answer.raise_for_status().json()


def number(text: str) -> str:
    """As Python writes it."""
    return text.strip().replace("\u2212", "-").replace("+", "").replace(",", "")


def column(page: Page, at: int, cell: int) -> dict[str, str]:
    """Numbers of the page's n-th sum by the part that each stands for."""
    rows = page.locator(".sum").nth(at).locator("tbody tr")
    found = {}
    for row in range(rows.count()):
        part = rows.nth(row).get_attribute("data-part")
        found[part] = number(rows.nth(row).locator("th, td").nth(cell).inner_text())
    return found


def still(page: Page) -> None:
    """No stream, and a window that ends where it first ended: what is on the page stays, though it is asked again."""
    page.route("**/v1/events", lambda route: route.abort())
    ends: list[int] = []

    def stays(route: Any) -> None:
        ends.append(window(route.request.url)[1])
        ending(route, ends[0])

    page.route("**/history?*", stays)


def window(url: str) -> tuple[int, int]:
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
    return int(query["from"][0]), int(query["to"][0])


def ending(route: Any, end: int) -> None:
    """Asked of the service as a window as long that ends then, in microseconds."""
    first, last = window(route.request.url)
    url = urllib.parse.urlsplit(route.request.url)
    query = dict(urllib.parse.parse_qsl(url.query)) | {"from": str(end - (last - first)), "to": str(end)}
    route.continue_(url=url._replace(query=urllib.parse.urlencode(query)).geturl())


def test_the_sums_on_the_page_are_those_of_the_service_to_the_last_digit(at, tab):
    page = tab(at).page
    still(page)
    asked: dict[str, Any] = {}

    def kept(answer: Any) -> None:
        for what in ("moment", "change", "energy"):
            if f"/{what}?" in answer.url:
                asked[what] = answer  # read later: two that are read at once may change places

    page.on("response", kept)
    page.goto(f"{at}/#/now/{urllib.parse.quote(NODE, safe='')}")
    opened(page)
    assert [column(page, at, 1) for at in range(3)] == sums(asked)

    one, shown = asked["moment"].json(), column(page, 0, 1)
    assert sum(float(shown[p]) for p in ("base", *one["groups"])) == pytest.approx(float(shown["predicted"]), abs=0.03)
    errors = column(page, 0, 2)
    assert {g: errors[g].removeprefix("± ") for g in one["groups"]} == {
        g: f"{e:.2f}" for g, e in one["stderr_w"].items()
    }
    drawn = page.locator(".pair .chart").first.locator("svg text").all_text_contents()
    assert set(shown.values()) <= {number(text) for text in drawn}
    assert float(column(page, 2, 2)["base"]) == BASE_W


def sums(asked: dict[str, Any]) -> list[dict[str, str]]:
    """The three sums of the page, as the service's answers have them."""
    one, change, kwh = (asked[what].json() for what in ("moment", "change", "energy"))
    whole = {"base": one["base_w"], **one["groups"], "predicted": one["prediction_w"],
             "unexplained": one["unexplained_w"], "measured": one["measured_w"]}  # fmt: skip
    changed = {**change["groups"], "predicted": change["prediction_change_w"]}
    energy = {"base": kwh["base_kwh"], **kwh["groups"], "predicted": kwh["prediction_kwh"],
              "unexplained": kwh["unexplained_kwh"], "measured": kwh["measured_kwh"]}  # fmt: skip
    return [
        {part: f"{value:.{digits}f}" for part, value in of.items()}
        for of, digits in ((whole, 2), (changed, 2), (energy, 6))
    ]


def test_what_is_drawn_over_time_adds_up(at, tab):
    """Read from the chart itself: the stacked bands end where base + parts ends, and the line is what was measured."""
    page = tab(at).page
    still(page)
    page.goto(f"{at}/#/now/{urllib.parse.quote(NODE, safe='')}")
    opened(page)
    series = page.evaluate("""async () => {
      const library = await import("/page/vendor/echarts.esm.min.mjs");
      return library.getInstanceByDom(document.querySelector(".chart")).getOption().series
        .map(({name, stack, data}) => ({name, stack, data}));
    }""")
    line = {one["name"]: one["data"] for one in series if one["name"] in ("measured", "prediction", "base")}
    bands = [one["data"] for one in series if one.get("stack")]
    assert len(bands) == 2 * (1 + 4 + 1)
    for k in range(len(line["measured"])):
        up, down = (sum(band[k][1] for band in half) for half in (bands[:6], bands[6:]))
        base = line["base"][k][1]
        assert (up - base) + (down - base) + base == pytest.approx(line["measured"][k][1], abs=1e-9)
        rest = bands[5][k][1] + bands[11][k][1]
        assert line["prediction"][k][1] + rest == pytest.approx(line["measured"][k][1], abs=1e-9)
    assert any(band[k][1] < 0 for band in bands[7:] for k in range(len(band)))  # some part takes away


def test_moments_far_apart_are_not_joined_and_near_ones_are(at, tab):
    """A history of uneven steps, with one gap longer than half a minute: one hole in the drawing, both marks in it."""
    page = tab(at).page
    still(page)
    steps = [10_000_000] * 9 + [300_000_000] + [700_001] * 40
    times = [now_us() + sum(steps[:k]) - sum(steps) for k in range(len(steps) + 1)]

    def uneven(route: Any) -> None:
        answer = route.fetch().json()
        service = Service()
        moments = [service.moment(NODE, t) for t in times]
        for name in ("measured_w", "prediction_w", "unexplained_w", "status"):
            answer[name] = [m[name] for m in moments]
        for name in ("groups", "stderr_w"):
            answer[name] = {g: [m[name][g] for m in moments] for g in service.groups}
        answer |= {"t_us": times, "bases_w": [BASE_W] * len(times), "mean_s": [0.0] * len(times)}
        route.fulfill(json=answer)

    page.route("**/history?*", uneven)
    page.goto(f"{at}/#/now/{urllib.parse.quote(NODE, safe='')}")
    opened(page)
    holes = page.evaluate("""async () => {
      const library = await import("/page/vendor/echarts.esm.min.mjs");
      const {series} = library.getInstanceByDom(document.querySelector(".chart")).getOption();
      return series.find((one) => one.name === "measured").data.map(([, value], at) => value === null ? at : -1)
        .filter((at) => at >= 0);
    }""")
    assert holes == [10]
    texts = page.locator(".chart").first.locator("svg text").all_text_contents()
    assert {"A", "B", f"Base {BASE_W:.2f}"} <= set(texts)


def test_warnings_stand_in_words(at, tab):
    page = tab(at).open(f"#/now/{urllib.parse.quote(NODE, safe='')}")
    notes = page.locator(".notes .note")
    expect(notes).to_have_count(4)
    codes = [notes.nth(k).get_attribute("data-code") for k in range(4)]
    assert codes == ["stale", "out_of_domain", "drift", "new_word"]
    expect(notes.nth(1)).to_contain_text("outside the range")
    expect(notes.nth(3)).to_have_text("new_word")
    expect(page.locator("tr[aria-current] .c-remarks")).to_have_text("stale +3")


def test_another_moment_is_chosen_by_keyboard_and_by_a_click(at, tab):
    page = tab(at).page
    still(page)
    page.goto(f"{at}/#/now/{urllib.parse.quote(NODE, safe='')}")
    opened(page)
    title = page.locator("h3", has_text="Moment B")
    before = title.inner_text()
    page.locator("#moment-at").focus()
    shown = set()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
        shown.add(page.locator("output").nth(1).inner_text())  # at once, before anything else is drawn
    assert len(shown) == 5
    expect(title).not_to_have_text(before)
    expect(page.get_by_role("button", name="Follow")).to_be_enabled()
    asked = page.locator("output").nth(1).inner_text()
    expect(title).to_contain_text(asked)
    box = page.locator(".chart").first.bounding_box()
    with page.expect_response("**/moment?*") as answer:
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    assert answer.value.ok
    expect(title).not_to_contain_text(asked)
    changed = page.locator("h3", has_text="What changed")
    moment = title.inner_text().split()[-1]
    expect(changed).to_contain_text(f"B {moment}")  # what the click itself asks for is asked for
    fold = page.locator("figure", has=changed).locator("details")
    fold.locator("summary").click()
    page.locator("#moment-since").focus()
    with page.expect_request("**/change?*") as asking:  # not the next answer: the click's own may still be on its way
        page.keyboard.press("ArrowRight")
    told = asking.value.response().json()
    start = told["start"]["timestamp_us"]
    expect(changed).to_contain_text(
        page.evaluate("(us) => new Date(us / 1000).toLocaleTimeString('en', {hour12: false})", start)
    )
    expect(fold).to_contain_text(f"{abs(told['features'][0]['change_w']):.2f}")
    expect(fold.locator("table")).to_be_visible()  # what was opened stays open
    page.get_by_role("button", name="Follow").click()
    expect(page.get_by_role("button", name="Follow")).to_be_disabled()


def test_a_slider_in_use_keeps_its_time_while_the_window_moves_on(at, tab):
    page = tab(at).page
    still(page)
    behind = {"s": 60}
    page.route("**/history?*", lambda route: ending(route, now_us() - behind["s"] * 1_000_000))
    page.goto(f"{at}/#/now/{urllib.parse.quote(NODE, safe='')}")
    opened(page)
    slider, told = page.locator("#moment-at"), page.locator("output").nth(1)
    slider.focus()
    page.keyboard.press("ArrowLeft")
    shown, stood = told.inner_text(), float(slider.input_value())
    behind["s"] = 0  # the service is asked again by and by: the window is a minute later then
    page.wait_for_function("(stood) => Number(document.querySelector('#moment-at').value) < stood - 50000", arg=stood)
    # Of fifteen minutes every second moment is sent, and which ones changes with the window: the nearest is shown.
    kept = seconds(told.inner_text())
    assert (kept - seconds(shown)) % 86400 in (0, 2, 86400 - 2)
    page.keyboard.press("ArrowLeft")
    assert (kept - seconds(told.inner_text())) % 86400 in (2, 4, 6)


def test_a_chart_that_ends_early_is_asked_for_again_until_it_does_not(at, tab):
    """A service that has just started takes up what lies in its lake; the next look at all is half a minute off."""
    page = tab(at).page
    page.route("**/v1/events", lambda route: None)  # nothing is heard, and nothing said of that
    asked: list[int] = []

    def early(route: Any) -> None:
        asked.append(now_us())
        ending(route, now_us() - (500_000_000 if len(asked) < 5 else 0))

    page.route("**/history?*", early)
    page.goto(f"{at}/#/now/{urllib.parse.quote(NODE, safe='')}")
    opened(page)
    shown = page.locator("output").nth(1)
    before = seconds(shown.inner_text())
    with page.expect_response(lambda answer: "/history?" in answer.url and len(asked) == 5):
        pass
    assert asked[4] - asked[0] < 50e6
    page.wait_for_timeout(4000)  # drawn, and not asked for again
    assert 490 <= (seconds(shown.inner_text()) - before) % 86400 < 600
    assert len(asked) == 5


def seconds(told: str) -> int:
    """Of the day, from its time as the page writes it."""
    hours, minutes, rest = map(int, told.split()[-1].split(":"))
    return (hours * 60 + minutes) * 60 + rest


def test_nodes_are_found_and_sorted(at, tab):
    page = tab(at).page
    still(page)
    page.goto(at)
    names = page.locator(".nodes tbody th")
    expect(names).to_have_count(3)
    page.get_by_role("button", name="Measured").click()
    watts = [float(text) for text in page.locator(".nodes tbody .c-measured").all_inner_texts()]
    assert watts == sorted(watts, reverse=True)
    expect(page.locator("th[aria-sort=descending]")).to_contain_text("Measured")
    expect(page.locator("#said")).to_contain_text("largest first")
    page.get_by_role("searchbox").fill("RACK 2")
    expect(names).to_have_count(1)
    expect(page.locator(".list [role=status]")).to_have_text("1 of 3")


def test_the_table_alone_has_all_columns(at, tab):
    page = tab(at).page
    still(page)
    page.goto(at)
    opened(page)
    expect(page.locator("tr[aria-current]")).to_have_count(1)
    page.get_by_role("link", name="Close").click()
    expect(page.locator(".detail")).to_have_count(0)
    expect(page.locator("tr[aria-current]")).to_have_count(0)
    now = {one["node"]: one for one in httpx.get(f"{at}/v1/now").json()["nodes"]}
    assert page.locator("thead th:visible").count() == 8
    bars = page.locator(".nodes tbody tr").first.locator(".c-parts rect")
    widths = [float(bars.nth(k).get_attribute("width")) for k in range(bars.count())]
    assert len(widths) == len(next(iter(now.values()))["groups"])
    assert 0 < sum(widths) <= 200
    page.locator(".nodes tbody a").nth(2).click()
    expect(page.locator("#node-title")).to_have_text(page.locator(".nodes tbody a").nth(2).inner_text())


def test_the_table_alone_stays_within_its_panel_on_a_phone(at, tab):
    one = tab(at, NARROW)
    page = one.open("#/now")
    expect(page.locator(".nodes .c-remarks").nth(1)).to_be_visible()
    expect(page.locator(".beside.opened")).to_have_count(0)
    one.check_fits()
    ends = page.evaluate("[...document.querySelectorAll('.nodes, .list')].map((e) => e.getBoundingClientRect().right)")
    assert max(ends) <= page.evaluate("document.querySelector('.list').getBoundingClientRect().right"), ends


def test_the_window_is_chosen(at, tab):
    page = tab(at).page
    still(page)
    page.goto(at)
    opened(page)

    def of_an_hour(answer: Any) -> bool:  # by itself the page asks again for the window that it had
        return "/history?" in answer.url and window(answer.url)[1] - window(answer.url)[0] == 3_600_000_000

    with page.expect_response(of_an_hour) as answer:
        page.get_by_label("Window").select_option("60")
    assert answer.value.ok
    expect(page.locator("h3", has_text="Energy of the last 1 hour")).to_be_visible()


def test_energy_of_all_nodes(at, tab):
    page = tab(at).page
    still(page)
    page.goto(at)
    opened(page)
    page.get_by_role("button", name="All nodes").click()
    rows = page.locator(".energy.all tbody tr")
    expect(rows).to_have_count(3)


def test_energy_that_comes_after_another_window_was_chosen_is_not_shown(at, tab):
    page = tab(at).page
    still(page)
    page.goto(at)
    opened(page)
    held: list[Any] = []
    page.route("**/energy?*", lambda route: held.append(route) if len(held) < 3 else route.continue_())
    button = page.get_by_role("button", name="All nodes")
    button.click()
    expect(button).to_be_disabled()
    page.get_by_label("Window").select_option("60")
    expect(page.locator("h3", has_text="Energy of the last 1 hour")).to_be_visible()
    for route in held:
        route.continue_()
    expect(button).to_be_enabled()
    expect(page.locator(".energy.all")).to_have_count(0)  # it was of 15 minutes


def test_the_same_two_moments_are_compared_again_after_one_was_both(at, tab):
    page = tab(at).page
    still(page)
    page.goto(f"{at}/#/now/{urllib.parse.quote(NODE, safe='')}")
    opened(page)
    figure = page.locator("figure", has=page.locator("h3", has_text="What changed"))
    since = page.locator("#moment-since")
    since.fill("0")
    expect(figure.locator("table.sum")).to_be_visible()
    since.fill(since.get_attribute("max") or "")
    expect(figure).to_contain_text("A and B are the same moment")
    since.fill("0")
    expect(figure).not_to_contain_text("A and B are the same moment")
    expect(figure.locator("table.sum")).to_be_visible()


@pytest.mark.parametrize(
    ("size", "colours", "language"),
    [("1280", "light", "en"), ("1280", "dark", "zh"), ("390", "dark", "en"), ("390", "light", "zh")],
)
def test_it_is_legible_and_accessible(at, tab, size, colours, language):
    one = tab(at, SIZES[size], color_scheme=colours, locale={"en": "en-GB", "zh": "zh-CN"}[language])
    page = one.open(f"#/now/{urllib.parse.quote(NODE, safe='')}")
    opened(page)
    for fold in page.locator("details summary").all():
        fold.click()
    one.picture(f"now-{size}-{colours}-{language}")
    one.check_fits()
    one.check_accessible()
    one.check()


def test_names_from_data_are_only_ever_text(tab):
    groups = (*HOSTILE[:6], "idle")
    with feigning(Service(nodes=HOSTILE, groups=groups)) as at:
        for size, names in ((WIDE, HOSTILE[:6]), (NARROW, HOSTILE[4:5])):
            one = tab(at, size)
            page = one.open()
            expect(page.locator(".nodes tbody tr")).to_have_count(len(HOSTILE))
            for name in names:
                page.goto(f"{at}/#/now/{urllib.parse.quote(name, safe='')}")
                expect(page.locator("#node-title")).to_contain_text(name[:60])
                opened(page)
            assert page.title() == "Now · Ascribe"
            assert page.locator("main img").count() == 0
            one.picture(f"hostile-{size['width']}")
            one.check_fits()
            one.check()


def test_an_empty_service_says_what_it_waits_for(tab):
    with feigning(Service(nodes=())) as at:
        one = tab(at)
        page = one.open()
        expect(page.locator(".note")).to_contain_text("No node was heard of yet")
        one.check_accessible()
        one.check()
