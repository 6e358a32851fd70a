"""A plan: what an estimator decides before it sees any data. And what reading one row's values through it gives."""

from __future__ import annotations

from dataclasses import dataclass, field

from ascribe.core.arrays import Bool, Float, np

__all__ = ["GROUPS", "Plan", "Solved"]

GROUPS = 32  # of drawn coalitions, at most, by which their error is told


@dataclass(frozen=True, eq=False)
class Solved:
    """One row, read.

        phi = W v + offset,      se_i^2 = sum_g deviations[g, i]^2

    `W (p, m)` is the matrix that was used: for linear plans the plan's own, for adjusted ones that of this row's fit.
    Replicates of `v` go through the same matrix. `offset (p,)` is what no matrix on `v` says: the Shapley values of a
    proxy of `v`, less its own reading; 0 by default. `deviations (g, p)`: the error from the choice of coalitions, as
    independent parts, 32 at most (16 of orders), so that two rows read through the same coalitions can be compared with
    the error that they share taken out. No rows: nothing was left to chance; NaN: too few coalitions to tell.
    """

    W: Float[np.ndarray, "p m"]
    deviations: Float[np.ndarray, "g p"]
    estimator: str
    offset: Float[np.ndarray, " #p"] = field(default_factory=lambda: np.zeros(1))

    def __post_init__(self) -> None:
        object.__setattr__(self, "offset", np.broadcast_to(self.offset, len(self.W)))

    def phi(self, v: Float[np.ndarray, "*batch m"]) -> Float[np.ndarray, "*batch p"]:
        """W v + offset; any leading axes."""
        return v @ self.W.T + self.offset


@dataclass(frozen=True, eq=False)
class Plan:
    """Coalitions and the matrix that turns their values into Shapley values.

        phi = V @ W.T            V (b, m), W (p, m) -> (b, p)
        1' W = e_grand - e_empty     efficiency, for every plan

    Row 0 of `S` is the empty coalition, the last row the grand one. `jackknife (g, p, m)` holds the same matrix with
    one group of the randomly drawn coalitions left out, already shrunk by the finite-population factor
    sqrt(1 - share of the population drawn); it is empty when every coalition is enumerated. `floor (p,)`: a part of the
    error that no row's values tell, in the unit of v; 0 by default.
    """

    S: Bool[np.ndarray, "m p"]
    W: Float[np.ndarray, "p m"]
    jackknife: Float[np.ndarray, "g p m"]
    estimator: str
    exact: bool
    floor: Float[np.ndarray, " #p"] = field(default_factory=lambda: np.zeros(1))

    def __post_init__(self) -> None:
        object.__setattr__(self, "floor", np.broadcast_to(self.floor, len(self.W)))
        for held in (self.S, self.W, self.jackknife):
            held.setflags(write=False)  # plans are cached: nobody may change one

    def solve(self, V: Float[np.ndarray, "*batch m"]) -> Float[np.ndarray, "*batch p"]:
        """phi = V @ W.T; any leading axes."""
        return V @ self.W.T

    def solved(self, v: Float[np.ndarray, " m"]) -> Solved:
        """The plan's own reading of one row; deviations from the delete-a-group jackknife

            deviations_g = sqrt((g - 1)/g) (phi_(-g) - phi)

        none for an exact plan; NaN where a random plan has fewer than two groups (spend more budget).
        """
        g = len(self.jackknife)
        if self.exact:
            deviations = np.zeros((0, len(self.W)))
        elif g < 2:
            deviations = np.full((1, len(self.W)), np.nan)
        else:
            deviations = np.sqrt((g - 1) / g) * ((self.jackknife - self.W) @ v)
            if self.floor.any():
                deviations = np.vstack([deviations, self.floor])
        return Solved(self.W, deviations, self.estimator)

    def coalition_stderr(self, V: Float[np.ndarray, "b m"]) -> Float[np.ndarray, "b p"]:
        """Standard error from the choice of coalitions, of each row: root of the sum of squared deviations."""
        return np.array([np.sqrt((self.solved(v).deviations ** 2).sum(axis=0)) for v in V])
