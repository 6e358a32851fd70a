"""EmSHAP at inference: a proposal with joint dependence, tilted by a bounded energy.

    p(x_u | x_S) = q(x_u | x_S) exp(-t(x, S)) / Z(x_S),     energy g(x) = t(x, S) - log q(x_u | x_S)
    log w_k = -t(z_k, S)          (log q cancels: the inference graph needs no density)

After Lu et al., arXiv 2404.01078 (eq. 6: mean over draws; weights are ours), with the energy as a bounded correction:
`docs/decisions/0002-energy-as-a-tilt.md`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.conditional import draw
from ascribe.core.errors import CapabilityError
from ascribe.core.mixture import Mixture
from ascribe.core.noise import plain_points, sobol_points
from ascribe.core.scaling import Scores

__all__ = ["Drawn", "EmShap", "Energy"]

Proposal = Callable[[np.ndarray, np.ndarray], Mixture]  # scores (r, n) float32, observed (r, n) bool
Tilt = Callable[[np.ndarray, np.ndarray], np.ndarray]  # scores (r, n) float32, observed (r, n) bool -> t (r,)


@dataclass(frozen=True, eq=False)
class Energy:
    """The energy of vectors under coalitions and the proposal's parameters, densities in score space.

    g = tilt - log_q (lower is likelier; without an energy network the tilt is 0). `mean`, `variance` are the
    proposal's, in scores; `mean_natural` is the natural value at the mean score (for a monotone map: near the median).
    """

    g: Float[np.ndarray, "b m"]
    log_q: Float[np.ndarray, "b m"]
    mean: Float[np.ndarray, "b m n"]
    variance: Float[np.ndarray, "b m n"]
    mean_natural: Float[np.ndarray, "b m n"]


@dataclass(frozen=True, eq=False)
class Drawn:
    """Completions of one row: natural units `Z (m, s, n)`, scores `z (m, s, n)`, `log_weight (m, s)` (None: all equal);
    the observed scores `known (m, n)` and the mixture `q` that the hidden ones came from.
    """

    Z: Float[np.ndarray, "m s n"]
    z: Float[np.ndarray, "m s n"]
    log_weight: Float[np.ndarray, "m s"] | None
    known: Float[np.ndarray, "m n"]
    q: Mixture


@dataclass(frozen=True, eq=False)
class EmShap:
    """Completions from the proposal (`weighting="proposal"`, eq. 6) or weighted by the energy (`"energy"`).

    The weighting is named, never inferred: asking for "energy" without a tilt is an error, not a silent fallback.
    `quasi`: completions from a Sobol' net instead of independent points: less error, and error bars that are too wide.
    `held`: positions in `background` of rows that nothing was fitted on (none where the background is but a sample).
    """

    scores: Scores
    proposal: Proposal
    tilt: Tilt | None
    rank: int
    background: Float[np.ndarray, "rows n"]
    weighting: str = "proposal"
    quasi: bool = False
    held: tuple[int, ...] = ()
    name: str = "emshap"

    def __post_init__(self) -> None:
        if self.weighting not in ("proposal", "energy"):
            raise CapabilityError(f"weighting is 'proposal' or 'energy', not '{self.weighting}'")
        if self.weighting == "energy" and self.tilt is None:
            raise CapabilityError("weighting by energy needs the energy network, which this conditional lacks")

    def noise(self, s: int, seed: int) -> np.ndarray:
        points = sobol_points if self.quasi else plain_points
        return points(s, 1 + self.rank + self.scores.table.shape[0], seed)

    def complete(
        self, x: Float[np.ndarray, " n"], S: Bool[np.ndarray, "m n"], noise: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray | None]:
        drawn = self.latent(x, S, noise)
        return drawn.Z, drawn.log_weight

    def latent(self, x: Float[np.ndarray, "*m n"], S: Bool[np.ndarray, "m n"], noise: np.ndarray) -> Drawn:
        """Completions with the scores and the mixture behind them; `x` one row, or one for each coalition."""
        known = np.where(S, self.scores.forward(x), np.float32(0))  # hidden cells stop here, NaN included
        q = self.proposal(known, S)
        drawn = q.draw(noise)
        hidden = ~S[:, None, :]
        Z = np.where(hidden, self.scores.inverse(drawn), x[..., None, :].astype(np.float32))
        z = np.where(hidden, drawn, known[:, None, :])
        if self.weighting == "proposal":
            return Drawn(Z, z, None, known, q)
        assert self.tilt is not None
        n = S.shape[1]
        observed = np.broadcast_to(S[:, None, :], z.shape).reshape(-1, n)
        t = self.tilt(z.reshape(-1, n), observed).reshape(z.shape[:2])
        return Drawn(Z, z, -t.astype(float), known, q)

    def draw(self, X: np.ndarray, S: np.ndarray, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """See `conditional.draw`."""
        return draw(self, X, S, n_samples, rng)

    def energy(self, X: Float[np.ndarray, "b n"], S: Bool[np.ndarray, "m n"]) -> Energy:
        """g and log q of the hidden part of each row given its observed part, and the proposal's moments."""
        b, m, n = len(X), len(S), X.shape[1]
        rows, observed = np.repeat(X, m, axis=0), np.tile(S, (b, 1))
        z = self.scores.forward(rows)
        mixture = self.proposal(np.where(observed, z, np.float32(0)), observed)
        log_q = mixture.log_density(z, ~observed)
        tilt = np.zeros(b * m) if self.tilt is None else self.tilt(z, observed).astype(float)
        mean, variance = mixture.moments()
        shape = (b, m, n)
        return Energy(
            g=(tilt - log_q).reshape(b, m),
            log_q=log_q.reshape(b, m),
            mean=mean.reshape(shape),
            variance=variance.reshape(shape),
            mean_natural=self.scores.inverse(mean).reshape(shape),
        )
