"""A number for each player over many rows, with its error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scipy.special import stdtrit

from ascribe.core.arrays import Float, np

__all__ = ["Importance"]


@dataclass(frozen=True, eq=False)
class Importance:
    """`values (p,)` of `features`, in `unit`. `stderr (p,)`: over rows, what other rows like these would give.

    `method`: permutation, sage or mean_abs. `loss`: of the first two. `whole`: of SAGE what the values sum to, the loss
    without any feature less that with all. `noise (p,)`: the part of `stderr` that more draws would take away.
    `told`: numbers beside, such as the loss of the model itself.
    """

    features: tuple[str, ...]
    values: Float[np.ndarray, " p"]
    stderr: Float[np.ndarray, " p"]
    method: str
    rows: int
    unit: str = ""
    loss: str = ""
    seed: int = 0
    noise: Float[np.ndarray, " p"] | None = None
    whole: float | None = None
    told: Mapping[str, float] = field(default_factory=dict)

    def interval(self, level: float = 0.95) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " p"]]:
        """values -+ t stderr, t the Student quantile of rows - 1 degrees of freedom."""
        half = stdtrit(max(self.rows - 1, 1), 0.5 + level / 2) * self.stderr
        return self.values - half, self.values + half

    @property
    def order(self) -> tuple[int, ...]:
        """Players by value, largest first."""
        return tuple(np.argsort(-self.values, kind="stable").tolist())
