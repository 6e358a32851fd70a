"""Numbers of one text: the prefix they are written with moves no digit."""

import pytest

from ascribe.core.phrases import PHRASES
from ascribe.core.quantities import MINUS, PREFIXES, Scale
from ascribe.core.shares import Numbers


@pytest.mark.parametrize("decimals", [1, 4])
@pytest.mark.parametrize("power", sorted(PREFIXES))
def test_a_prefix_changes_no_digit(power, decimals):
    """Also of what is just above and just below the rounding of sums, 1e-8 of the last decimal."""
    plain, prefixed = (Numbers(Scale(p, "W"), decimals, PHRASES["en"]) for p in (0, power))
    unit = 10.0**-decimals
    for value in (7.0, 3.3 * unit, 0.3 * unit, 1.1e-8 * unit, -1.1e-8 * unit, 0.9e-8 * unit, 0.0):
        assert prefixed.signed(value * 10.0**power) == plain.signed(value)
    assert plain.signed(0.9e-8 * unit) == plain.signed(-0.9e-8 * unit) == plain.signed(0.0)
    assert plain.signed(-1.1e-8 * unit).startswith(f"{MINUS}1e{MINUS}")
