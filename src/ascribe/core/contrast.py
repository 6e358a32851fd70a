"""Why did the prediction change? The difference of two explanations, with its own standard error."""

from __future__ import annotations

from dataclasses import replace

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution, Deviations
from ascribe.core.errors import InputError

__all__ = ["contrast"]

SAME = ("method", "game", "value", "estimator", "budget", "samples", "seed", "version", "output", "unit", "space")


def contrast(a0: Attribution, a1: Attribution) -> Attribution:
    """Row by row, a1 - a0 (a single row of either is compared with every row of the other):

        values = phi_1 - phi_0,   sum = f(x_1) - f(x_0) - (base_1 - base_0),   se^2 = sum_k (d_1k - d_0k)^2

    The parts d_k of both errors are subtracted where both used the same coalitions and noise (same estimator, budget,
    samples and seed): what they share cancels, so the error is mostly far below that of independent answers, which is
    taken otherwise. `data`: the rows of a1 minus those of a0.

    Raises InputError where players, game, output, unit or space differ, or the numbers of rows do not match.

    >>> from ascribe.core.explainers import explain
    >>> from ascribe.core.features import Feature
    >>> from ascribe.core.model import Model
    >>> model = Model((Feature("a"), Feature("b")), lambda X: X[:, 0] + 2 * X[:, 1], np.zeros((1, 2)))
    >>> before, after = (explain(model, np.array([x]), "kernel_shap") for x in ([1.0, 1.0], [3.0, 1.0]))
    >>> contrast(before, after).values.round(9).tolist()
    [[2.0, 0.0]]
    """
    for word in ("game", "output", "unit", "space"):
        ours, theirs = getattr(a0.info, word), getattr(a1.info, word)
        if ours != theirs:
            raise InputError(
                f"explanations of different {word} cannot be compared: {ours or 'none'} and {theirs or 'none'}"
            )
    if a0.features != a1.features:
        raise InputError("the two explanations share the prediction among different players: use the same groups")
    if len(a0) != len(a1) and 1 not in (len(a0), len(a1)):
        raise InputError(f"{len(a0)} rows cannot be compared with {len(a1)}: give as many, or one")
    b = max(len(a0), len(a1)) if len(a0) and len(a1) else 0
    at = [np.zeros(b, int) if len(a) == 1 else np.arange(b) for a in (a0, a1)]
    stderr, parts = _errors(a0, a1, *at)
    former = _graver(a0.status[at[0]], a1.status[at[1]])
    status = np.where(former, a0.status[at[0]], a1.status[at[1]])
    reasons = tuple(a0.reasons[i] if first else a1.reasons[j] for first, i, j in zip(former, *at, strict=True))
    values = a1.values[at[1]] - a0.values[at[0]]
    prediction = a1.prediction[at[1]] - a0.prediction[at[0]]
    bases = a1.bases[at[1]] - a0.bases[at[0]]
    own = a0.base_values is not None or a1.base_values is not None
    base = float(np.nanmean(bases)) if own and np.isfinite(bases).any() else a1.base_value - a0.base_value
    stderr = np.where(np.isnan(values), np.nan, stderr)
    gap = np.abs(prediction - bases - values.sum(axis=1))
    gaps = {"efficiency_gap": float(gap[np.isfinite(gap)].max(initial=0.0))}
    info = replace(a1.info, method=f"contrast of {a1.info.method}", gaps=gaps, timings={})
    return Attribution(
        values, base, prediction, stderr, np.minimum(a0.ess[at[0]], a1.ess[at[1]]), status, reasons, a1.features,
        a1.data[at[1]] - a0.data[at[0]], info, a1.columns, parts, a1.layout, a1.segments, bases if own else None,
    )  # fmt: skip


def _graver(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Where the first of two statuses says more: that a row was not answered, then that it was with a remark."""
    rank = {"ok": 0, "invalid": 2, "not_finite": 2}
    one, two = (np.array([rank.get(s, 1) for s in status.tolist()], dtype=int) for status in (first, second))
    return np.asarray(one > two)


def _errors(a0: Attribution, a1: Attribution, i: np.ndarray, j: np.ndarray) -> tuple[np.ndarray, Deviations | None]:
    d0, d1 = a0.deviations, a1.deviations
    if d0 is None or d1 is None:
        return np.hypot(a0.stderr[i], a1.stderr[j]), None
    same = all(getattr(a0.info, word) == getattr(a1.info, word) for word in SAME)
    shapes = [(x.shape[1:], y.shape[1:]) for x, y in ((d0.completions, d1.completions), (d0.coalitions, d1.coalitions))]
    if same and all(x == y for x, y in shapes):
        parts = Deviations(d1.completions[j] - d0.completions[i], d1.coalitions[j] - d0.coalitions[i])
    else:
        parts = Deviations(
            np.concatenate([d1.completions[j], d0.completions[i]], axis=1),
            np.concatenate([d1.coalitions[j], d0.coalitions[i]], axis=1),
        )
    return parts.stderr(), parts
