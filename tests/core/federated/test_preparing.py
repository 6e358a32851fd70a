"""What prepares rows before a model: a row in a batch is the row alone, and each cell is as its rule says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascribe.core.errors import InputError
from ascribe.core.federated import Step, Table
from ascribe.core.federated.components.data_transform import DataTransform
from ascribe.core.federated.components.one_hot import OneHot
from ascribe.core.federated.components.scale import Scale
from ascribe.core.federated.splits import Splits
from ascribe.core.federated.table import Context

from .forest import a_forest, some_rows

CELL = st.one_of(st.none(), st.sampled_from(["", "1.5", "-9", "NA", "nan", 2.0, float("nan")]))
ROWS = st.lists(st.dictionaries(st.sampled_from("abc"), CELL), min_size=1, max_size=5)
TRANSFORMS = {
    "sparse": DataTransform("sparse", ("a", "b")),
    "tag with an imputer": DataTransform("tag", ("a", "b"), ("na",), {"a": "7", "b": "none"}),
    "dense with an imputer": DataTransform(missing=("na", "-9"), fills={"a": "0", "b": "3"}),
    "outliers": DataTransform(outliers=("-9",), caps={"a": "1", "c": "2"}),
}


def absent(value: object) -> bool:
    return value is None or value != value


def by_the_rule(made: DataTransform, row: dict[str, object], columns: list[str]) -> dict[str, object]:
    """One row, cell by cell, as the table in the class's docstring has it."""
    held = {name: row.get(name) for name in columns}
    if made.input_format != "dense":
        empty = "" if made.fills is not None else 0.0
        held = {name: empty if absent(row.get(name)) else row[name] for name in made.header}
    if made.fills is not None:
        gone = {name: absent(held.get(name)) or str(held[name]).lower() in made.missing for name in made.fills}
        held = {name: fill if gone[name] else held[name] for name, fill in made.fills.items()}
    for name, cap in made.caps.items():
        if not absent(held.get(name)) and str(held[name]).lower() in made.outliers:
            held[name] = cap
    return held


def same(a: object, b: object) -> bool:
    return (absent(a) and absent(b)) or str(a) == str(b)


@pytest.mark.parametrize("name", TRANSFORMS)
@given(rows=ROWS)
def test_each_cell_is_as_its_rule_says(name, rows):
    table = Table.of_rows(rows)
    found = TRANSFORMS[name].local_inference(Context("guest:1", len(rows)), table)
    for i, row in enumerate(rows):
        wanted = by_the_rule(TRANSFORMS[name], row, list(table.columns))
        assert set(found.columns) == set(wanted)
        assert all(same(found.columns[c].tolist()[i], value) for c, value in wanted.items()), (row, wanted)


@pytest.mark.parametrize("kind", ["texts", "numbers"])
def test_a_marker_is_found_in_a_column_of_numbers_as_in_its_texts(kind):
    """A file's -999 is a float when it comes here: what stands for an absent value must not be taken for one."""
    cells = ["-999", "3", "0", "-9", "77"]
    outliers = {"outliers": ("77", "-9.0"), "caps": {"a": "6"}}
    made = DataTransform("tag", ("a",), ("-999", "0", "nan", "na", ""), {"a": "5"}, **outliers)
    table = (
        Table.of_rows([{"a": "-9.0" if cell == "-9" else cell} for cell in cells])
        if kind == "texts"
        else Table.of_matrix(["a"], np.array([[float(cell)] for cell in cells]))
    )
    context = Context("guest:1", len(cells))
    found = made.local_inference(context, table).numbers("a", context)
    assert found.tolist() == [5, 3, 5, 6, 6]


def test_a_marker_is_found_beside_absent_numbers():
    """Columns of numbers with gaps become texts on the way, in a format that writes a gap as nothing."""
    made = DataTransform("tag", ("a",), ("-999", ""), {"a": "5"}, ("77",), {"a": "6"})
    table = Table.of_matrix(["a"], np.array([[-999.0], [math.nan], [3.5], [77.0], [1e300], [-2.0]]))
    context = Context("guest:1", 6)
    found = made.local_inference(context, table).numbers("a", context)
    assert found.tolist() == [5, 5, 3.5, 6, 1e300, -2]
    assert not context.code.any()


@given(st.lists(st.sampled_from([None, "0", "1", "2.0", 3, "1.5", -1, math.nan]), min_size=1, max_size=6))
def test_one_column_for_each_value(cells):
    context = Context("guest:1", len(cells))
    made = OneHot({"a": ((0, 2, 3), ("a0", "a2", "a3"))})
    found = made.local_inference(context, Table.of_rows([{"a": cell, "b": 4.0} for cell in cells]))
    assert list(found.columns) == ["b", "a0", "a2", "a3"]
    for i, cell in enumerate(cells):
        number = math.nan if cell is None else float(cell)
        assert (context.code[i] != 0) == (number == number and number != round(number))
        wanted = [math.nan if number != number else float(number == value) for value in (0, 2, 3)]
        assert [found.columns[c][i] for c in ("a0", "a2", "a3")] == pytest.approx(wanted, nan_ok=True)


def test_splits_by_category_and_by_threshold_go_as_they_say():
    """Category c goes as its bit says, an unknown one or a negative one as `other_left`, an absent one as told."""
    bits = [True, False, True]
    for other in (False, True):
        splits = Splits(
            ("a",), np.zeros(2, int), np.array([0.0, 0.5]), np.array([other, not other]),
            category_start=np.array([0, 3, 3]), categories=np.array(bits), other_left=np.array([other, False]),
        )  # fmt: skip
        values = [0.0, 1.0, 2.0, 2.9, 3.0, -0.5, -1.0, np.inf, 1e12, np.nan]
        found = splits.bits(np.array(values)[:, None])
        for value, (first, second) in zip(values, found.tolist(), strict=True):
            known = np.isfinite(value) and 0 <= value < 3
            assert first == (other if np.isnan(value) or not known else bits[int(value)])
            assert second == (not other if np.isnan(value) else value <= 0.5)


@pytest.mark.parametrize("wrong", [-1, 2])
def test_one_split_of_an_unknown_column_is_enough_to_refuse(wrong):
    def made(feature: int) -> Splits:
        return Splits(("a", "b"), np.array([0, feature, 1]), np.zeros(3), np.zeros(3, bool))

    assert len(made(1)) == 3
    with pytest.raises(InputError, match="a split names an unknown column"):
        made(wrong)


def test_what_prepares_rows_is_run_before_the_model_it_feeds():
    forest, rows = a_forest(1), some_rows(1, 10)
    filled = Step("fill", DataTransform(fills={"a": "0.5", "b": "-0.5"}))
    party = forest.party("guest:1", Step("pass", DataTransform()), Step(filled.name, filled.component, "pass"))
    table = Table.of_rows([{"a": row["a"]} for row in rows])
    found = party.pipeline.local_inference(Context("guest:1", len(rows)), table)["t"]
    wanted = forest.halves["guest:1"].splits.bits(np.array([[row["a"], -0.5] for row in rows]))
    assert found.bits.tolist() == wanted.tolist()


def test_scaled_columns_by_hand():
    """Cut to their bounds; a range or a deviation of next to nothing counts as 1."""
    columns = {"a": (-1.0, 3.0, 1.0, 2.0), "b": (-1.0, 3.0, 1.0, 0.0), "c": (2.0, 2.0 + 2**-21, 2.0, 2**-21)}
    rows = Table.of_rows([dict.fromkeys("abcd", x) for x in (-9.0, 0.0, 2.0, 9.0)])
    found = {
        method: Scale(method, columns).local_inference(Context("guest:1", 4), rows).columns
        for method in ("standard_scale", "min_max_scale")
    }
    assert found["standard_scale"]["a"].tolist() == [-1, -0.5, 0.5, 1]
    assert found["standard_scale"]["b"].tolist() == [-2, -1, 1, 2]
    assert found["standard_scale"]["c"].tolist() == [0, 0, 0, 1]
    assert found["min_max_scale"]["a"].tolist() == [0, 0.25, 0.75, 1]
    assert found["min_max_scale"]["c"].tolist() == [0, 0, 0, 1]
    assert list(found["min_max_scale"]["d"]) == [-9, 0, 2, 9]


def test_a_long_text_of_digits_costs_no_more_than_its_length():
    """Each digit is looked at once: a quadratic pattern takes hours for this text, and holds up everybody meanwhile."""
    context = Context("guest:1", 3)
    texts = ["1" * 300_000 + "x", "1." + "1" * 300_000 + "x", "7"]
    assert Table.of_rows([{"a": text} for text in texts]).numbers("a", context).tolist()[2] == 7
    assert context.code.tolist() == [102, 102, 0]


@pytest.mark.parametrize("text", ["1", "1.", "1.5", ".5", "-1.5e3", "+2.e-1", " 7 ", "1e5", "NaN", "-inf"])
def test_a_text_of_a_number_is_one_in_a_column_with_others(text):
    context = Context("guest:1", 2)
    found = Table.of_rows([{"a": text}, {"a": None}]).numbers("a", context)
    np.testing.assert_array_equal(found, [float(text), math.nan])
    assert context.code.tolist() == [0, 0]


def test_an_integer_beyond_all_floats_fails_its_own_row():
    context = Context("guest:1", 3)
    found = Table.of_rows([{"a": 10**400}, {"a": -(10**400)}, {"a": 2}]).numbers("a", context)
    assert context.code.tolist() == [102, 102, 0]
    assert context.reasons[0] == "'a' is a number of too many digits"
    assert found[2] == 2
