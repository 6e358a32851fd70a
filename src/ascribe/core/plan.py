"""A plan: what an estimator decides before it sees any data."""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.arrays import Bool, Float, np

__all__ = ["Plan"]


@dataclass(frozen=True, eq=False)
class Plan:
    """Coalitions and the matrix that turns their values into Shapley values.

        phi = V @ W.T            V (b, m), W (p, m) -> (b, p)
        1' W = e_grand - e_empty     efficiency, for every plan

    Row 0 of `S` is the empty coalition, the last row the grand one. `jackknife (g, p, m)` holds the same matrix with
    one group of the randomly drawn coalitions left out, already shrunk by the finite-population factor
    sqrt(1 - share of the population drawn); it is empty when every coalition is enumerated.
    """

    S: Bool[np.ndarray, "m p"]
    W: Float[np.ndarray, "p m"]
    jackknife: Float[np.ndarray, "g p m"]
    estimator: str
    exact: bool

    def __post_init__(self) -> None:
        for held in (self.S, self.W, self.jackknife):
            held.setflags(write=False)  # plans are cached: nobody may change one

    def solve(self, V: Float[np.ndarray, "*batch m"]) -> Float[np.ndarray, "*batch p"]:
        """phi = V @ W.T; any leading axes."""
        return V @ self.W.T

    def coalition_stderr(self, V: Float[np.ndarray, "b m"]) -> Float[np.ndarray, "b p"]:
        """Standard error from the choice of coalitions: the delete-a-group jackknife

            se^2 = (g - 1)/g  sum_g (phi_(-g) - phi)^2

        0 for an exact plan; NaN where a random plan has fewer than two groups (spend more budget).
        """
        if self.exact:
            return np.zeros((len(V), self.W.shape[0]))
        g = len(self.jackknife)
        if g < 2:
            return np.full((len(V), self.W.shape[0]), np.nan)
        moved = np.einsum("bm,gpm->gbp", V, self.jackknife - self.W)
        return np.sqrt((g - 1) / g * (moved**2).sum(axis=0))
