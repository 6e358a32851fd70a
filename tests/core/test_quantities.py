import pytest

from ascribe.core.quantities import MINUS, Scale, in_units, scale_of, unit_in_words


@pytest.mark.parametrize(
    ("value", "unit", "wanted"),
    [
        (27.6e9, "count", "27.6 G count"),
        (6.3e9, "", "6.3 G"),
        (999.9e6, "count", "1 G count"),
        (999.9, "count", "1 k count"),
        (47.0, "count", "47 count"),
        (0.05, "count", "0.05 count"),
        (61.2, "percent", "61.2 %"),
        (7.26e9, "bytes", "7.26 GB"),
        (312e6, "bytes/s", "312 MB/s"),
        (0.00031, "s", "310 µs"),
        (2540.0, "MHz", "2,540 MHz"),
        (-40.0, "celsius", f"{MINUS}40 °C"),
        (0.612, "ratio", "0.612"),
        (0.6, "1", "0.6"),
        (27.6e9, "1", "27.6 G"),
        (0.0, "W", "0 W"),
        (-0.0, "", "0"),
        (float("nan"), "W", "nan W"),
    ],
)
def test_values_of_features(value, unit, wanted):
    assert in_units(value, unit) == wanted


def test_one_prefix_for_a_figure():
    assert scale_of([105.0, 187.0], "W") == Scale(0, "W")
    assert scale_of([0.0042, 0.001], "W") == Scale(-3, "mW")
    assert scale_of([2.4e6], "count") == Scale(6, "M count")
    assert scale_of([0.0042], "count") == Scale(0, "count")
    assert scale_of([], "") == Scale(0, "")


@pytest.mark.parametrize(
    ("largest", "wanted"),
    [(0.0099, (-3, "mW")), (0.01, (0, "W")), (0.015, (0, "W")), (9999.0, (0, "W")), (10_000.0, (3, "kW"))],
)
def test_watts_from_a_hundredth_to_ten_thousand_stay_watts(largest, wanted):
    assert scale_of([-largest, largest / 3], "W") == Scale(*wanted)


def test_amounts_carry_sign_and_unit():
    watts = Scale(0, "W")
    assert watts.amount(12.34, watts.decimals([12.34, -3.0]), sign=True) == "+12.3 W"
    assert watts.amount(-3.04, 1, sign=True) == f"{MINUS}3.0 W"
    assert watts.amount(0.003, 1, sign=True) == "+0.003 W"
    assert watts.amount(0.0, 1, sign=True) == "0.0 W"
    assert watts.amount(1187.0, 1) == "1,187.0 W"
    assert watts.decimals([0.004]) == 5
    assert Scale(0, "").amount(2.0, 1) == "2.0"


def test_units_read_as_words():
    assert [unit_in_words(unit) for unit in ("W", "requests", "", "1")] == ["watts", "requests", "", ""]
