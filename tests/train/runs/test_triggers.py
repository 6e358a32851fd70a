"""When a run is due, and what is waited for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ascribe.core.drifted import Drift, Shift, Thresholds
from ascribe.train.runs.record import Run, stamp
from ascribe.train.runs.triggers import Seen, Triggers, awaited, due

NOW = 1_800_000_000.0
HOUR = 3600.0
SEEN = Seen(lake_version=7, count=1000, code="c1", production="v1")
LAST = Run(
    "r1", "power", "lake", "registry", "production", "p", "c1", 7, ("manual",), "promoted",
    stamp(NOW - 2 * HOUR), stamp(NOW - 2 * HOUR), count=1000, version="v1",
)  # fmt: skip
NEWER = replace(SEEN, lake_version=8, count=1300)
ONLY = Triggers(min_new_rows=None, drift=False, code=False)
STILL = Shift("busy", "", 0.3, 0.1, 0.5, 0.0, 1.0, 1.0, 1.0, (0.0, 1.0), (1.0,), (1.0,))
DRIFTED = Drift(
    "power", "v1", stamp(NOW), "", "", 100, 100, 0, (STILL,), STILL, (), None, 1.0, 0.005, 20, "", Thresholds(),
    "drifted", ("predictions drifted",),
)  # fmt: skip


@pytest.mark.parametrize(
    ("last", "seen", "settings", "drift", "reasons"),
    [
        (LAST, SEEN, Triggers(100), None, ()),
        (LAST, NEWER, Triggers(300), None, ("300 new rows",)),
        (LAST, NEWER, Triggers(301), None, ()),
        (LAST, NEWER, replace(ONLY, every_s=HOUR), None, ("2 h since the last run",)),
        (LAST, NEWER, replace(ONLY, every_s=3 * HOUR), None, ()),
        (LAST, SEEN, replace(ONLY, every_s=HOUR), None, ()),  # nothing new to learn from
        (LAST, replace(SEEN, code="c2"), Triggers(), None, ("new code c2",)),
        (LAST, replace(SEEN, code="c2"), ONLY, None, ()),
        (LAST, NEWER, Triggers(), DRIFTED, ("drift: predictions drifted",)),
        (LAST, SEEN, Triggers(), DRIFTED, ()),
        (LAST, NEWER, ONLY, DRIFTED, ()),
        (LAST, NEWER, Triggers(), replace(DRIFTED, word="watch"), ()),
        (LAST, NEWER, Triggers(), replace(DRIFTED, version="v0"), ()),  # of a version that no longer serves
        (replace(LAST, ended=stamp(NOW - 60)), NEWER, Triggers(), DRIFTED, ()),  # just tried
        (LAST, replace(NEWER, code="c2"), Triggers(300, HOUR), DRIFTED,
         ("300 new rows", "2 h since the last run", "new code c2", "drift: predictions drifted")),
        (replace(LAST, status="refused"), NEWER, Triggers(300), None, ("300 new rows",)),
        (replace(LAST, status="running"), SEEN, ONLY, None, ("run r1 was not finished",)),
        (replace(LAST, status="stopped"), SEEN, ONLY, None, ("run r1 was not finished",)),
        (replace(LAST, status="failed"), SEEN, ONLY, None, ("run r1 failed: trying again",)),
        (replace(LAST, status="failed", ended=stamp(NOW - 60)), NEWER, Triggers(1), None, ()),
        (None, SEEN, Triggers(1000), None, ("first run",)),
        (None, SEEN, Triggers(1001), None, ()),
        (None, SEEN, ONLY, None, ("first run",)),
        (None, SEEN, Triggers(1001, HOUR), None, ("first run",)),  # of a schedule, however few there are
        (None, Seen(None, 0, "c1"), Triggers(1), None, ()),
        (LAST, Seen(None, 0, "c2"), Triggers(1), DRIFTED, ()),
    ],
)  # fmt: skip
def test_what_is_due(last, seen, settings, drift, reasons):
    assert due(NOW, last, seen, settings, drift) == reasons


@pytest.mark.parametrize(
    ("last", "seen", "settings", "words"),
    [
        (None, Seen(None, 0, "c1"), Triggers(), "the first rows of the lake"),
        (None, SEEN, Triggers(1500), "500 more rows for a first run"),
        (LAST, NEWER, Triggers(1000, 6 * HOUR), "700 more rows, 4 h to pass, drift, new code"),
        (LAST, SEEN, replace(ONLY, every_s=HOUR), "any new row"),
        (LAST, SEEN, ONLY, "nothing: every trigger is off"),
        (replace(LAST, status="failed", ended=stamp(NOW - 60), error="no room"), SEEN, Triggers(),
         "9 min before trying again: no room"),
    ],
)  # fmt: skip
def test_what_is_waited_for(last, seen, settings, words):
    assert awaited(NOW, last, seen, settings) == words
