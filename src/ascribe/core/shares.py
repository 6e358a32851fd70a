"""Shares that are said, and how their numbers are written."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from ascribe.core.phrases import Phrases
from ascribe.core.quantities import Scale

__all__ = ["Numbers", "Share"]

CLEAR = 2.0  # standard errors that a share is from 0
NOISE = 1e-8  # of the last decimal


@dataclass(frozen=True)
class Share:
    name: str
    value: float
    error: float
    many: bool = False  # of a name in the plural

    @property
    def clear(self) -> bool:
        return not (isfinite(self.error) and self.error > 0) or abs(self.value) >= CLEAR * self.error


@dataclass(frozen=True)
class Numbers:
    """The numbers of one text: one prefix, the same decimals."""

    scale: Scale
    decimals: int
    words: Phrases

    def plain(self, value: float) -> str:
        return self._amount(float(value), False)

    def signed(self, value: float) -> str:
        return self._amount(value, True)

    def _amount(self, value: float, sign: bool) -> str:
        """What a sum of floating numbers leaves of nothing is nothing."""
        real = abs(value) > NOISE * 10.0 ** (self.scale.power - self.decimals)
        return self.scale.amount(value if real else 0.0, self.decimals, sign=sign)

    def visible(self, value: float) -> bool:
        """Whether it is more than half a unit of the last decimal."""
        return isfinite(value) and abs(value) >= 0.5 * 10.0 ** (self.scale.power - self.decimals)

    def share(self, share: Share, sign: bool = True) -> str:
        value = self._amount(share.value, sign)
        if not self.visible(share.error):
            return value
        return self.words.error.format(value=value, error=self.scale.number(share.error, self.decimals))
