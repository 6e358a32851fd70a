"""Rows one by one: what is accepted, and what each refusal says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ascribe.serve.codec import decode_attribution
from ascribe.serve.rows import Row, check

from . import tiny

GOOD = [0.6, 2.5, 9.0]


def one(row: Row, unit: str = "W") -> tuple[list[float], str]:
    checked = check([row], tiny.FEATURES, unit)
    return checked.X[0].tolist(), checked.reasons[0]


@pytest.mark.parametrize(
    "row",
    [
        Row(values=GOOD),
        Row(values=tiny.ROW),
        Row(names=["misses", "busy", "ghz"], values=[9, 0.6, 2.5]),
        Row(values=GOOD, units=["1", "GHz", "1/s"]),
        Row(values=GOOD, units=["", None, "1/s"]),
        Row(values=tiny.ROW, units={"ghz": "GHz"}),
        Row(names=["misses", "busy", "ghz"], values=[9, 0.6, 2.5], units=["1/s", "1", "GHz"], measured_w=80),
    ],
)
def test_every_way_of_sending_the_same_row(row):
    assert one(row) == (GOOD, "")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (Row(values=GOOD[:2]), "2 values without names: this model has 3 features"),
        (Row(names=["busy", "ghz"], values=GOOD), "2 names but 3 values"),
        (Row(names=["busy", "ghz"], values=GOOD[:2]), "'misses' missing"),
        (Row(names=["busy", "ghz", "colour"], values=GOOD), "'colour': no such feature"),
        (Row(names=["busy", "ghz", "ghz"], values=GOOD), "'ghz' given twice"),
        (Row(names=["busy"] * 100_000, values=[1] * 100_000), "'busy' given twice"),
        (Row(names=["busy"], values=tiny.ROW), "leave names out"),
        (Row(values=None), "neither a list"),
        (Row(values="busy"), "neither a list"),
        (Row(values=[0.6, None, 9]), "ghz is null"),
        (Row(values=[0.6, "2.5", 9]), "ghz is text, not a number"),
        (Row(values=[True, 2.5, 9]), "busy is true or false"),
        (Row(values=[0.6, [2.5], 9]), "ghz is a list"),
        (Row(values=[0.6, math.nan, 9]), "ghz is not a finite number"),
        (Row(values=[0.6, 2.5, math.inf]), "misses is not a finite number"),
        (Row(values=[0.6, 2.5, 10**400]), "misses is not a finite number"),
        (Row(values=[1.2, 2.5, 9]), "busy = 1.2 is physically impossible: above 1"),
        (Row(values=[0.6, -1, 9]), "ghz = -1 GHz is physically impossible: below 0 GHz"),
        (Row(values=GOOD, units=["1", "MHz", "1/s"]), "ghz is in 'MHz', this model wants it in 'GHz': convert it"),
        (Row(values=GOOD, units=["GHz"]), "1 units for 3 values"),
        (Row(values=GOOD, units={"ghz": 3}), "ghz is in '3'"),
        (Row(values=GOOD, units={"volts": "V"}), "units names 'volts'"),
        (Row(values=GOOD, units="GHz"), "units is neither"),
        (Row(values=GOOD, measured_w="80"), "measured_w is text"),
        (Row(values=GOOD, measured_w=math.nan), "measured_w is not a finite number"),
        (Row(problem="unreadable"), "unreadable"),
    ],
)
def test_a_refused_row_is_nan_and_says_why(row, words):
    values, reason = one(row)
    assert words in reason
    assert np.isnan(values).all()


def test_watts_are_compared_with_watts_only():
    assert "this model predicts J" in one(Row(values=GOOD, measured_w=80), unit="J")[1]


def test_a_bad_row_leaves_its_neighbours_alone():
    checked = check([Row(values=GOOD), Row(values=[]), Row(values=tiny.ROW)], tiny.FEATURES, "W")
    assert [bool(r) for r in checked.reasons] == [False, True, False]
    assert checked.X[0].tolist() == checked.X[2].tolist() == GOOD


def test_rows_of_another_shape_are_rows_with_a_problem():
    body = b'{"feature_vector": [5, {"values": [1], "colour": 1}, {"values": {"busy": 1, "busy": 2}}, {"id": "x"}]}'
    _, rows = decode_attribution(body, 8)
    assert "Expected `object`" in rows[0].problem
    assert "unknown field `colour`" in rows[1].problem
    assert rows[2].problem == "'busy' given twice: give each value once"
    assert "missing required field `values`" in rows[3].problem


def test_a_colon_in_a_name_is_no_duplicate():
    assert decode_attribution(b'{"feature_vector": {"values": {"a:b": 1, "c": 2}}}', 8)[1][0].problem == ""
