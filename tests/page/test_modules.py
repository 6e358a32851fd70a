"""The page's plain modules by themselves, run in the browser: events from bytes, numbers as text, addresses,
ranks, days."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from scipy.stats import spearmanr

from .feigned import Service, feigning

EVENTS = (
    'id: a-1\nevent: moment\ndata: {"x": 1}\n\n: heartbeat\n\n'
    "event: lost\ndata: {}\n\ndata: one\ndata: two\n\nid: 9\n\n"
)
WANTED = [
    {"event": "moment", "data": '{"x": 1}', "id": "a-1"},
    {"event": "lost", "data": "{}", "id": "a-1"},
    {"event": "message", "data": "one\ntwo", "id": "a-1"},
]


@pytest.fixture(scope="module")
def page(browser):
    with feigning(Service(nodes=("a",), every_s=5)) as at:
        page = browser.new_page()
        page.goto(at)
        yield page
        page.close()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["lf", "crlf", "cr"])
def test_events_are_read_however_the_bytes_are_cut(page, end):
    text = EVENTS.replace("\n", end) + end  # a CR by itself is an end only once the next character is there
    told = page.evaluate(
        """async (text) => {
          const { createParser } = await import("/page/stream.js");
          const all = [];
          for (let size = 1; size <= text.length; size++) {
            const found = [];
            const parse = createParser((event) => found.push(event));
            for (let at = 0; at < text.length; at += size) parse(text.slice(at, at + size));
            all.push(found);
          }
          return all;
        }""",
        text,
    )
    assert len(told) == len(text)
    assert all(found == WANTED for found in told)


def test_an_event_without_an_end_is_not_kept_for_ever(page):
    said = page.evaluate("""async () => {
      const { createParser } = await import("/page/stream.js");
      const parse = createParser(() => {});
      try {
        for (let k = 0; k < 100; k++) parse("x".repeat(1 << 16));
        return "kept";
      } catch (error) { return error.message; }
    }""")
    assert said == "an event without an end"


def test_numbers_are_rounded_as_python_rounds_them(page):
    drawn = random.Random(0)
    values = [drawn.gauss(0, 10 ** drawn.uniform(-4, 6)) for _ in range(2000)]
    values += [0.0, -0.0, -0.004, 0.005000001, 1e-9, 99.995, -1234567.891]
    told = page.evaluate(
        """async (values) => {
          const { createWords } = await import("/page/words.js");
          const words = createWords();
          return [values.map((v) => words.number(v)), values.map((v) => words.signed(v, 6)),
            [null, undefined, NaN, Infinity].map((v) => words.number(v))];
        }""",
        values,
    )
    minus = "\u2212"
    wanted = [f"{v:,.2f}" for v in values]
    assert told[0] == [("0.00" if w == "-0.00" else w).replace("-", minus) for w in wanted]
    wanted = [f"{v:+,.6f}" for v in values]
    assert told[1] == [(w[1:] if not float(w.replace(",", "")) else w).replace("-", minus) for w in wanted]
    assert told[2] == ["\u2013"] * 4


def test_addresses_lead_back_to_what_they_were_made_of(page):
    names = ["rack 1/node-2", "a?b#c%d", "\u202e", "\U0001f525", "..", "x" * 300, '"<>&', "%2F", "+ +"]
    told = page.evaluate(
        """async (names) => {
          const { parse, route } = await import("/page/router.js");
          return names.map((name) => { const { id, rest, query } = parse(route("now", [name], {at: name}));
            return [id, rest, query.get("at")]; });
        }""",
        names,
    )
    assert told == [["now", [name], name] for name in names], json.dumps(told)


def test_the_rank_is_spearmans(page):
    rng = np.random.default_rng(0)
    pairs = [rng.integers(0, 5, (2, n)).tolist() for n in (3, 4, 7, 7, 12)]
    found = page.evaluate(
        """async (pairs) => {
          const { rankCorrelation } = await import("/page/ranks.js");
          return pairs.map(([a, b]) => rankCorrelation(a, b));
        }""",
        pairs,
    )
    assert found == pytest.approx([spearmanr(a, b).statistic for a, b in pairs], abs=1e-12)


def test_keys_of_several_steps_are_spread_over_their_days(page):
    """Three days of 4 steps, keys of 3 steps: the second key lies on two days."""
    weights, covers = [0.5, 0.2, 0.2, 0.1, 0.1, 0.3, 0.5, 0.1], [[0, 3], [3, 6], [6, 9], [9, 12]]
    found = page.evaluate(
        """async ([weights, covers]) => {
          const { attended } = await import("/page/views/forecast/days.js");
          const layer = { layer: "l", query: ["a", "b"], key: ["1", "2", "3", "4"], weights };
          return attended(layer, { attends: { l: covers }, context: 12, step_s: 21600 }, [3, 2, 1]);
        }""",
        [weights, covers],
    )
    key = np.array(weights).reshape(2, 4).mean(axis=0)
    steps = np.repeat(key / 3, 3)
    assert found == pytest.approx([steps[:4].sum(), steps[4:8].sum(), steps[8:].sum()])
