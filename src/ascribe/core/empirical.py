"""Empirical conditionals: hidden features from the training rows that look like x where it is observed.

    D_i^2 = (x - x_i)'_S C_SS^-1 (x - x_i)_S / |S|^power,      w_i = exp(-D_i^2 / (2 sigma^2))

Completions are the rows of largest weight that hold the share eta of it, at most s of them, with these weights.
Aas, Jullum, Loland 2021 (sigma .1, eta .95 as published). Their formula has power 1; the errors that they publish are
met with power 2 (ten correlated Gaussians, rho .5: .12 here, .114 there, and .22 with power 1), so 2 is the default.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.conditional import Conditional, draw
from ascribe.core.errors import InputError

__all__ = ["Combined", "Empirical"]

FLAT = 1e-10  # directions of the correlation below this share of the largest variance say nothing of distance


@dataclass(frozen=True, eq=False)
class Empirical:
    """`background`: the training rows; `scaled`: the same, centred and divided by their spread (0 for a constant)."""

    background: Float[np.ndarray, "rows n"]
    mean: Float[np.ndarray, " n"]
    sd: Float[np.ndarray, " n"]
    sigma: float = 0.1
    eta: float = 0.95
    power: float = 2.0
    name: str = "empirical"

    @classmethod
    def fit(cls, X: Float[np.ndarray, "b n"], sigma: float = 0.1, eta: float = 0.95, power: float = 2.0) -> Empirical:
        """Keeps the rows. Raises InputError without rows, or for a width or a share that is not positive.

        >>> law = Empirical.fit(np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 5.0]]))
        >>> Z, log_weight = law.complete(np.array([1.0, np.nan]), np.array([[True, False]]), law.noise(2, seed=0))
        >>> Z[0].tolist()
        [[1.0, 3.0], [1.0, 3.0]]
        """
        X = np.asarray(X, dtype=float)
        if not len(X):
            raise InputError("an empirical conditional needs rows: none given")
        if sigma <= 0 or not 0 < eta <= 1:
            raise InputError(f"sigma must be positive and eta in (0, 1], got sigma={sigma:g}, eta={eta:g}")
        constant = (X[0] == X).all(axis=0)
        return cls(
            X, np.where(constant, X[0], X.mean(axis=0)), np.where(constant, 1.0, X.std(axis=0)), sigma, eta, power
        )

    @cached_property
    def scaled(self) -> Float[np.ndarray, "rows n"]:
        return (self.background - self.mean) / self.sd

    @cached_property
    def correlation(self) -> Float[np.ndarray, "n n"]:
        return self.scaled.T @ self.scaled / len(self.scaled)

    @cached_property
    def _whitenings(self) -> dict[bytes, np.ndarray]:
        return {}

    def noise(self, s: int, seed: int) -> np.ndarray:
        """Its first number says which of equally near rows come first."""
        return np.random.default_rng(seed).random(s)

    def complete(
        self, x: Float[np.ndarray, " n"], S: Bool[np.ndarray, "m n"], noise: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        rows, s = len(self.background), len(noise)
        Z, log_weight = np.empty((len(S), s, len(x))), np.empty((len(S), s))
        turn = np.random.default_rng(int(noise.flat[0] * 2**53)).permutation(rows)
        scaled = (x - self.mean) / self.sd
        for k, observed in enumerate(S):
            distance = self._distance(scaled[observed], observed)[turn]
            row, log_weight[k] = _heaviest(-(distance - distance.min()) / (2 * self.sigma**2), s, self.eta)
            Z[k] = np.where(observed, x, self.background[turn[row]])
        return Z, log_weight

    def draw(self, X: np.ndarray, S: np.ndarray, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """See `conditional.draw`."""
        return draw(self, X, S, n_samples, rng)

    def _distance(self, x: np.ndarray, observed: np.ndarray) -> Float[np.ndarray, " rows"]:
        """D_i^2 to every training row, by the pseudo-inverse of C_SS: flat directions do not tell rows apart."""
        if not observed.any():
            return np.zeros(len(self.background))
        key = observed.tobytes()
        if (root := self._whitenings.get(key)) is None:
            value, vector = np.linalg.eigh(self.correlation[np.ix_(observed, observed)])
            keep = value > FLAT * max(value[-1], 1e-300)
            root = vector[:, keep] / np.sqrt(value[keep] * float(observed.sum()) ** self.power)
            if len(self._whitenings) < 1 << 12:
                self._whitenings[key] = root
        return (((self.scaled[:, observed] - x) @ root) ** 2).sum(axis=1)


def _heaviest(log_w: Float[np.ndarray, " rows"], s: int, eta: float) -> tuple[np.ndarray, np.ndarray]:
    """Rows and log-weights `(s,)` of the heaviest rows; the largest of `log_w` is 0.

    Where fewer than s rows hold the share eta, the heavy ones are repeated with their weight divided among the copies,
    which are dealt out evenly: blocks of completions then weigh about the same.
    """
    rows = len(log_w)
    near = np.argsort(-log_w, kind="stable")[:s] if rows <= 2 * s else _first(log_w, s)
    share = np.exp(log_w[near]) / np.exp(log_w).sum()
    kept = min(int(np.searchsorted(np.cumsum(share), eta)) + 1, len(near))
    near, share = near[:kept], share[:kept] / share[:kept].sum()
    copies = np.ones(kept, dtype=int)
    wanted = share * (s - kept)
    copies += np.floor(wanted).astype(int)
    left = s - copies.sum()
    copies[np.argsort(np.floor(wanted) - wanted, kind="stable")[:left]] += 1
    at = np.repeat(np.arange(kept), copies)
    at = at[_dealt(s)]
    return near[at], log_w[near[at]] - np.log(copies[at])


def _first(log_w: np.ndarray, s: int) -> np.ndarray:
    """The s heaviest, heaviest first; of equal weights, those that come first."""
    least = np.partition(log_w, -s)[-s]
    above = np.flatnonzero(log_w > least)
    chosen = np.concatenate([above, np.flatnonzero(log_w == least)[: s - len(above)]])
    return chosen[np.argsort(-log_w[chosen], kind="stable")]


def _dealt(s: int) -> np.ndarray:
    """Positions 0 ... s-1 dealt to eight hands in turn, hand after hand: neighbours in rank end in different blocks."""
    hands = next((h for h in (8, 5, 4, 3, 2) if s % h == 0), 1)
    return np.arange(s).reshape(-1, hands).T.ravel()


@dataclass(frozen=True, eq=False)
class Combined:
    """The published combination: `near` (empirical) up to `most` observed features, `far` (Gaussian or copula) beyond.

    Few observed features leave many rows that look alike; with many observed none does. Aas, Jullum, Loland 2021,
    most = 3.
    """

    near: Conditional
    far: Conditional
    most: int = 3
    name: str = "combined"

    @property
    def background(self) -> Float[np.ndarray, "rows n"]:
        return self.near.background

    def noise(self, s: int, seed: int) -> np.ndarray:
        """Noise of `near`, then of `far`, side by side."""
        return np.hstack([self.near.noise(s, seed).reshape(s, -1)[:, :1], self.far.noise(s, seed).reshape(s, -1)])

    def complete(
        self, x: Float[np.ndarray, " n"], S: Bool[np.ndarray, "m n"], noise: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        Z, log_weight = np.empty((len(S), len(noise), len(x))), np.zeros((len(S), len(noise)))
        few = S.sum(axis=1) <= self.most
        for part, law, own in ((few, self.near, noise[:, 0]), (~few, self.far, noise[:, 1:])):
            if part.any():
                Z[part], weight = law.complete(x, S[part], own)
                log_weight[part] = 0.0 if weight is None else weight
        return Z, log_weight

    def draw(self, X: np.ndarray, S: np.ndarray, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """See `conditional.draw`."""
        return draw(self, X, S, n_samples, rng)
