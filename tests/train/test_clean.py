"""Cleaning: every row is learnt from or in quarantine with its first reason, and stays there as it was sent."""

from __future__ import annotations

from datetime import date, timedelta
from math import inf, isfinite, nan
from pathlib import Path

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ascribe.core.errors import InputError, SchemaError
from ascribe.core.features import Feature
from ascribe.train.clean import Cleaned, clean
from ascribe.train.units import BOUNDS, describe, read_units

FEATURES = (Feature("a"), Feature("cpu", "percent", 0, 100))
TARGET = Feature("watts", "W", 0, inf)


def table(**columns: list) -> pl.DataFrame:
    """Six sound rows, columns replaced as given."""
    sound = {"a": [1.0, 2, 3, 4, 5, 6], "cpu": [10.0, 20, 30, 40, 50, 60], "watts": [90.0, 80, 70, 60, 50, 40],
             "t": [0, 1, 2, 3, 4, 5], "node": ["x", "y", "x", "y", "x", "y"]}  # fmt: skip
    return pl.DataFrame(sound | columns, strict=False)


def reasons(found: Cleaned) -> dict[int, str]:
    return dict(found.quarantine.select("row", "reason").iter_rows())


def cleaned(frame: pl.DataFrame, time: str | None = "t", group: tuple[str, ...] = ()) -> Cleaned:
    return clean(frame, FEATURES, TARGET, time, group)


def test_sound_rows_pass_untouched():
    found = cleaned(table(), "t", ("node",))
    assert found.rows.drop("row").equals(table())
    assert found.rows["row"].to_list() == list(range(6))
    assert found.quarantine.is_empty()
    assert (found.features, found.constant, found.reasons) == (FEATURES, (), {})


@pytest.mark.parametrize("gap", [None, nan])
@pytest.mark.parametrize("column", ["a", "cpu", "watts"])
def test_a_missing_value_is_named(column, gap):
    values = table()[column].to_list()
    values[3] = gap
    assert reasons(cleaned(table(**{column: values}))) == {3: f"missing value in {column}"}


def test_a_missing_time_or_group_is_missing_too():
    assert reasons(cleaned(table(t=[0, None, 2, 3, 4, 5]))) == {1: "missing value in t"}
    found = cleaned(table(node=["x", "y", None, "y", "x", "y"]), "t", ("node",))
    assert reasons(found) == {2: "missing value in node"}


def test_columns_that_nobody_asked_for_may_be_empty():
    assert cleaned(table().with_columns(note=pl.lit(None, pl.String))).quarantine.is_empty()


def test_text_that_is_no_number_is_shown_as_sent():
    sent = ["1", "two", "3e0", "", "5,5", "inf"]
    found = cleaned(table(a=sent))
    assert reasons(found) == {
        1: "not a number in a (two)", 3: "not a number in a ()", 4: "not a number in a (5,5)",
        5: "not a number in a (inf)",
    }  # fmt: skip
    assert found.quarantine["a"].to_list() == ["two", "", "5,5", "inf"]
    assert found.rows["a"].to_list() == [1.0, 3.0]
    assert found.reasons == {"not a number in a": 4}


@pytest.mark.parametrize("infinite", [inf, -inf])
def test_infinity_is_no_number(infinite):
    assert reasons(cleaned(table(watts=[90.0, infinite, 70, 60, 50, 40]))) == {1: f"not a number in watts ({infinite})"}


def test_a_value_that_its_unit_cannot_have_is_out_of_range():
    found = cleaned(table(watts=[90.0, -0.5, 70, 60, 50, 40]))
    assert reasons(found) == {1: "out of range in watts (-0.5 W, possible 0..inf)"}


@pytest.mark.parametrize("percent", [-0.1, 100.01, 1e9])
def test_an_impossible_percentage_is_called_so(percent):
    found = cleaned(table(cpu=[10.0, 20, percent, 40, 50, 60]))
    assert found.reasons == {"impossible percentage in cpu": 1}
    assert reasons(found)[2].endswith(" percent, possible 0..100)")


def test_the_ends_of_a_range_are_in_it():
    assert cleaned(table(cpu=[0.0, 100, 1, 2, 3, 4], watts=[0.0, 1, 2, 3, 4, 5])).quarantine.is_empty()


def test_a_time_twice_in_a_group_is_a_duplicate():
    found = cleaned(table(t=[0, 0, 1, 1, 1, 2]), "t", ("node",))
    assert reasons(found) == {4: "duplicate of an earlier row (same node, t)"}
    assert reasons(cleaned(table(t=[0, 0, 1, 2, 3, 3]))) == dict.fromkeys(
        (1, 5), "duplicate of an earlier row (same t)"
    )


def test_without_a_time_only_whole_rows_are_duplicates():
    twice = pl.concat([table(), table()[[1, 4]], table()[[1]].with_columns(node=pl.lit("z"))])
    assert reasons(cleaned(twice, None)) == dict.fromkeys((6, 7), "duplicate of an earlier row (same in all columns)")


def test_time_goes_forward_within_each_group():
    """In file order x: 5, 3, 6 and y: 1, 2, 0."""
    frame = table(t=[5, 1, 3, 2, 6, 0])
    assert set(reasons(cleaned(frame, "t", ("node",)))) == {2, 5}
    assert set(reasons(cleaned(frame))) == {1, 2, 3, 5}
    assert cleaned(frame, None).quarantine.is_empty()
    assert reasons(cleaned(frame))[1].startswith("t goes backward")


def test_a_rejected_row_does_not_hold_up_the_clock():
    """The row at t = 99 is broken, so later times are not before the latest sound one."""
    found = cleaned(table(a=[1.0, None, 3, 4, 5, 6], t=[0, 99, 2, 3, 4, 5]))
    assert set(reasons(found)) == {1}


def test_times_may_be_dates_or_text():
    texts, numbers = pl.Series(["2026-01-0" + d for d in "124356"]), pl.Series([1.5, 2.5, 4.5, 3.5, 5.5, 6.5])
    for t in (texts, texts.cast(pl.Categorical), texts.str.to_date(), numbers):
        found = cleaned(table().with_columns(t=t))
        assert set(reasons(found)) == {3}
        assert found.quarantine["t"].dtype == t.dtype
        assert found.rows["t"].is_sorted()


def test_texts_are_compared_as_the_times_or_numbers_that_they_say():
    zones = ["2026-01-01T00:30:00Z", "2026-01-01T02:00:00+01:00", "2026-01-01T01:00:00Z", "2026-01-01 01:30"]
    found = cleaned(table(t=[*zones, "soon", "2026-01-02"]))
    assert reasons(found) == {2: "duplicate of an earlier row (same t)", 4: "not a time in t (soon)"}
    assert found.quarantine["t"].to_list() == [zones[2], "soon"]
    assert cleaned(table(t=["8", "9", "10", "11", "100", "101"])).quarantine.is_empty()


def test_texts_that_are_no_times_are_refused_in_words():
    days = [f"{day.month}/{day.day}/{day.year}" for day in (date(2025, 12, 29) + timedelta(k) for k in range(6))]
    with pytest.raises(SchemaError, match=r"column t holds texts that are no times \('12/29/2025'\): .* ISO 8601"):
        cleaned(table(t=days))


def test_the_first_reason_wins():
    """missing < no number < range < duplicate < backward; among columns features first, then target."""
    frame = pl.DataFrame(
        {
            "a": ["1", None, "x", "x", "4", "5", "6", "7"],
            "cpu": [10.0, 200, 200, None, 200, 50, 60, 70],
            "watts": [90.0, -1, -1, -1, -1, 50, 40, 30],
            "t": [5, 5, 5, 5, 5, 9, 5, 8],
        }
    )
    found = cleaned(frame)
    assert [r.split(" (")[0] for r in reasons(found).values()] == [
        "missing value in a", "not a number in a", "missing value in cpu", "impossible percentage in cpu",
        "duplicate of an earlier row", "t goes backward",
    ]  # fmt: skip
    assert found.rows["row"].to_list() == [0, 5]
    assert sum(found.reasons.values()) == 6


def test_columns_that_never_vary_are_left_out_and_named():
    found = cleaned(table(a=[3.0] * 6))
    assert found.constant == ("a",)
    assert [f.name for f in found.features] == ["cpu"]
    only_once = cleaned(table(a=[3.0, 3, 3, 3, 3, 9], watts=[1.0, 1, 1, 1, 1, -1]))
    assert only_once.constant == ("a",)  # the only other value is in a rejected row


def test_nothing_that_varies_is_said():
    with pytest.raises(SchemaError, match="every feature is constant"):
        cleaned(table(a=[1.0] * 6, cpu=[5.0] * 6))


def test_a_column_that_single_precision_cannot_tell_apart_is_left_out_and_named():
    clock = [1.7e9 + k for k in range(6)]
    found = cleaned(table(a=clock))
    assert (found.narrow, found.constant, [f.name for f in found.features]) == (("a",), (), ["cpu"])
    assert found.rows["a"].to_list() == clock
    with pytest.raises(SchemaError, match=r"^a: single precision cannot tell the values apart"):
        cleaned(table(a=clock, cpu=[5.0] * 6))
    assert cleaned(table(a=[0.1] * 6)).constant == ("a",)


@pytest.mark.parametrize("watts", [[1.7e9 + k for k in range(6)], [1e39 * k for k in range(1, 7)]])
def test_a_target_that_single_precision_cannot_tell_apart_is_refused(watts):
    with pytest.raises(SchemaError, match=r"^target watts lies in \S+, where single precision .*: subtract an offset"):
        cleaned(table(watts=watts))
    assert len(cleaned(table(watts=[1.7e9] * 6)).rows) == 6  # a constant is one number
    assert len(cleaned(table(watts=[1.7e9 + 1e5 * k for k in range(6)])).rows) == 6


def test_columns_that_are_not_there_are_all_named():
    with pytest.raises(SchemaError, match=r"there is no column a.* t; the file has .*cpu"):
        cleaned(table().drop("a", "t"))


def test_a_column_without_any_number_is_named_with_its_type():
    with pytest.raises(SchemaError, match=r"column a holds no number \(String\): choose others with --features"):
        cleaned(table(a=["one", "two", "three", "four", "five", "six"]))


def test_nothing_left_names_the_first_reason():
    with pytest.raises(SchemaError, match=r"no row is left after cleaning; .*: missing value in a"):
        cleaned(table(a=[None, 2.0, None, 4, None, 6], cpu=[1.0, None, 2, None, 3, None], watts=[None, *[1.0] * 5]))


def test_a_file_without_rows_is_refused_in_words():
    with pytest.raises(SchemaError, match="no row"):
        cleaned(table().clear())


@pytest.mark.parametrize("name", ["row", "reason", "sound"])
def test_a_file_may_have_columns_of_our_names(name):
    """They are not features: nothing of ours may stand in their way, or it is said in words."""
    frame = table(cpu=[140.0, 20, 30, 40, 50, 60]).with_columns(pl.lit("theirs").alias(name))
    try:
        found = cleaned(frame)
    except SchemaError as exc:
        assert name in str(exc)  # noqa: PT017 - one of two good answers
    else:
        assert len(found.quarantine) == 1


@pytest.mark.parametrize("name", ["row", "reason", "sound"])
def test_without_a_time_too(name):
    try:
        assert cleaned(table().with_columns(pl.lit("theirs").alias(name)), None).quarantine.is_empty()
    except SchemaError as exc:
        assert name in str(exc)  # noqa: PT017 - as above


TEXTS = pl.Series(["1", "2", "3", "4", "5", "6"])
NO_NUMBERS = {
    "lists": pl.Series([[1.0]] * 6), "categories": TEXTS.cast(pl.Categorical), "enum": TEXTS.cast(pl.Enum(TEXTS)),
    "bytes": TEXTS.cast(pl.Binary),
}  # fmt: skip


@pytest.mark.parametrize("kind", NO_NUMBERS)
@pytest.mark.parametrize("name", ["a", "watts"])
def test_a_column_of_lists_categories_or_bytes_is_refused_in_words(kind, name):
    with pytest.raises(SchemaError, match=rf"column {name} holds no number .*--features or --target"):
        cleaned(table().with_columns(NO_NUMBERS[kind].alias(name)))


@pytest.mark.parametrize(
    ("time", "group", "name"), [("t", ("node", "node"), "node"), ("t", ("t",), "t"), (None, ("watts",), "watts")]
)
def test_a_column_is_one_of_target_time_and_groups(time, group, name):
    with pytest.raises(SchemaError, match=f"column {name} is named twice among target, time and groups"):
        cleaned(table(), time, group)


numbers = st.one_of(st.none(), st.sampled_from([nan, inf, -inf, -1.0, 0.0, 50.0, 100.0, 101.0]), st.floats(-5, 150))
row = st.tuples(
    numbers, st.one_of(numbers.map(lambda v: None if v is None else str(v)), st.sampled_from(["", "x", "1,5"])),
    numbers, st.one_of(st.none(), st.integers(0, 4)), st.sampled_from(["x", "y", None]),
)  # fmt: skip


def sound(values: tuple, time: bool, group: bool) -> bool:
    a, cpu, watts, t, node = values
    try:
        plain = [float(a), float(cpu), float(watts)]
    except (TypeError, ValueError):
        return False
    there = (t is not None or not time) and (node is not None or not group)
    return there and all(map(isfinite, plain)) and 0 <= plain[1] <= 100 and plain[2] >= 0


@given(st.lists(row, max_size=14), st.booleans(), st.booleans())
@example([(1.0, "1", 1.0, 3, "x"), (2.0, "2", 2.0, 3, "x"), (3.0, "3", 3.0, 1, "x")], True, True)
def test_every_row_is_kept_or_in_quarantine_with_a_reason(sent, time, group):
    sent = [(1.0, "1", 1.0, -2, "z"), (2.0, "2", 2.0, -1, "z"), *sent]  # so that there is something to learn from
    types = {"a": pl.Float64, "cpu": pl.String, "watts": pl.Float64, "t": pl.Int64, "node": pl.String}
    frame = pl.DataFrame(sent, schema=types, orient="row")
    found = cleaned(frame, "t" if time else None, ("node",) if group else ())
    kept, out = found.rows["row"].to_list(), found.quarantine["row"].to_list()
    assert sorted([*kept, *out]) == list(range(len(sent)))
    assert kept == sorted(kept)
    assert found.quarantine["reason"].null_count() == 0
    assert sum(found.reasons.values()) == len(out)
    assert found.quarantine.select(frame.columns).equals(frame[out])  # as sent
    assert all(sound(sent[k], time, group) for k in kept)
    assert found.rows.select("a", "watts").equals(frame[kept].select("a", "watts"))
    words = dict(zip(out, found.quarantine["reason"], strict=True))
    late = ("duplicate", "t goes backward")
    assert all(words[k].startswith(late) == sound(sent[k], time, group) for k in out)
    if time:
        clocks: dict = {}
        for k in kept:
            t, node = sent[k][3:]
            assert t > clocks.get(node if group else None, -inf)
            clocks[node if group else None] = t
    assert ([f.name for f in found.features], found.constant) == (["a", "cpu"], ())


# units


def written(path: Path, text: str, suffix: str = ".toml") -> Path:
    place = path / f"units{suffix}"
    place.write_text(text)
    return place


def test_units_bring_their_bounds(tmp_path):
    units = read_units(written(tmp_path, 'cpu = "percent"\nheat = "celsius"\n"L1-loads" = "count"'))
    assert describe("cpu", units) == Feature("cpu", "percent", 0, 100)
    assert describe("heat", units) == Feature("heat", "celsius", -273.15, inf)
    assert describe("L1-loads", units) == Feature("L1-loads", "count", 0, inf)
    assert describe("unheard of", units) == Feature("unheard of")


def test_bounds_of_the_file_override_those_of_the_unit(tmp_path):
    text = 'cpu = { unit = "percent", high = 3200, group = "cpu" }\nfan = { unit = "rpm", low = 0, high = 9000 }'
    units = read_units(written(tmp_path, text))
    assert describe("cpu", units) == Feature("cpu", "percent", 0, 3200, "cpu")
    assert describe("fan", units) == Feature("fan", "rpm", 0, 9000)
    assert cleaned(table(cpu=[150.0, 20, 30, 40, 50, 60])).reasons  # without the file
    wide = clean(table(cpu=[150.0, 20, 30, 40, 50, 60]), [describe(n, units) for n in ("a", "cpu")], TARGET, "t")
    assert not wide.reasons


def test_json_says_the_same_as_toml(tmp_path):
    toml = read_units(written(tmp_path, 'cpu = "percent"\nfan = { unit = "rpm", low = 0 }'))
    json = read_units(written(tmp_path, '{"cpu": "percent", "fan": {"unit": "rpm", "low": 0}}', ".json"))
    assert toml == json


@pytest.mark.parametrize(("unit", "near"), [("precent", "percent"), ("Hertz", None), ("byte/s", "bytes/s")])
def test_an_unknown_unit_is_met_with_the_nearest(tmp_path, unit, near):
    with pytest.raises(InputError) as caught:
        read_units(written(tmp_path, f'power = "{unit}"'))
    text = str(caught.value)
    assert f"unit '{unit}' of power is unknown" in text
    assert (f"did you mean '{near}'?" if near else "known are count, count/s, bytes") in text


@pytest.mark.parametrize(
    ("text", "suffix", "words"),
    [
        ("cpu = percent", ".toml", "neither TOML nor JSON"),
        ('{"cpu": ', ".json", "neither TOML nor JSON"),
        ('cpu = { unit = "percent", hihg = 3 }', ".toml", "write cpu = "),
        ("cpu = 3", ".toml", "write cpu = "),
    ],
)
def test_a_broken_units_file_is_said_in_one_line(tmp_path, text, suffix, words):
    with pytest.raises(InputError, match=words) as caught:
        read_units(written(tmp_path, text, suffix))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "suffix"),
    [
        ("[1]", ".json"),
        ('"percent"', ".json"),
        ('cpu = { unit = "percent", high = "many" }', ".toml"),
        ('cpu = { unit = ["percent"] }', ".toml"),
        ('{"cpu": {"unit": "percent", "low": null}}', ".json"),
    ],
    ids=["a list", "a word", "a bound in words", "a list of units", "a bound of nothing"],
)
def test_a_units_file_of_the_wrong_shape_is_said_too(tmp_path, text, suffix):
    with pytest.raises(InputError):
        describe("cpu", read_units(written(tmp_path, text, suffix)))


def test_no_units_file_is_said(tmp_path):
    with pytest.raises(InputError, match="there is no units file"):
        read_units(tmp_path / "none.toml")


def test_every_unit_of_the_table_has_a_range():
    assert all(low < high for low, high in BOUNDS.values())
    assert BOUNDS["percent"] == (0, 100)
    assert BOUNDS[""] == (-inf, inf)
