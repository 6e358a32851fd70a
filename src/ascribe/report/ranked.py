"""Players by how much they matter over rows; what is not shown one by one is summed, so that every sum is kept."""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.answer import Answer, additive, answered
from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError
from ascribe.report.account import others

__all__ = ["Ranked", "ranked", "unit_of"]


@dataclass(frozen=True, eq=False)
class Ranked:
    """`rows (r,)`: numbers of the rows that were answered; `values`, `stderr (r, k)`, `data (r, k)`: of the players
    `names`, the largest mean |value| first. The last stands for `folded` others where there are any: its value is
    their sum, its error sqrt(sum se^2), it has no value of its own. `data` is NaN where a player has none.
    """

    rows: np.ndarray
    names: tuple[str, ...]
    values: Float[np.ndarray, "r k"]
    stderr: Float[np.ndarray, "r k"]
    data: Float[np.ndarray, "r k"]
    folded: int


def ranked(answer: Answer, top: int, chosen: tuple[int, ...] | None = None) -> Ranked:
    """Raises InputError where no row was answered, or for rows that are not there."""
    a = answer.attribution
    if top < 1:
        raise InputError(f"top is {top}: show at least one player")
    for row in chosen or ():
        if row not in range(len(a)):
            raise InputError(f"there is no row {row}: choose from 0 to {len(a) - 1}")
    good = np.flatnonzero(answered(a))
    rows = good if chosen is None else np.array([row for row in chosen if row in set(good.tolist())], dtype=int)
    if not len(rows):
        raise InputError("no row of this answer holds numbers: look at its status and reason")
    values, stderr = a.values[rows], a.stderr[rows]
    order = np.argsort(-np.abs(values).mean(axis=0), kind="stable")
    cut = top if len(order) > top + 1 else len(order)
    shown, folded = order[:cut], order[cut:]
    names = [a.features[j] for j in shown]
    data = np.column_stack([_data(answer, rows, name) for name in names])
    held, errors = values[:, shown], stderr[:, shown]
    if len(folded):
        names.append(others(a, len(folded)))
        held = np.column_stack([held, values[:, folded].sum(axis=1)])
        errors = np.column_stack([errors, np.sqrt((stderr[:, folded] ** 2).sum(axis=1))])
        data = np.column_stack([data, np.full(len(rows), np.nan)])
    return Ranked(rows, tuple(names), held, errors, data, len(folded))


def unit_of(answer: Answer) -> str:
    """The output's unit where values are parts of it, or falls."""
    a = answer.attribution
    return a.info.unit if additive(a) or a.info.game == "occlusion" else ""


def _data(answer: Answer, rows: np.ndarray, name: str) -> np.ndarray:
    if name not in answer.columns:
        return np.full(len(rows), np.nan)
    return np.asarray(answer.attribution.data[rows, answer.columns.index(name)], dtype=float)
