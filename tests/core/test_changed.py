"""What changed, in words: the numbers said add up, and nothing of somebody's text breaks a line."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ascribe.core.changed import say_change
from ascribe.core.errors import InputError
from ascribe.core.sentences import LANGUAGES

MINUS = "\N{MINUS SIGN}"


def numbers(text: str) -> list[float]:
    """Amounts in W with their signs, as they are said."""
    return [float(n.replace(MINUS, "-").replace(",", "")) for n in re.findall(rf"([+{MINUS}]?[\d,]+\.\d+) W", text)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("seed", range(6))
def test_the_parts_said_add_up_to_the_change(language, seed):
    rng = np.random.default_rng(seed)
    p = int(rng.integers(1, 12))
    values, before = rng.normal(0, 20, p), float(rng.uniform(80, 120))
    after = before + float(values.sum())
    names = [f"c{j}" for j in range(p)]
    said = say_change("n", ("10:00", before), ("10:05", after), names, values, np.full(p, np.nan), language=language)
    old, new, by, *parts = numbers(said)
    assert (old, new, by) == pytest.approx((before, after, after - before), abs=0.051)
    assert sum(parts) == pytest.approx(by, abs=0.051 * (len(parts) + 1))
    assert "10:00" in said
    assert "10:05" in said


def test_what_is_within_two_errors_is_not_told_from_zero():
    said = say_change("n", ("a", 100.0), ("b", 111.0), ("x", "y"), np.array([10.0, 1.0]), np.array([1.0, 0.6]))
    told, unclear = said.split("Not to be told from zero: ")
    assert "x accounts for" in told
    assert unclear.startswith("y with +1.0 W")


def test_names_stay_on_a_line_of_their_own():
    said = say_change("n\n<b>", ("a", 1.0), ("b", 2.0), ("x\ny",), np.array([1.0]), np.zeros(1))
    assert "\n" not in said
    assert "n <b>" in said


def test_nothing_changed():
    said = say_change("n", ("a", 100.0), ("b", 100.0), ("x",), np.zeros(1), np.zeros(1))
    assert said == "From a to b, n went from 100.0 W to 100.0 W (0.0 W)."


def test_an_unknown_language():
    with pytest.raises(InputError, match="use en or zh"):
        say_change("n", ("a", 1.0), ("b", 2.0), ("x",), np.zeros(1), np.zeros(1), language="fr")
