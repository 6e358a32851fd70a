"""An answer put together row by row, for explainers whose players or base value are each row's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ascribe.core.arrays import Float, np
from ascribe.core.attribution import Attribution, Info, based
from ascribe.core.model import Model

__all__ = ["NOT_FINITE", "One", "by_rows"]

NOT_FINITE = "the model gave no finite number for this row or its completions"


@dataclass(frozen=True, eq=False)
class One:
    """One row answered. `owner (n,)`: the player of each column, of an image or a text. `budget`: evaluations of the
    model or coalitions, as the explainer counts. `status` other than ok says why in `reason`. `fit`: R2 of a
    local model, where one is fitted.
    """

    prediction: float
    base: float
    values: Float[np.ndarray, " p"]
    stderr: Float[np.ndarray, " p"]
    ess: float = np.inf
    owner: np.ndarray | None = None
    budget: int = 0
    estimator: str = ""
    status: str = "ok"
    reason: str = ""
    fit: float = np.nan


def by_rows(
    model: Model,
    X: Float[np.ndarray, "b n"],
    names: tuple[str, ...],
    answer: Callable[[int], One],
    info: Info,
    step: Callable[[], None] | None,
    sums: bool = True,
) -> Attribution:
    """`answer` of every row that can be answered, by its number; `names`: of the columns of the answer. `info` is
    completed with what was spent, the estimators, the worst fit and, of values that are to sum (`sums`), the gap of
    the sum.
    """
    b, p = len(X), len(names)
    values, stderr = np.full((b, p), np.nan), np.full((b, p), np.nan)
    prediction, ess, bases, fit = (np.full(b, np.nan) for _ in range(4))
    status, reasons = model.check(X)
    owner = np.full(X.shape, -1)
    held: list[One] = []
    seated = False
    for i in np.flatnonzero(status != "invalid").tolist():
        one = answer(i)
        prediction[i], bases[i], ess[i] = one.prediction, one.base, one.ess
        if one.status == "invalid":
            status[i], reasons[i] = one.status, one.reason
        elif not (np.isfinite(one.values).all() and np.isfinite(one.prediction) and np.isfinite(one.base)):
            status[i], reasons[i] = "not_finite", NOT_FINITE
            bases[i] = np.nan
        else:
            values[i], stderr[i], fit[i] = one.values, one.stderr, one.fit
            held.append(one)
            if status[i] == "ok":
                status[i], reasons[i] = one.status, one.reason
        if one.owner is not None:
            owner[i], seated = one.owner, True
        if step:
            step()
    gap = np.abs(prediction - bases - values.sum(axis=1))
    missed = {"local_misfit": float(1 - np.nanmin(fit))} if np.isfinite(fit).any() else {}
    info = replace(
        info,
        budget=max((one.budget for one in held), default=0),
        estimator="+".join(sorted({one.estimator for one in held})) or info.estimator,
        unit=model.unit,
        output=model.output,
        version=model.version,
        space=model.space,
        gaps=({"efficiency_gap": float(gap[np.isfinite(gap)].max(initial=0.0))} if sums else {}) | missed,
    )
    layout = None if model.layout.kind == "table" else model.layout
    base_value, own = based(bases)
    return Attribution(
        values, base_value, prediction, stderr, ess, status, tuple(reasons), names, X, info, model.names,
        layout=layout, segments=owner if seated else None, base_values=own, fit=fit if missed else None,
    )  # fmt: skip
