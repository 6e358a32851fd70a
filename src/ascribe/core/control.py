"""A control variate for completions: a polynomial of the scores whose conditional mean is known.

    h(z) = b'z + z'A z + sum T_ijk z_i z_j z_k                                     A, T symmetric
    v(S) = mean_k [ f(z_k) - h(z_k) ] + E_q h,        z_k ~ q(. | x_S)

For a mixture with component mean m (observed coordinates at their values) and covariance C (zero there)

    E h = sum_c pi_c [ b'm + m'A m + <A, C> + m'T(m)m + 3 <T(m), C> ],     T(m)_ij = sum_k T_ijk m_k

h is fitted once for a function and a law, never on the draws that it corrects, so the estimate stays unbiased; what is
left to chance is what of f no polynomial can follow. Cubic to 12 features, quadratic to 40, linear and squares above.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations_with_replacement

from ascribe.core.arrays import Bool, Float, Predict, np
from ascribe.core.mixture import Mixture

__all__ = ["Control", "fit_control"]

CUBIC_TO, QUADRATIC_TO = 12, 40
PAIRS, DRAWS = 256, 32  # (row, coalition) pairs and completions of each that h is fitted on
RIDGE = 1e-3
WORTH = 0.95  # of the variance: h is kept if it leaves less than this


@dataclass(frozen=True, eq=False)
class Control:
    """`b (n,)`, `A (n, n)`, `T (n, n, n)` or None, in the output's unit. `left`: share of the conditional variance that
    h leaves, on rows and coalitions that it was not fitted on.
    """

    b: Float[np.ndarray, " n"]
    A: Float[np.ndarray, "n n"]
    T: Float[np.ndarray, "n n n"] | None
    left: float

    def arrays(self) -> dict[str, np.ndarray]:
        """For a file; `Control.of(arrays)` is the way back."""
        held = {"b": self.b, "A": self.A, "left": np.array(self.left)}
        return held if self.T is None else held | {"T": self.T}

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> Control:
        """Raises KeyError where an array is missing."""
        return cls(arrays["b"], arrays["A"], arrays.get("T"), float(arrays["left"]))

    def at(self, z: Float[np.ndarray, "*m n"]) -> Float[np.ndarray, "*m"]:
        """h of completed rows of scores."""
        inner = self.b + z @ self.A
        if self.T is not None:
            n = len(self.b)
            inner += np.einsum("...ij,...j->...i", (z @ self.T.reshape(n, -1)).reshape(*z.shape, n), z)
        return np.asarray((inner * z).sum(axis=-1))

    def mean(self, q: Mixture, known: Float[np.ndarray, "m n"], S: Bool[np.ndarray, "m n"]) -> Float[np.ndarray, " m"]:
        """E h under the conditional of each coalition; `known` holds the observed scores."""
        hidden = ~S[:, None, :]
        m = np.where(hidden, q.mean, known[:, None, :]).astype(float)  # (m, c, n)
        F = np.where(hidden[..., None], q.factor, 0.0)  # (m, c, n, l)
        D = np.where(hidden, q.diag, 0.0)
        inner = self.b + m @ self.A
        spread = (D * np.diag(self.A)).sum(axis=2) + (np.swapaxes(F, 2, 3) @ self.A * np.swapaxes(F, 2, 3)).sum((2, 3))
        if self.T is not None:
            n = len(self.b)
            Tm = (m @ self.T.reshape(n, -1)).reshape(*m.shape, n)  # (m, c, n, n)
            inner += np.einsum("mcij,mcj->mci", Tm, m)
            spread += 3 * ((D * np.einsum("mcii->mci", Tm)).sum(axis=2) + (F * (Tm @ F)).sum(axis=(2, 3)))
        return np.asarray((q.weights * ((inner * m).sum(axis=2) + spread)).sum(axis=1))


def fit_control(predict: Predict, law: object, seed: int = 0) -> Control | None:
    """h for a function and a law that can say its scores (`latent`); None where it cannot, or where h is not worth it.

    Least squares of f within (row, coalition) pairs, each centred by itself: that is the variance that matters.
    """
    latent = getattr(law, "latent", None)
    if latent is None:
        return None
    rng = np.random.default_rng(seed)
    rows = law.background[rng.integers(len(law.background), size=PAIRS)]  # type: ignore[attr-defined]
    n = rows.shape[1]
    noise = law.noise(DRAWS, seed)  # type: ignore[attr-defined]
    S = rng.random((PAIRS, n)).argsort(axis=1).argsort(axis=1) < rng.integers(0, n, size=(PAIRS, 1))
    drawn = [latent(x, observed[None], noise) for x, observed in zip(rows, S, strict=True)]
    z = np.stack([d.z[0] for d in drawn]).astype(float)  # (pairs, draws, n)
    f = np.asarray(predict(np.concatenate([d.Z[0] for d in drawn])), dtype=float).reshape(PAIRS, DRAWS)
    terms = _terms(n)
    P = np.stack([np.prod([z[..., i] for i in t], axis=0) for t in terms], axis=-1)
    P -= P.mean(axis=1, keepdims=True)
    y = f - f.mean(axis=1, keepdims=True)
    if not np.isfinite(y).all() or not y.any():
        return None
    cut = 3 * PAIRS // 4
    fitted, held = P[:cut].reshape(-1, len(terms)), P[cut:].reshape(-1, len(terms))
    G = fitted.T @ fitted
    w = np.linalg.solve(G + RIDGE * np.diag(np.diag(G) + G.trace() / len(G)), fitted.T @ y[:cut].ravel())
    left = float(((y[cut:].ravel() - held @ w) ** 2).sum() / max((y[cut:] ** 2).sum(), np.finfo(float).tiny))
    return Control(*_tensors(n, terms, w), left) if left < WORTH else None


def _terms(n: int) -> list[tuple[int, ...]]:
    """Features of each monomial."""
    if n > QUADRATIC_TO:
        return [(j,) for j in range(n)] + [(j, j) for j in range(n)]
    degrees = (1, 2, 3) if n <= CUBIC_TO else (1, 2)
    return [t for d in degrees for t in combinations_with_replacement(range(n), d)]


def _tensors(n: int, terms: list[tuple[int, ...]], w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """b, A, T: each monomial's coefficient shared by the orders of its features."""
    from itertools import permutations

    held = [np.zeros((n,) * d) for d in (1, 2, 3)]
    for t, coefficient in zip(terms, w, strict=True):
        orders = set(permutations(t))
        for order in orders:
            held[len(t) - 1][order] = coefficient / len(orders)
    return held[0], held[1], held[2] if any(len(t) == 3 for t in terms) else None
