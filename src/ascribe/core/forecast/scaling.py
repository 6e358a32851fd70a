"""Scaling of the inputs of a window, by statistics of the training part only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError
from ascribe.core.forecast.rows import inputs_of
from ascribe.core.forecast.series import INPUTS, Series, Window

__all__ = ["KINDS", "Scaling", "fit_scaling"]

KINDS = ("standard", "min-max")


@dataclass(frozen=True)
class Scaling:
    """scaled = (x - centre) / width, one pair for each of `inputs`; width is never 0.

    standard   mean and standard deviation        min-max   least value and range, so that training lies in 0 ... 1

    Marks and the calendar stay as they are (centre 0, width 1). Statistics are pooled over the series: a row does not
    say whose it is.
    """

    kind: str
    inputs: tuple[str, ...]
    centre: tuple[float, ...]
    width: tuple[float, ...]

    def forward(self, X: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b n"]:
        """Flat rows, scaled."""
        return ((X.reshape(len(X), -1, len(self.inputs)) - self.centre) / self.width).reshape(X.shape)

    def inverse(self, y: Float[np.ndarray, "*b h"]) -> Float[np.ndarray, "*b h"]:
        """Scaled values of the series -> natural units."""
        return np.asarray(y * self.width[0] + self.centre[0])

    def plain(self) -> dict[str, Any]:
        """For a bundle; `Scaling.read` is its inverse."""
        return asdict(self)

    @classmethod
    def read(cls, held: Mapping[str, Any]) -> Scaling:
        return cls(held["kind"], tuple(held["inputs"]), tuple(held["centre"]), tuple(held["width"]))


def fit_scaling(series: Series, window: Window, until: int, kind: str = "standard") -> Scaling:
    """Of the steps before `until` that were measured; nothing at or after it is read. An input that does not vary there
    gets width 1. Raises InputError where nothing was measured, or for another kind.
    """
    if kind not in KINDS:
        raise InputError(f"no scaling {kind!r}: {' or '.join(KINDS)}")
    part = series.cut(0, until)
    X = inputs_of(part, window)
    centre, width = [0.0] * len(window.inputs), [1.0] * len(window.inputs)
    for k, name in enumerate(window.inputs):
        if name in INPUTS[1:]:
            continue
        seen = X[:, :, k][part.observed & np.isfinite(X[:, :, k])]
        if not len(seen):
            raise InputError(f"nothing of {name} was measured before step {until}: a longer training part is needed")
        low, spread = (seen.mean(), seen.std()) if kind == "standard" else (seen.min(), np.ptp(seen))
        centre[k], width[k] = float(low), float(spread) if spread > 0 else 1.0
    return Scaling(kind, window.inputs, tuple(centre), tuple(width))
