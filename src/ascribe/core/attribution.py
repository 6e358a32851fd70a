"""The answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ascribe.core.arrays import Float, np

__all__ = ["STATUS", "Attribution", "Info"]

STATUS = {
    "ok": "answered",
    "out_of_domain": "answered, but a value lies outside what the training rows covered",
    "low_ess": "answered, but the weights leave fewer than a tenth of the completions effective",
    "not_finite": "the model gave no finite number for the row or its completions",
    "invalid": "not answered: a value is missing, not a number, or physically impossible",
}


@dataclass(frozen=True)
class Info:
    """How an attribution came about. `gaps` are in the output's unit, `timings` in milliseconds."""

    method: str
    game: str
    value: str
    estimator: str
    budget: int
    samples: int
    seed: int
    tier: str = "accurate"
    unit: str = ""
    output: str = "prediction"
    version: str = ""
    gaps: Mapping[str, float] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Attribution:
    """Shapley values of `b` rows over `p` players (features, or groups of them).

        values.sum(axis=1) = prediction - base_value          within info.gaps["efficiency_gap"]

    `stderr` joins the noise of completions and of the choice of coalitions; the misfit of the model of p(x) is not in
    it. `ess (b,)`: smallest effective number of completions over the coalitions. `status`: see `STATUS`; rows that
    could not be answered hold NaN and say why in `reasons`. `data (b, n)`: the rows explained, in natural units.
    """

    values: Float[np.ndarray, "b p"]
    base_value: float
    prediction: Float[np.ndarray, " b"]
    stderr: Float[np.ndarray, "b p"]
    ess: Float[np.ndarray, " b"]
    status: np.ndarray
    reasons: tuple[str, ...]
    features: tuple[str, ...]
    data: np.ndarray
    info: Info

    def __len__(self) -> int:
        return len(self.values)

    @property
    def fraction(self) -> Float[np.ndarray, "b p"]:
        """Share of the prediction: values / prediction. With base_value / prediction they sum to 1."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.values / self.prediction[:, None]
