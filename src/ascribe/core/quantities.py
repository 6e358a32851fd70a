"""Numbers as a reader wants them: three digits, a prefix, a unit, a sign."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor, isfinite, log10

__all__ = ["Scale", "in_units", "scale_of", "unit_in_words"]

PREFIXES = {-12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T", 15: "P"}
SYMBOLS = {"percent": "%", "celsius": "°C", "bytes": "B", "bytes/s": "B/s", "ratio": "", "1": ""}
WORDS = {"W": "watts", "J": "joules", "s": "seconds", "V": "volts", "A": "amperes", "celsius": "°C"}
TAKES_PREFIX = {"W", "J", "s", "V", "A", "Hz", "B", "B/s"}  # 12 GB, 3 ms; of others only multiples: 12 G count
HAS_PREFIX = {"ms", "MHz", "KiB", "GHz", "kW", "mW", "kJ", "us", "ns"}
NO_PREFIX = {"%", "°C"}
MINUS = "\N{MINUS SIGN}"


def unit_in_words(unit: str) -> str:
    """`W` reads as watts; a unit without a word of its own stays as it is, and a number without one has none."""
    return WORDS.get(unit, SYMBOLS.get(unit, unit))


def in_units(value: float, unit: str = "") -> str:
    """A value of a feature with three digits.

    >>> in_units(27.6e9, "count"), in_units(61.2, "percent"), in_units(7.26e9, "bytes"), in_units(0.6, "1")
    ('27.6 G count', '61.2 %', '7.26 GB', '0.6')
    """
    symbol = SYMBOLS.get(unit, unit)
    if not isfinite(value):
        return f"{value:g} {symbol}".rstrip()
    power = _power(value, symbol, largest=1e6 if symbol in HAS_PREFIX else 1e3, smallest=1.0)
    rounded = abs(float(f"{value / 10**power:.3g}"))
    if rounded >= 1000 and power + 3 in PREFIXES and symbol not in NO_PREFIX | HAS_PREFIX:
        power += 3  # 999.9 M is 1 G once it is rounded
    scaled = value / 10**power
    text = f"{scaled:,.0f}" if abs(scaled) >= 999.5 else f"{scaled:.3g}"
    if scaled == 0:
        text = "0"
    return f"{text.replace('-', MINUS)} {_unit(symbol, power)}".rstrip()


@dataclass(frozen=True)
class Scale:
    """How the numbers of one figure are written: divided by 10^power, in `unit`, which carries the prefix."""

    power: int
    unit: str

    def decimals(self, values: Iterable[float]) -> int:
        """So many that the largest value keeps three digits; never none."""
        largest = max((abs(v) for v in values if isfinite(v)), default=0.0) / 10**self.power
        return 1 if largest == 0 else min(9, max(1, 2 - floor(log10(largest))))

    def number(self, value: float, decimals: int, sign: bool = False) -> str:
        """Without the unit: `+12.3`. What would round to nothing keeps one digit: `+0.003`."""
        scaled = value / 10**self.power
        if scaled and abs(scaled) < 0.5 * 10**-decimals:
            lead = -floor(log10(abs(scaled)))
            text = f"{scaled:+.{lead}f}" if lead <= 6 else f"{scaled:+.0e}"
        else:
            text = f"{scaled:+,.{decimals}f}" if scaled else f"{0:.{decimals}f}"
        return (text if sign else text.lstrip("+")).replace("-", MINUS)

    def amount(self, value: float, decimals: int, sign: bool = False) -> str:
        """With the unit: `+12.3 W`."""
        return f"{self.number(value, decimals, sign)} {self.unit}".rstrip()


def scale_of(values: Iterable[float], unit: str) -> Scale:
    """One prefix for all numbers of a figure, by the largest: watts from 0.01 to 10,000 stay watts."""
    symbol = SYMBOLS.get(unit, unit)
    largest = max((abs(v) for v in values if isfinite(v)), default=0.0)
    power = _power(largest, symbol, largest=1e4, smallest=1e-2)
    return Scale(power, _unit(symbol, power))


def _power(value: float, symbol: str, largest: float, smallest: float) -> int:
    if value == 0 or symbol in NO_PREFIX or smallest <= abs(value) < largest:
        return 0
    if abs(value) < smallest and symbol not in TAKES_PREFIX:
        return 0
    return min(max(PREFIXES), max(min(PREFIXES), 3 * floor(log10(abs(value)) / 3)))


def _unit(symbol: str, power: int) -> str:
    gap = "" if symbol in TAKES_PREFIX or not power else " "
    return f"{PREFIXES[power]}{gap}{symbol}".strip()
