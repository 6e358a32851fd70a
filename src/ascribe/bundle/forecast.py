"""A bundle that forecasts, opened: windows in, curves with their bounds out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.bundle.runtime import load
from ascribe.bundle.windows import told_of
from ascribe.core.errors import BundleError
from ascribe.core.forecast.curves import Curves
from ascribe.core.forecast.series import Window
from ascribe.core.model import Model

__all__ = ["Forecaster", "open_forecaster"]


@dataclass(frozen=True, eq=False)
class Forecaster:
    """`model` explains one named number of the forecast (`model.choose("peak")`); `curves` gives all steps. `told`: the
    manifest's words, such as the columns of the data that it was trained on.
    """

    model: Model
    curves: Curves
    told: Mapping[str, Any] = field(default_factory=dict)

    @property
    def window(self) -> Window:
        return self.curves.window

    def forecast(self, X: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Forecast, lower and upper (b, h) of windows X (b, n), in the series' unit; NaN for a window that cannot be
        answered. Raises InputError for rows of another length.
        """
        rows = self.model.rows(X)
        good = self.model.check(rows)[0] != "invalid"
        found = [np.asarray(part, dtype=float) for part in self.curves(np.where(good[:, None], rows, 0.0))]
        for part in found:
            part[~good] = np.nan
        return found[0], found[1], found[2]


def open_forecaster(bundle: Bundle) -> Forecaster:
    """Raises BundleError for a bundle that does not forecast, and as `runtime.load`."""
    model = load(bundle)
    if model.curves is None:
        raise BundleError(f"{bundle.origin} does not forecast: `ascribe forecast train` writes a bundle that does")
    return Forecaster(model, model.curves, told_of(bundle))
