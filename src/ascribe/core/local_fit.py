"""A weighted linear fit to perturbations of one row, with the errors that their draw leaves.

    minimise  sum_k w_k (f_k - a - r_k' beta)^2 + ridge sum_j beta_j^2         r (m, q), f (m,), w (m,)

    V = A^-1 [ sum_k w_k^2 e_k^2 / (1 - h_k)^2  r_k r_k' ] A^-1,      A = R' W R + ridge

V is the sandwich of White (1980) in the form HC3 (MacKinnon & White 1985): what a fit to other perturbations would
differ by, whether or not f is linear. The misfit of a linear model is not in it; `r2` tells that.
"""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.arrays import Float, np

__all__ = ["LocalFit", "local_fit"]

LEAST = 1e-9  # of that diagonal: where no column moves at all
RIDGE = 1e-6  # of the mean diagonal: against columns that do not move; it shrinks slopes by a millionth
DIGITS = 1e-14  # of the mean: f that moves by less does not move


@dataclass(frozen=True, eq=False)
class LocalFit:
    """`intercept`, `slopes (q,)`, their `covariance (q, q)`; `r2` of the weighted fit; `ess`: perturbations that count
    as much as the weights allow, (sum w)^2 / sum w^2.
    """

    intercept: float
    slopes: Float[np.ndarray, " q"]
    covariance: Float[np.ndarray, "q q"]
    r2: float
    ess: float


def local_fit(R: Float[np.ndarray, "m q"], f: Float[np.ndarray, " m"], w: Float[np.ndarray, " m"]) -> LocalFit:
    """The fit; slopes of columns that are constant are 0. All weights positive.

    >>> R = np.array([[0.0], [1.0], [2.0], [3.0]])
    >>> fit = local_fit(R, 5 + 2 * R[:, 0], np.ones(4))
    >>> round(fit.intercept, 3), fit.slopes.round(3).tolist(), round(fit.r2, 3)
    (5.0, [2.0], 1.0)
    """
    w = w / w.sum()
    centre, mean = w @ R, float(w @ f)
    C, y = R - centre, f - mean
    A = C.T @ (w[:, None] * C)
    A = A + RIDGE * max(float(np.trace(A)) / max(len(A), 1), LEAST) * np.eye(len(A))
    inverse = np.linalg.inv(A)
    slopes = inverse @ (C.T @ (w * y))
    e = y - C @ slopes
    reach = C @ inverse
    h = np.minimum(w * ((reach * C).sum(axis=1) + 1.0), 1 - 1e-3)  # the intercept's own share is w
    scored = reach * (w * e / (1 - h))[:, None]
    spread = float(w @ y**2)
    r2 = 1 - float(w @ e**2) / spread if spread > (DIGITS * mean) ** 2 else 1.0
    return LocalFit(mean - float(centre @ slopes), slopes, scored.T @ scored, r2, float(1 / (w @ w)))
