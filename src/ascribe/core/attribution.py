"""The answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from scipy.special import stdtrit

from ascribe.core.arrays import Float, np
from ascribe.core.layout import Layout

__all__ = ["STATUS", "Attribution", "Deviations", "Info", "based"]

STATUS = {
    "ok": "answered",
    "out_of_domain": "answered, but a value lies outside what the training rows covered",
    "low_ess": "answered, but without weights: they would leave too few completions effective",
    "above_target": "answered, but the error asked for was not reached within the budget",
    "not_finite": "the model gave no finite number for the row or its completions",
    "invalid": "not answered: a value is missing, not a number, or physically impossible",
}


@dataclass(frozen=True)
class Info:
    """How an attribution came about. `gaps` are in the output's unit, `timings` in milliseconds. `space`: margin or
    probability where a classifier is explained, empty where the output is a quantity in `unit`.
    """

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
    space: str = ""
    gaps: Mapping[str, float] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)

    @property
    def gap(self) -> float | None:
        """Of the sum, `efficiency_gap` or, of a path, `completeness_gap`; None where none was measured."""
        found = self.gaps.get("efficiency_gap", self.gaps.get("completeness_gap"))
        return None if found is None else float(found)


@dataclass(frozen=True, eq=False)
class Deviations:
    """The errors of values as independent parts: se^2 = sum over parts of deviation^2.

    `completions (b, s, p)`: one part a completion; `coalitions (b, g, p)`: one part a group of drawn coalitions. Parts
    with the same number share their noise between rows explained together, so that a difference of rows has the error
    that is left when the common part is taken out.
    """

    completions: Float[np.ndarray, "b s p"]
    coalitions: Float[np.ndarray, "b g p"]

    def stderr(self) -> Float[np.ndarray, "b p"]:
        """Root of the sum of squares of both parts."""
        return np.asarray(np.sqrt(_square(self.completions) + _square(self.coalitions)))

    def freedom(self) -> Float[np.ndarray, "b p"]:
        """Degrees of freedom of the squared error, Welch-Satterthwaite: (v1 + v2)^2 / (v1^2/d1 + v2^2/d2)."""
        parts = [(_square(d), np.maximum(_filled(d) - 1, 1)) for d in (self.completions, self.coalitions)]
        total = sum(v for v, _ in parts) ** 2
        spread = sum(v**2 / d for v, d in parts)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(spread > 0, total / spread, np.inf)


@dataclass(frozen=True, eq=False)
class Attribution:
    """What each of `p` players (features, or groups of them) is to a prediction, of `b` rows.

        values.sum(axis=1) = prediction - base_value          within info.gaps["efficiency_gap"]

    of a method that shares the prediction out (`additive`; of a path method the gap is `completeness_gap`). Others
    answer with slopes, maps or weights: they sum to nothing, and `base_value` is NaN.

    `stderr` joins the noise of completions and of the choice of coalitions; the misfit of the model of p(x) is not in
    it. `ess (b,)`: smallest effective number of completions over the coalitions (infinite where none are drawn).
    `status`: see `STATUS`; rows that could not be answered hold NaN and say why in `reasons`. `data (b, n)`: the rows
    explained, in natural units, columns `columns`. `deviations`: the standard error's parts, for `contrast`. `layout`:
    what the columns are, where they are no table's. `segments (b, n)`: the number of the player that each column was
    part of, where pixels or words were put together. `base_values (b,)`: of each row, where it depends on the row (a
    blurred image is its own baseline); `base_value` is then their mean. `fit (b,)`: R2 of each row's local model, of
    methods that fit one. Values, base value, prediction and errors are in `info.unit`.

    >>> values, nothing = np.array([[30.0, -4.0]]), np.zeros((1, 2))
    >>> info = Info("kernel_shap", "marginal", "background", "exact", 4, 100, 0, unit="W", output="power")
    >>> a = Attribution(values, 105.0, np.array([131.0]), nothing, np.ones(1), np.array(["ok"]), ("",),
    ...                 ("cpu", "fan"), np.array([[61.2, 900.0]]), info)
    >>> a.base_value + a.values.sum(axis=1) == a.prediction, a.fraction.round(3).tolist()
    (array([ True]), [[0.229, -0.031]])
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
    columns: tuple[str, ...] = ()
    deviations: Deviations | None = None
    layout: Layout | None = None
    segments: np.ndarray | None = None
    base_values: Float[np.ndarray, " b"] | None = None
    fit: Float[np.ndarray, " b"] | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def additive(self) -> bool:
        """Whether the values claim to sum to prediction - base_value: what is claimed has its gap measured. Falls claim
        nothing; a gap of theirs tells what they leave over.
        """
        return self.info.game != "occlusion" and self.info.gap is not None

    @property
    def bases(self) -> Float[np.ndarray, " b"]:
        """The base value of each row."""
        return np.full(len(self), float(self.base_value)) if self.base_values is None else self.base_values

    @property
    def fraction(self) -> Float[np.ndarray, "b p"]:
        """Share of the prediction: values / prediction. With base / prediction they sum to 1."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.values / self.prediction[:, None]

    def interval(self, level: float = 0.95) -> tuple[Float[np.ndarray, "b p"], Float[np.ndarray, "b p"]]:
        """Lower and upper ends of the interval that holds the value of the same fit at all coalitions and without
        completion noise with probability `level`: values -+ t stderr, t the Student quantile of the error's own degrees
        of freedom (normal where an explainer states its error without parts).
        """
        freedom = np.inf if self.deviations is None else self.deviations.freedom()
        half = stdtrit(freedom, 0.5 + level / 2) * self.stderr
        return self.values - half, self.values + half


def based(bases: Float[np.ndarray, " b"]) -> tuple[float, Float[np.ndarray, " b"] | None]:
    """`base_value` and `base_values` of rows with these (NaN: not answered): one number where they are alike.

    >>> based(np.array([1.0, 1.0]))
    (1.0, None)
    """
    told = bases[np.isfinite(bases)]
    if not len(told) or (told == told[0]).all():
        return (float(told[0]) if len(told) else float("nan")), None
    return float(told.mean()), bases


def _filled(deviations: Float[np.ndarray, "b k p"]) -> Float[np.ndarray, "b 1"]:
    """Parts of each row: those that fill it up to the length of the longest row are zero."""
    return np.asarray((deviations != 0).any(axis=2).sum(axis=1, keepdims=True), dtype=float)


def _square(deviations: Float[np.ndarray, "b k p"]) -> Float[np.ndarray, "b p"]:
    return np.asarray((deviations.astype(float) ** 2).sum(axis=1))
