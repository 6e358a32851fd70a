"""Units of traffic into one another."""

import pytest

from ascribe.core.conversions import conversion
from ascribe.core.errors import InputError


@pytest.mark.parametrize(
    ("unit", "wanted", "step_s", "factor"),
    [
        ("bit", "bit", None, 1), ("B", "b", None, 8), ("kB/s", "Mb/s", None, 0.008), ("Gb/s", "Mbps", None, 1000),
        ("KiB/s", "b/s", None, 8192), ("bit", "Gb/s", 300, 1e-9 / 300), ("Mb/s", "Mb", 300, 300),
        ("Mb/min", "Mb/s", None, 1 / 60), ("kW", "W", None, 1000), ("b/5min", "b/s", None, 1 / 300),
        ("J", "W", None, None),
        ("GB", "bytes", None, 1e9), ("", "", None, 1), ("ms", "s", None, 0.001), ("count/s", "count/min", None, 60),
    ],
)  # fmt: skip
def test_factors(unit, wanted, step_s, factor):
    if factor is None:
        with pytest.raises(InputError, match="different things"):
            conversion(unit, wanted, step_s)
        return
    assert conversion(unit, wanted, step_s) == pytest.approx(factor, rel=1e-12)
    assert conversion(wanted, unit, step_s) == pytest.approx(1 / factor, rel=1e-12)


@pytest.mark.parametrize(
    ("unit", "wanted", "said"),
    [
        ("bit", "furlong", "'furlong' cannot be read"), ("bit", "b/s", "no step is known"), ("KiW", "W", "binary"),
        ("b/fortnight", "b/s", "after / stands"),
    ],
)  # fmt: skip
def test_what_cannot_be_converted(unit, wanted, said):
    with pytest.raises(InputError, match=said):
        conversion(unit, wanted)
