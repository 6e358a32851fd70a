"""What goes wrong with telemetry, done to a table whose truth is known."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ascribe.core.errors import InputError, SchemaError
from ascribe.core.forecast import origins, rows, window_of
from ascribe.core.forecast.gaps import Rules
from ascribe.core.forecast.scaling import Scaling, fit_scaling
from ascribe.train.series.moments import moments
from ascribe.train.series.read import mended
from tests.train.series.made import HOUR, START, hourly, options, same

TABLE = hourly()
NOW = (START + timedelta(days=20)).timestamp()


def read(table, **changes):
    return mended(table, options(**changes), Rules())


def kinds(found):
    return {(m.kind, m.series, m.count) for m in found.mends}


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from(["long", "text", "epoch", "ms"]))
def test_shuffles_and_repeats_give_the_same_series(seed, form):
    rng = np.random.default_rng(seed)
    gone = rng.choice(len(TABLE) - 4, 40, replace=False) + 2
    kept = np.setdiff1d(np.arange(len(TABLE)), gone)
    plain = read(TABLE[kept.tolist()])
    order = rng.permutation(np.concatenate([kept, rng.choice(kept, 25)]))
    table = TABLE[order.tolist()]
    if form == "text":
        table = table.with_columns(
            pl.col("time").dt.convert_time_zone("Asia/Kolkata").dt.strftime("%Y-%m-%d %H:%M:%S%:z")
        )
    elif form == "epoch":
        table = table.with_columns(pl.col("time").dt.epoch("s"))
    elif form == "ms":
        table = table.with_columns(pl.col("time").dt.epoch("ms"))
    again = read(table)
    same(plain.series, again.series)
    assert again.quarantine.is_empty()
    assert sum(m.count for m in again.mends if m.kind == "duplicate") == 25
    assert sum(m.count for m in plain.mends if m.kind == "gap") == 40


@settings(max_examples=25)
@given(st.integers(24 * 8, 24 * 19), st.integers(0, 10_000))
def test_nothing_from_the_test_part_reaches_rows_or_statistics(until, seed):
    """Gaps, repeats, outages on both sides; then everything at or after `until` is poisoned in five ways at once."""
    rng = np.random.default_rng(seed)
    keep = rng.random(len(TABLE)) > 0.05
    keep[[0, 1, -2, -1]] = True
    still = (np.arange(len(TABLE)) // 2 - until) // 15 == 0  # a run of one value across `until`
    dirty = TABLE.with_columns(bits=pl.when(pl.Series(still)).then(0.0).otherwise("bits")).filter(pl.Series(keep))
    later = pl.col("time") >= START + until * HOUR
    poison = dirty.filter(later).with_columns(bits=pl.lit(1e12) * pl.col("bits").sin())
    poisoned = pl.concat([
        dirty.filter(~later),
        poison.sample(fraction=0.7, shuffle=True, seed=seed),
        poison.tail(5).with_columns(bits=pl.lit(-7.0)),
        poison.sample(fraction=0.3, seed=seed).with_columns(time=pl.col("time") + timedelta(minutes=17)),
    ])  # fmt: skip
    one, other = read(dirty), read(poisoned)
    assert one.series.names == other.series.names and one.series.start_s == other.series.start_s
    same(one.series.cut(0, until), other.series.cut(0, until))
    window = window_of(one.series, 24 * 3, 24, derived=("lag_1d", "mean_6h"))
    at = np.array([[until, 0], [until, 1], [until - 5, 0]])
    sound = [o for o in at.tolist() if np.isfinite(one.series.values[o[0] - 24 * 4 - 6 : o[0], o[1]]).all()]
    X = rows(one.series, window, np.array(sound).reshape(-1, 2))
    assert X.tobytes() == rows(other.series, window, np.array(sound).reshape(-1, 2)).tobytes()
    for kind in ("standard", "min-max"):
        held = fit_scaling(one.series, window, until, kind)
        assert held == fit_scaling(other.series, window, until, kind) == Scaling.read(held.plain())
    assert fit_scaling(one.series, window, one.series.steps) != fit_scaling(other.series, window, other.series.steps)


def test_scaling_is_of_what_was_measured():
    series = read(TABLE.filter(pl.col("bits") < 215), exogenous=()).series
    window = window_of(series, 24, 24)
    held = fit_scaling(series, window, 200)
    seen = series.values[:200][series.observed[:200]]
    assert (held.centre[0], held.width[0]) == (seen.mean(), seen.std())
    assert held.centre[1:] == (0.0,) * 7 and held.width[1:] == (1.0,) * 7
    at = origins(series, window, 50, 300, 1)[:2]
    X = rows(series, window, at)
    np.testing.assert_allclose(
        held.forward(X).reshape(2, 24, 8)[:, :, 0], (X.reshape(2, 24, 8)[:, :, 0] - seen.mean()) / seen.std()
    )
    np.testing.assert_allclose(held.inverse(held.forward(X).reshape(2, 24, 8)[:, :, 0]), X.reshape(2, 24, 8)[:, :, 0])
    low = fit_scaling(series, window, 200, "min-max")
    assert (low.centre[0], low.width[0]) == (seen.min(), np.ptp(seen))
    with pytest.raises(InputError, match="no scaling 'robust'"):
        fit_scaling(series, window, 200, "robust")


def test_bad_rows_are_put_aside_with_their_reason():
    bad = pl.DataFrame(
        {
            "time": ["2024-01-05T00:00:00Z", "yesterday", None, "2024-01-05T02:00:00Z", "2031-01-01T00:00:00Z",
                     "2024-01-05T03:00:00Z", "1970-01-01T00:00:07Z"],
            "link": ["north", "north", "south", None, "north", "south", "north"],
            "bits": ["12,5", "1", "2", "3", "4", "", "5"],
        }
    )  # fmt: skip
    text = TABLE.with_columns(pl.col("time").dt.strftime("%Y-%m-%dT%H:%M:%SZ"), pl.col("bits").cast(pl.String))
    found = read(pl.concat([text, bad]), now_s=NOW)
    same(found.series, read(TABLE).series)
    told = dict(zip(found.quarantine["row"].to_list(), found.quarantine["reason"].to_list(), strict=True))
    n = len(TABLE)
    assert told == {
        n: "not a number in bits (12,5)", n + 1: "no time ('yesterday')", n + 2: "no time", n + 3: "no series",
        n + 4: "a time in the future", n + 6: "a time far from all others",
    }  # fmt: skip
    assert found.quarantine["bits"].to_list() == ["12,5", "1", "2", "3", "4", "5"]  # as they came
    assert {m.kind for m in found.mends} == {"unreadable", "future", "stray", "order"}  # the empty one came late
    assert sum(m.count for m in found.mends) == 7
    without = read(pl.concat([text, bad.head(1)]))  # no clock: nothing is the future
    assert kinds(without) == {("unreadable", "", 1)}
    chosen = read(pl.concat([text, bad.head(1)]), only=("north",))
    assert chosen.quarantine["row"].to_list() == [n]  # of the table, also where other series are left out


def test_a_wide_column_that_was_not_chosen_puts_no_row_aside():
    wide = TABLE.pivot("link", index="time", values="bits").with_columns(south=pl.lit("broken"))
    seen = mended(wide, options(value=("north", "south"), series=None, only=("north",)), Rules())
    assert seen.quarantine.is_empty() and seen.series.names == ("north",)


@pytest.mark.parametrize("name", ["row", "reason"])
def test_a_column_called_as_the_quarantines_own_is_refused_by_name(name):
    with pytest.raises(SchemaError, match=f"the columns {name} are named by the quarantine: rename them"):
        mended(TABLE.rename({"bits": name}), options(value=(name,)), Rules())


def test_when_no_row_is_left_the_first_reason_is_told():
    with pytest.raises(InputError, match="put aside because: a time in the future"):
        read(TABLE, now_s=1.0)
    with pytest.raises(SchemaError, match=r"column link holds no numbers \(first: 'north'\)"):
        mended(TABLE, options(value=("link",), series=None), Rules())
    with pytest.raises(SchemaError, match=r"column bits holds no numbers \(Datetime"):
        mended(TABLE.with_columns(bits="time"), options(), Rules())
    with pytest.raises(SchemaError, match="column time holds no times"):
        mended(TABLE.with_columns(time=pl.lit(True)), options(), Rules())
    with pytest.raises(InputError, match="no series of bits has two values"):
        read(TABLE.with_columns(bits=pl.lit(None, pl.Float64)))
    with pytest.raises(InputError, match="no time zone 'Europe/Atlantis'"):
        read(TABLE, zone="Europe/Atlantis")


def test_a_wrong_step_is_answered_with_the_right_one():
    with pytest.raises(InputError, match=r"the data has a step of 1h \(100% of neighbours\), not 5min: say --step 1h"):
        read(TABLE, step="5min")
    assert read(TABLE, step=None).series.step_s == 3600


def test_clocks_that_run_off_and_back():
    late = pl.col("time") + pl.when(pl.col("time").dt.hour() == 7).then(timedelta(minutes=4)).otherwise(timedelta(0))
    found = read(TABLE.with_columns(time=late))
    same(found.series, read(TABLE).series)
    assert kinds(found) == {("snapped", "all 2 series", 40)}
    assert "off the grid of 1h by up to 240 s" in found.mends[0].rule
    back = pl.concat([TABLE.head(400), TABLE[300:320].with_columns(pl.col("bits") + 2), TABLE[400:]])
    set_back = read(back)  # the clock jumped back ten hours: its samples say other things about hours that are known
    assert {(m.kind, m.count) for m in set_back.mends} == {("order", 20), ("duplicate", 20)}
    np.testing.assert_allclose(set_back.series.values[150:160], read(TABLE).series.values[150:160] + 1)


def local_table(zone, first, days):
    """Hourly in local time without a zone, in the order of the real hours; the value is the real hour."""
    start = datetime.fromisoformat(first).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    times = [(start + k * HOUR).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for k in range(24 * days)]
    return pl.DataFrame({"time": times, "bits": np.arange(24.0 * days)})


@pytest.mark.parametrize(("first", "days"), [("2024-10-20", 14), ("2024-03-24", 14), ("2024-07-01", 4)])
def test_daylight_saving_neither_loses_nor_invents_an_hour(first, days):
    table = local_table("Europe/Berlin", first, days)
    found = mended(table, options(series=None, zone="Europe/Berlin"), Rules())
    assert found.series.observed.all() and found.quarantine.is_empty()
    np.testing.assert_array_equal(found.series.values[:, 0], np.arange(24.0 * days))
    told = [datetime(1970, 1, 1) + timedelta(seconds=int(s)) for s in found.series.local_s]
    assert told == table["time"].to_list()
    assert kinds(found) == ({("hour twice", "", 2)} if first.startswith("2024-10") else set())


def test_offsets_of_whole_hours_and_years_that_no_calendar_has():
    texts = ["2024-01-01 00:00:00+00", "2024-01-01T02:00:00.5+01", "2024-01-01T02:00-0530", "2024-01-01"]
    at = moments(pl.Series("time", texts), pl.Series("who", [""] * 4), None)
    assert at.time_s.tolist() == [1704067200 + s for s in (0, 3600.5, 27000, 0)] and at.naive.tolist() == [
        False
    ] * 3 + [True]
    far = moments(pl.Series("time", [-7e10, 1.7e9, 1e300]), pl.Series("who", [""] * 3), "Europe/London")
    assert far.reason == ["no time ('-70000000000.0')", "", "no time ('1e+300')"]


def test_an_hour_that_daylight_saving_left_out_is_put_aside():
    table = pl.concat([
        local_table("Europe/Berlin", "2024-03-24", 14),
        pl.DataFrame({"time": [datetime(2024, 3, 31, 2, 0)], "bits": [999.0]}),
    ])  # fmt: skip
    found = mended(table, options(series=None, zone="Europe/Berlin"), Rules())
    assert found.quarantine["reason"].to_list() == [
        "no such time in Europe/Berlin (2024-03-31 02:00:00): clocks were put forward"
    ]
    assert found.series.observed.all() and kinds(found) == {("missing hour", "", 1)}


def test_local_times_without_a_zone_are_utc_and_this_is_said():
    table = local_table("UTC", "2024-07-01", 4)
    found = mended(table, options(series=None), Rules())
    assert kinds(found) == {("zone", "", 96)} and "taken as UTC" in found.mends[0].rule
    assert found.zone == "UTC" and (found.series.local_s == found.series.time_s).all()


def test_dead_and_constant_series_outages_and_shifts_in_one_table():
    north, hour = pl.col("link") == "north", pl.col("time").dt.epoch("s") // 3600 - int(START.timestamp()) // 3600
    wide = hourly(40, ("north", "south", "east", "west"))
    bits = (
        pl.when((pl.col("link") == "south") & (hour >= 700)).then(None)
        .when(pl.col("link") == "east").then(5.0)
        .when(north & hour.is_between(300, 319)).then(0.0)
        .when((pl.col("link") == "west") & (hour >= 480)).then(pl.col("bits") + 2000)
        .otherwise("bits")
    )  # fmt: skip
    found = read(wide.with_columns(bits=bits))
    told = {(m.kind, m.series) for m in found.mends}
    assert told == {("gap", "south"), ("dead", "south"), ("constant", "east"), ("outage", "north"), ("shift", "west")}
    outage = next(m for m in found.mends if m.kind == "outage")
    assert outage.count == 14 and outage.rule == "0 for 14 steps, out of character; the same time a week before"
    series = found.series
    j = series.names.index("north")
    np.testing.assert_array_equal(series.values[306:320, j], series.values[306 - 168 : 320 - 168, j])
    assert not series.observed[306:320, j].any() and series.observed[300:306, j].all()
    assert found.lineage()["mended"]["counts"]["outage"] == 14


def test_exogenous_columns_go_along_and_may_stand_still():
    table = TABLE.with_columns(holiday=pl.lit(0.0), load=pl.col("bits") * 2)
    table = table.filter(~((pl.col("link") == "north") & (pl.col("time") == START + 50 * HOUR)))
    found = read(table, exogenous=("holiday", "load"))
    series = found.series
    assert series.exogenous_names == ("holiday", "load") and np.isfinite(series.exogenous).all()
    assert (series.exogenous[:, :, 0] == 0).all() and kinds(found) == {("gap", "north", 1)}
    np.testing.assert_array_equal(series.exogenous[:, :, 1], 2 * series.values)
    wide = TABLE.pivot("link", index="time", values="bits").with_columns(load=pl.col("north"))
    both = mended(wide, options(series=None, value=("north", "south"), exogenous=("load",)), Rules())
    np.testing.assert_array_equal(both.series.exogenous[:, 1, 0], both.series.values[:, 0])
