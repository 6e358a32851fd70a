"""Attributions on the guest, each host one player, from the replies that made the scores; nobody is asked again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution, Info
from ascribe.core.errors import InputError
from ascribe.core.federated.components.boosted_trees import BoostedTrees
from ascribe.core.federated.components.linear import LinearModel
from ascribe.core.federated.cover import counted, summed
from ascribe.core.federated.linear_values import linear_values
from ascribe.core.federated.merged import Answer
from ascribe.core.federated.party import Party
from ascribe.core.federated.pipeline import Pipeline, Step
from ascribe.core.federated.players import TreePlayers, tree_players
from ascribe.core.federated.tree_values import TreeValues, tree_values
from ascribe.core.trees.shape import UNITS
from ascribe.core.trees.walk import linked

__all__ = ["Explainer", "column_of_splits", "score_of", "with_counts", "with_cover"]


@dataclass(frozen=True, eq=False)
class Explainer:
    """What is prepared once for a guest; call it with an answer for its attribution.

    `names`: what hosts are called, by full name. `columns`: by host that agreed, the column of each of its splits. Of a
    linear model, `reference (n,)` and `references`: see `linear_values`.
    """

    guest: Party
    names: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    reference: np.ndarray | None = None
    references: Mapping[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def players(self) -> TreePlayers:
        return tree_players(self._trees, self.names, self.columns)

    @cached_property
    def values(self) -> TreeValues:
        """Raises InputError where the model has no cover."""
        trees, held = self._trees, self.players
        assert trees.leaves is not None
        return tree_values(trees.structure, trees.leaves, held.player, len(held.names))

    @property
    def _trees(self) -> BoostedTrees:
        component = self.guest.pipeline.last[1]
        if not isinstance(component, BoostedTrees) or component.leaves is None:
            raise InputError(f"{self.guest.name} holds no leaves: only the guest of a model of trees explains it so")
        return component

    def __call__(self, answer: Answer, output: str | int = 0) -> Attribution:
        """Exact Shapley values of the margin of one output, by name or number; rows without an answer are `invalid`.

        Raises InputError for an unknown output.
        """
        component, k = self.guest.pipeline.last[1], _number(answer, output)
        if isinstance(component, LinearModel):
            names, base, values = linear_values(component, answer, self.names, self.reference, self.references)
            game, told = "reference", "linear"
        else:
            assert self._trees.leaves is not None and answer.left is not None
            names, base, values = self.players.names, self.values.base_value, self.values(answer.left)
            game, told = "path-dependent", f"cover: {self._trees.leaves.cover_source}"
        failed, unit = answer.code != 0, UNITS.get(component.link, "")
        phi = np.where(failed[:, None], np.nan, values[:, k])
        gap = np.abs(answer.margin[:, k] - base[k] - phi.sum(axis=1))[~failed]
        info = Info(
            method="federated_shap", game=game, value=told, estimator="exact", budget=0, samples=0, seed=0,
            tier="exact", unit=unit, output=answer.labels[k] if answer.labels else "prediction",
            version=self.guest.model, space="margin" if unit else "",
            gaps={"efficiency_gap": float(gap.max(initial=0.0))},
        )  # fmt: skip
        reasons = tuple(
            f"{text} ({code})" if code else "" for text, code in zip(answer.reasons, answer.code, strict=True)
        )
        return Attribution(
            phi, float(base[k]), answer.margin[:, k], np.where(failed[:, None], np.nan, 0.0 * phi),
            np.where(failed, np.nan, np.inf), np.where(failed, "invalid", "ok").astype("<U13"), reasons, names,
            answer.data, info, answer.columns,
        )  # fmt: skip


def score_of(guest: Party, margin: np.ndarray) -> np.ndarray:
    """Scores of margins (b, K), such as rounded ones, by the model's own link."""
    return linked(guest.pipeline.last[1].link, margin)


def with_cover(guest: Party, background: Answer) -> Party:
    """The guest with the cover that answered background rows give: one exchange, once, for rows that nobody asked
    about. Raises InputError where none was answered.
    """
    trees = _with_leaves(guest)
    if background.left is None:
        raise InputError("the background was answered by another model: ask this one")
    good = background.left[background.code == 0]
    return _covered(guest, trees, counted(trees.structure, good), f"counted on {len(good)} background rows")


def with_counts(guest: Party, counts: Sequence[Mapping[int, float]]) -> Party:
    """The guest with training rows of each leaf that its owner knows: a mapping of leaf -> rows for each tree.

    Raises InputError where a leaf has no count, or something that is no leaf has one.
    """
    trees = _with_leaves(guest)
    structure, held = trees.structure, np.zeros(len(trees.structure.owner))
    for i in range(len(structure)):
        first, end = int(structure.start[i]), int(structure.start[i + 1])
        wanted = set((np.flatnonzero(structure.leaf[first:end])).tolist())
        given = {int(n): float(c) for n, c in counts[i].items()} if i < len(counts) else {}
        if set(given) != wanted or len(counts) != len(structure):
            raise InputError(f"counts of tree {i} are not those of its {len(wanted)} leaves: give rows for every leaf")
        held[[first + n for n in given]] = list(given.values())
    return _covered(guest, trees, summed(structure, held), "counts that were given")


def _with_leaves(guest: Party) -> BoostedTrees:
    trees = guest.pipeline.last[1]
    if not isinstance(trees, BoostedTrees) or trees.leaves is None:
        raise InputError("only a guest's trees have a cover: explain a linear model with a reference")
    return trees


def _covered(guest: Party, trees: BoostedTrees, cover: np.ndarray, source: str) -> Party:
    assert trees.leaves is not None
    made = replace(trees, leaves=replace(trees.leaves, cover=cover, cover_source=source))
    name = guest.pipeline.last[0]
    steps = tuple(Step(s.name, made, s.source) if s.name == name else s for s in guest.pipeline.steps)
    return replace(guest, pipeline=Pipeline(steps))


def column_of_splits(host: Party) -> dict[str, tuple[str, ...]]:
    """By component, the column of each own split: what a host tells once, at binding, if it agreed to.

    Raises InputError where it did not.
    """
    if not host.shares_columns:
        raise InputError(f"{host.name} did not agree to tell its columns: set shares_columns in its bundle")
    held = host.pipeline.reporters.items()
    return {n: tuple(c.columns[f] for f in c.splits.feature) for n, c in held if isinstance(c, BoostedTrees)}


def _number(answer: Answer, output: str | int) -> int:
    if isinstance(output, str):
        if output not in answer.labels:
            raise InputError(f"unknown output '{output}': use one of {', '.join(answer.labels) or '0'}")
        return answer.labels.index(output)
    if not 0 <= output < answer.margin.shape[1]:
        raise InputError(f"output {output} is not there: the model has {answer.margin.shape[1]}")
    return output
