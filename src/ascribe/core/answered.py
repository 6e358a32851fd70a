"""From what a method finds for good rows to the answer for all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ascribe.core.arrays import Float, np
from ascribe.core.attribution import Attribution, Info
from ascribe.core.errors import InputError
from ascribe.core.model import Model
from ascribe.core.options import Options

__all__ = ["Found", "Kind", "answered"]

ROUNDING = 1e-6  # base values that differ by no more are one
NOT_A_NUMBER = "the model gave no finite number for this row"


@dataclass(frozen=True)
class Kind:
    """What an answer says of itself in `Info`. `gap`: name of the gap of the sum; empty where values sum to nothing.
    `base`: the base value of all rows, where it is one number; `budget`, `samples`, `gaps`: as in `Found`, whatever the
    rows are.
    """

    method: str
    game: str
    value: str
    estimator: str
    gap: str = ""
    unit: str | None = None  # None: that of the output
    space: str | None = None  # the same
    base: float | None = None
    budget: int = 0
    samples: int = 0
    gaps: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Found:
    """Of `a` rows: `values (a, n)`, `prediction (a,)`; `base (a,)` of a sum, `stderr (a, n)` of a mean, `ess (a,)` of
    completions. `remarks`: status and reason of rows that are not simply ok. `budget`, `samples`: what a row took at
    most.
    """

    values: Float[np.ndarray, "a n"]
    prediction: Float[np.ndarray, " a"]
    base: Float[np.ndarray, " a"] | None = None
    stderr: Float[np.ndarray, "a n"] | None = None
    ess: Float[np.ndarray, " a"] | None = None
    remarks: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    budget: int = 0
    samples: int = 0
    gaps: Mapping[str, float] = field(default_factory=dict)


def answered(
    model: Model, X: np.ndarray, kind: Kind, options: Options, step: Callable[[], None] | None,
    ask: Callable[[Float[np.ndarray, "a n"]], Found],
) -> Attribution:  # fmt: skip
    """`ask` is given the rows that the model may see; others, and those without a finite number, are a status.

    Raises InputError for groups or segments: these methods know single columns.
    """
    if options.groups or options.segments is not None:
        raise InputError(f"{kind.method} knows single columns: leave out groups and segments, or ask another method")
    X = model.rows(X)
    b, n = X.shape
    values, stderr = np.full((b, n), np.nan), np.full((b, n), np.nan)
    prediction, base = np.full(b, np.nan), np.full(b, np.nan)
    status, reasons = model.check(X)
    at = np.flatnonzero(status != "invalid")
    found = ask(X[at]) if len(at) else Found(np.empty((0, n)), np.empty(0))
    values[at], prediction[at] = found.values, found.prediction
    stderr[at] = 0.0 if found.stderr is None else found.stderr
    if (bases := found.base if kind.base is None else kind.base) is not None:
        base[at] = bases
    ess = np.full(b, np.inf if found.ess is None else np.nan)
    if found.ess is not None:
        ess[at] = found.ess
    for i, remark in found.remarks.items():
        if status[at[i]] == "ok":
            status[at[i]], reasons[at[i]] = remark
    for i in at[~(np.isfinite(values[at]).all(axis=1) & np.isfinite(prediction[at]))].tolist():
        values[i] = stderr[i] = prediction[i] = base[i] = np.nan
        status[i], reasons[i] = "not_finite", NOT_A_NUMBER
    if step:
        for _ in at:
            step()
    gaps = {**kind.gaps, **found.gaps}
    if kind.gap:
        gap = np.abs(prediction - base - values.sum(axis=1))
        gaps = {kind.gap: float(gap[np.isfinite(gap)].max(initial=0.0)), **gaps}
    told = base[np.isfinite(base)]
    own = (np.abs(told - told[:1]) > ROUNDING * np.abs(told)).any()
    info = Info(
        kind.method, kind.game, kind.value, kind.estimator, kind.budget or found.budget, kind.samples or found.samples,
        options.seed,
        options.tier or "accurate", model.unit if kind.unit is None else kind.unit, model.output, model.version,
        model.space if kind.space is None else kind.space, gaps,
    )  # fmt: skip
    return Attribution(
        values, _mean(told) if kind.base is None else kind.base, prediction, stderr, ess, status,
        tuple(reasons), model.names, X, info, model.names,
        layout=None if model.layout.kind == "table" else model.layout, base_values=base if own else None,
    )  # fmt: skip


def _mean(bases: Float[np.ndarray, " a"]) -> float:
    return float(bases.mean()) if len(bases) else float("nan")
