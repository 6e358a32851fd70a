"""The terms of an additive model: what each feature adds is a curve of that feature alone.

    f(x) = intercept + sum_j g_j(x_j)
    g_j(x) = slopes_j (x - centres_j) + steps_j[number of edges_j that are <= x]

A linear model has no edges; boosted trees of depth one have no slopes. The terms are centred, mean g_j = 0 over the
training rows, so `intercept` is the mean prediction and a term is the Shapley value of its feature, whatever the
features' dependence: of the marginal game over those rows, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError

__all__ = ["Terms"]


@dataclass(frozen=True, eq=False)
class Terms:
    """`edges`: of each feature, growing, as float32, which is how trees compare; `steps`: one more of each."""

    intercept: float
    slopes: Float[np.ndarray, " n"]
    centres: Float[np.ndarray, " centres"]
    edges: tuple[np.ndarray, ...]
    steps: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        n = len(self.slopes)
        if not len(self.centres) == len(self.edges) == len(self.steps) == n:
            raise InputError("terms have a slope, a centre, edges and steps of each feature")
        for edges, steps in zip(self.edges, self.steps, strict=True):
            if len(steps) != len(edges) + 1 or (np.diff(edges) <= 0).any() or not np.isfinite(steps).all():
                raise InputError("a term has growing edges, and one more step than edges")

    def parts(self, X: Float[np.ndarray, "b n"]) -> Float[np.ndarray, "b n"]:
        """g_j of each row, in the output's unit.

        >>> one = Terms(5.0, np.array([2.0]), np.array([1.0]), (np.array([3.0]),), (np.array([0.0, 10.0]),))
        >>> one.parts(np.array([[1.0], [3.0]])).tolist()
        [[0.0], [14.0]]
        """
        out = self.slopes * (X - self.centres)
        for j, (edges, steps) in enumerate(zip(self.edges, self.steps, strict=True)):
            out[:, j] += steps[np.searchsorted(edges, X[:, j].astype(np.float32), side="right")]
        return out

    def centred(self, X: Float[np.ndarray, "b n"]) -> Terms:
        """The same function with terms whose mean over X is 0."""
        means = self.parts(X).mean(axis=0)
        steps = tuple(s - m for s, m in zip(self.steps, means, strict=True))
        return Terms(self.intercept + float(means.sum()), self.slopes, self.centres, self.edges, steps)

    def arrays(self) -> dict[str, np.ndarray]:
        """As a bundle keeps them."""
        return {
            "intercept": np.array(self.intercept), "slopes": self.slopes, "centres": self.centres,
            "counts": np.array([len(e) for e in self.edges]),
            "edges": np.concatenate([*self.edges, np.empty(0)]).astype(np.float32),
            "steps": np.concatenate(self.steps),
        }  # fmt: skip

    @classmethod
    def of(cls, held: Mapping[str, np.ndarray]) -> Terms:
        """Raises InputError for arrays that do not fit together."""
        ends = np.cumsum(held["counts"])
        if len(held["edges"]) != ends[-1] or len(held["steps"]) != ends[-1] + len(ends):
            raise InputError("the steps of the terms do not fit their edges")
        edges = tuple(np.split(held["edges"], ends[:-1]))
        steps = tuple(np.split(held["steps"].astype(float), (ends + np.arange(1, len(ends) + 1))[:-1]))
        return cls(float(held["intercept"]), held["slopes"].astype(float), held["centres"].astype(float), edges, steps)
