"""What of the guest's own columns would have changed a score, exactly, and without a new question to any host.

The hosts' bits are for all their splits, on the path or not, so the guest can walk again with other values of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.arrays import np
from ascribe.core.errors import InputError
from ascribe.core.federated.components.boosted_trees import BoostedTrees
from ascribe.core.federated.components.linear import LinearModel
from ascribe.core.federated.leaves import reached
from ascribe.core.federated.merged import Answer
from ascribe.core.federated.party import Party

__all__ = ["Change", "own_changes"]


@dataclass(frozen=True)
class Change:
    """`column` set to `value`, in the unit that reaches the model, gives `margin`."""

    column: str
    value: float
    margin: float


def own_changes(guest: Party, answer: Answer, row: int, margin: float, output: int = 0) -> tuple[Change, ...]:
    """For each own column alone, the nearest value that takes the row's margin across `margin`; none where no value
    does. Sorted by distance; for trees in units of the column's own spread of thresholds and categories, where it has
    more than one.

    Raises InputError for a row that was not answered.
    """
    if answer.code[row] != 0:
        raise InputError(f"row {row} was not answered ({answer.reasons[row]}): there is nothing to change")
    component = guest.pipeline.last[1]
    now = float(answer.margin[row, output])
    if isinstance(component, LinearModel):
        return _linear(component, answer, row, margin - now, output)
    assert isinstance(component, BoostedTrees) and component.leaves is not None and answer.left is not None
    splits, found = component.splits, []
    x, cut, sizes = answer.data[row], splits.threshold + splits.epsilon, np.diff(splits.category_start)
    own = component.structure.splits_of(component.party)
    for j, name in enumerate(component.columns):
        mine = splits.feature == j
        edges = np.unique(cut[mine & np.isfinite(cut) & (sizes == 0)])
        kind = np.float32 if splits.single else np.float64
        named = np.arange(int(sizes[mine].max(initial=0)))  # categories that a split of the column knows
        values = np.unique(np.concatenate([_below(edges, kind), _above(edges, kind), named]))
        if not len(values):
            continue
        rows = np.repeat(x[None], len(values), axis=0)
        rows[:, j] = values
        left = np.repeat(answer.left[[row]], len(values), axis=0)
        left[:, own] = splits.bits(rows)
        made = component.leaves.margin(reached(component.structure, left))[:, output]
        across = np.flatnonzero((made > margin) if now <= margin else (made <= margin))
        if len(across):
            away = np.abs(values[across] - (x[j] if np.isfinite(x[j]) else 0.0))
            best = across[np.argmin(away)]
            spread = float(np.ptp(np.concatenate([edges, named]))) or 1.0
            found.append((float(away.min()) / spread, Change(name, float(values[best]), float(made[best]))))
    return tuple(change for _, change in sorted(found, key=lambda pair: pair[0]))


def _below(edges: np.ndarray, kind: type) -> np.ndarray:
    """The largest number of the kind that is not above an edge."""
    near: np.ndarray = edges.astype(kind)
    return np.where(near > edges, np.nextafter(near, kind(-np.inf)), near).astype(float)


def _above(edges: np.ndarray, kind: type) -> np.ndarray:
    """The smallest number of the kind that is above an edge."""
    near: np.ndarray = edges.astype(kind)
    return np.where(near <= edges, np.nextafter(near, kind(np.inf)), near).astype(float)


def _linear(model: LinearModel, answer: Answer, row: int, wanted: float, output: int) -> tuple[Change, ...]:
    x = np.nan_to_num(answer.data[row])
    weight = model.weight[:, output]
    used = np.flatnonzero(weight)
    moved = wanted / weight[used]
    order = np.argsort(np.abs(moved))
    now = float(answer.margin[row, output])
    return tuple(Change(model.columns[used[i]], float(x[used[i]] + moved[i]), now + wanted) for i in order)
