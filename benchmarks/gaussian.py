"""EmSHAP against the exact sampler and the marginal game, where the truth is known.

X ~ N(0, C), C equicorrelated rho = .5, 8 features, 5,000 training rows; f with products and nonlinear terms:

    f(x) = x0 x1 + cos x2 + x3^2 / 2 + x4 - x5 x6 / 2 + .3 x7

The truth is closed-form: with conditional mean m and covariance C' of the hidden part,
E x_a x_b = m_a m_b + C'_ab, E cos x = exp(-C'_aa / 2) cos m_a. The base value is E f(X) of the true law on all sides,
so that its error does not blur the comparison.

    python -m benchmarks.gaussian [--quick]
"""

from __future__ import annotations

import sys
import time

import numpy as np

from ascribe.core.conditional import Conditional, Gaussian, Independent
from ascribe.core.control import fit_control
from ascribe.core.estimators import make_plan
from ascribe.core.explainers import explain
from ascribe.core.features import Feature
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.train.values.conditional import fit_conditional
from benchmarks.record import keep

__all__ = ["C", "base_value", "f", "mae", "sample", "truth"]

N, RHO, ROWS, SAMPLES = 8, 0.5, 5000, 64
C = np.full((N, N), RHO) + (1 - RHO) * np.eye(N)


def f(X: np.ndarray) -> np.ndarray:
    """Rows (b, 8) -> (b,)."""
    x = X.T.astype(float)
    return x[0] * x[1] + np.cos(x[2]) + 0.5 * x[3] ** 2 + x[4] - 0.5 * x[5] * x[6] + 0.3 * x[7]


def expected(mean: np.ndarray, cov: np.ndarray) -> float:
    """E f(x) for x ~ N(mean, cov); observed coordinates have zero rows and columns in `cov`."""
    m, v = mean, np.diag(cov)
    return float(
        m[0] * m[1] + cov[0, 1] + np.exp(-v[2] / 2) * np.cos(m[2]) + 0.5 * (m[3] ** 2 + v[3]) + m[4]
        - 0.5 * (m[5] * m[6] + cov[5, 6]) + 0.3 * m[7]
    )  # fmt: skip


base_value = expected(np.zeros(N), C)


def truth(X: np.ndarray) -> np.ndarray:
    """Exact conditional Shapley values (b, 8)."""
    plan = make_plan("exact", N)
    V = np.empty((len(X), len(plan.S)))
    for k, S in enumerate(plan.S):
        u = ~S
        gain = np.linalg.solve(C[np.ix_(S, S)], C[np.ix_(S, u)]).T
        cov = np.zeros((N, N))
        cov[np.ix_(u, u)] = C[np.ix_(u, u)] - gain @ C[np.ix_(S, u)]
        for i, x in enumerate(X):
            mean = x.copy()
            mean[u] = gain @ x[S]
            V[i, k] = expected(mean, cov)
    return plan.solve(V)


def sample(rows: int, seed: int) -> np.ndarray:
    """Rows of the true law."""
    return np.random.default_rng(seed).standard_normal((rows, N)) @ np.linalg.cholesky(C).T


def mae(conditional: Conditional, X: np.ndarray, phi: np.ndarray, seeds: int, samples: int = SAMPLES) -> float:
    """Mean |error| over rows, features and seeds, all coalitions. Every ten rows have noise of their own: rows that
    share it share its error.
    """
    control = fit_control(f, conditional)
    model = Model(tuple(Feature(f"x{j}") for j in range(N)), f, None, conditional, base_value, control=control)
    found = []
    for seed in range(seeds):
        for k in range(0, len(X), 10):
            values = explain(model, X[k : k + 10], options=Options("exact", None, samples, 1000 * seed + k)).values
            found.append(np.abs(values - phi[k : k + 10]).mean())
    return float(np.mean(found))


def main() -> None:
    quick = "--quick" in sys.argv
    rows, seeds, fits = (40, 2, 1) if quick else (100, 5, 3)
    X, train = sample(rows, 1), sample(ROWS, 0)
    phi = truth(X)
    floor = mae(Gaussian(np.zeros(N), C, train, quasi=False), X, phi, seeds)
    numbers: dict[str, object] = {
        "mean_abs_phi": float(np.abs(phi).mean()),
        "exact_sampler_plain_draws": floor,
        "exact_sampler_quasi_random": mae(Gaussian(np.zeros(N), C, train), X, phi, seeds),
        "fitted_gaussian_quasi_random": mae(Gaussian.fit(train), X, phi, seeds),
        "marginal_game": mae(Independent(train), X, phi, seeds),
    }
    errors, few, seconds, weighting = [], [], [], []
    for seed in range(fits):
        begin = time.perf_counter()
        fitted = fit_conditional(train, seed)
        seconds.append(time.perf_counter() - begin)
        weighting.append(fitted.weighting)
        errors.append(mae(fitted, X, phi, seeds))
        few.append(mae(fitted, X, phi, seeds, 16))
    numbers |= {
        "emshap": errors,
        "emshap_16_completions": few,
        "emshap_over_exact_sampler": [e / floor for e in errors],
        "emshap_over_marginal": [e / float(numbers["marginal_game"]) for e in errors],  # type: ignore[arg-type]
        "emshap_fit_s": seconds,
        "emshap_weighting": weighting,
        "explicands": rows,
        "completions": SAMPLES,
    }
    for name, value in numbers.items():
        print(f"{name:32s} {value}")
    print(keep("gaussian", numbers, quick))


if __name__ == "__main__":
    main()
