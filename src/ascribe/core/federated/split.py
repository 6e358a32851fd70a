"""One ensemble of trees -> what each of several parties needs of it: a host gets its own thresholds and no weight, the
guest the weights and no host's threshold.
"""

from __future__ import annotations

from collections.abc import Mapping

from ascribe.core.arrays import np
from ascribe.core.errors import InputError
from ascribe.core.federated.components.boosted_trees import BoostedTrees
from ascribe.core.federated.leaves import Leaves
from ascribe.core.federated.party import Party
from ascribe.core.federated.pipeline import Pipeline, Step
from ascribe.core.federated.splits import Splits
from ascribe.core.federated.structure import Structure
from ascribe.core.trees import Trees
from ascribe.core.words import listed

__all__ = ["GUEST", "split_trees"]

GUEST = "guest"


def split_trees(trees: Trees, parties: Mapping[str, str], model: str = "") -> dict[str, Party]:
    """By name of party; `parties`: column -> "guest", or the name of a host. Thresholds become `x <= cut` with the same
    outcome for every number; cover is the library's own.

    Raises InputError for a column without a party, a party's column that the model lacks, and where there is no guest
    or no host.
    """
    lacking = [c for c in trees.features if c not in parties]
    unknown = [c for c in parties if c not in trees.features]
    names = list(dict.fromkeys(parties.values()))
    if lacking or unknown:
        told = f"no party for {listed(lacking)}" if lacking else f"the model has no {listed(unknown)}"
        raise InputError(f"the map of parties does not fit: {told}; name every column of the model once")
    if GUEST not in names or len(names) < 2:
        raise InputError(f"the map names {listed(names)}: it must name '{GUEST}', who has the label, and a host")
    for name in names:
        if not name or not all(c.isalnum() or c in "._-" for c in name):
            raise InputError(f"'{name}' cannot be a party: use letters, digits, '.', '_' and '-'")
    full = {name: f"{GUEST if name == GUEST else 'host'}:{name}" for name in names}
    order = [GUEST, *sorted(set(names) - {GUEST})]
    place = np.array([order.index(parties[c]) for c in trees.features])
    owner = np.where(trees.leaf, -1, place[trees.feature])
    structure = Structure(tuple(full[n] for n in order), trees.start, owner, trees.left, trees.right)
    cut, out = _cut(trees), {}
    for name in order:
        own = structure.splits_of(full[name])
        columns = [j for j, c in enumerate(trees.features) if parties[c] == name]
        half = BoostedTrees(
            full[name],
            structure,
            _splits(trees, own, columns, cut),
            _leaves(trees, structure) if name == GUEST else None,
        )
        inputs = tuple(trees.features[j] for j in columns)
        out[name] = Party(full[name], Pipeline((Step("trees", half),)), model, inputs, {"format": "split"})
    return out


def _cut(trees: Trees) -> np.ndarray:
    """Thresholds as x <= cut in float64, for numbers x that are float32 ones where the trees say `single`."""
    held = trees.threshold.copy()
    kind: type = np.float32 if trees.single else np.float64
    if trees.comparison == "<":  # x < c is x <= the number before the smallest one that is not below c
        near: np.ndarray = held.astype(kind)
        near = np.where(near < held, np.nextafter(near, kind(np.inf)), near)
        held = np.nextafter(near, kind(-np.inf)).astype(float)
    return held


def _splits(trees: Trees, own: np.ndarray, columns: list[int], cut: np.ndarray) -> Splits:
    assert trees.category_start is not None and trees.categories is not None
    assert trees.zero_missing is not None and trees.other_left is not None
    moved = np.full(len(trees.features), -1)
    moved[columns] = np.arange(len(columns))
    counts = np.diff(trees.category_start)[own]
    first = trees.category_start[:-1][own]
    held = np.concatenate([np.arange(a, a + c) for a, c in zip(first, counts, strict=True)] or [np.zeros(0, int)])
    return Splits(
        tuple(trees.features[j] for j in columns), moved[trees.feature[own]], np.where(counts > 0, 0.0, cut[own]),
        trees.missing_left[own], single=trees.single, zero_missing=trees.zero_missing[own],
        category_start=np.concatenate([[0], np.cumsum(counts)]), categories=trees.categories[held.astype(int)],
        other_left=trees.other_left[own],
    )  # fmt: skip


def _leaves(trees: Trees, structure: Structure) -> Leaves:
    """Weights of splits are the means of their leaves by cover."""
    value, cover = np.where(trees.leaf[:, None], trees.value, 0.0), trees.cover
    for level in structure.levels[::-1]:
        n = level[~structure.leaf[level]]
        a, b = structure.left[n], structure.right[n]
        share = np.divide(cover[a], cover[a] + cover[b], out=np.full(len(n), 0.5), where=cover[a] + cover[b] > 0)
        value[n] = share[:, None] * value[a] + (1 - share[:, None]) * value[b]
    labels = trees.outputs if len(trees.outputs) > 1 else ()
    return Leaves(
        value, trees.output, trees.base, trees.link, labels, base_first=True, inner=value.shape[1] == 1, cover=cover,
        cover_source="library",
    )  # fmt: skip
