"""Shares that are said, and how their numbers are written."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from ascribe.core.phrases import Phrases
from ascribe.core.quantities import Scale

__all__ = ["Numbers", "Share"]

CLEAR = 2.0  # standard errors that a share is from 0


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
        return self.scale.amount(float(value), self.decimals)

    def signed(self, value: float) -> str:
        return self.scale.amount(value, self.decimals, sign=True)

    def visible(self, value: float) -> bool:
        """Whether it is more than half a unit of the last decimal."""
        return isfinite(value) and abs(value) >= 0.5 * 10.0 ** (self.scale.power - self.decimals)

    def share(self, share: Share, sign: bool = True) -> str:
        value = self.scale.amount(share.value, self.decimals, sign=sign)
        if not self.visible(share.error):
            return value
        return self.words.error.format(value=value, error=self.scale.number(share.error, self.decimals))
