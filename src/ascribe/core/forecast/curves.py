"""What a model that forecasts offers beside its named outputs: the whole curve, its bounds, and what a row must be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ascribe.core.arrays import Float, np
from ascribe.core.forecast.series import Window

__all__ = ["Ask", "Curves"]

Ask = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]
"""Windows X (b, n) in natural units -> outputs (b, 3 + h) as in `outputs`, lower (b, h), upper (b, h)."""


@dataclass(frozen=True, eq=False)
class Curves:
    """`ask`: all at once. Of a row: `window`; `exogenous`: those of its inputs that a caller must give; `zone`: whose
    wall clock the calendar follows. Of an answer: `levels` of the interval, `unit`. `series`: names that it was trained
    on; `fill`: the rule by which gaps were filled, and are again.
    """

    ask: Ask
    window: Window
    levels: tuple[float, float] = (0.05, 0.95)
    zone: str = "UTC"
    unit: str = ""
    exogenous: tuple[str, ...] = ()
    series: tuple[str, ...] = field(default=(), repr=False)
    fill: str = ""

    def __call__(
        self, X: Float[np.ndarray, "b n"]
    ) -> tuple[Float[np.ndarray, "b h"], Float[np.ndarray, "b h"], Float[np.ndarray, "b h"]]:
        """Forecast, lower and upper bound of each step, in `unit`."""
        outputs, lower, upper = self.ask(X)
        return outputs[:, -self.window.horizon :], lower, upper
