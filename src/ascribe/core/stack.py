"""Two estimates of v(S) into one, and the choice among the three.

    v = share[|S|] c + (1 - share[|S|]) g          c from completions, g from the surrogate
    share_k = clip((N_k + a D)/(D_k + D), 0, 1),   N_k = sum (f - g)(c - g),  D_k = sum (c - g)^2  over |S| = k
    a = sum N_k / sum D_k,   D = mean D_k

Least squares of f on held-out rows, per number of observed features, with the common share `a` worth as much as one
more size: a size holds few rows. MSE_v judges (Frye et al. 2021; Olsen et al. 2022, eq. 12).
"""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.arrays import Float, np

__all__ = ["VALUES", "ValueChoice", "choose", "fit_share", "stacked"]

VALUES = ("surrogate", "completions", "stacked")


@dataclass(frozen=True)
class ValueChoice:
    """`value`: one of `VALUES`. `share (n+1,)` of the completions by number of observed features. `mse`: MSE_v of each
    value, in the output's unit squared, on rows that no share was fitted on.
    """

    value: str
    share: tuple[float, ...]
    reason: str
    mse: dict[str, float]


def stacked(share: np.ndarray, size: np.ndarray, completions: np.ndarray, surrogate: np.ndarray) -> np.ndarray:
    """share[size] completions + (1 - share[size]) surrogate; all of one shape but `share (n+1,)`."""
    return surrogate + share[size] * (completions - surrogate)


def fit_share(
    f: Float[np.ndarray, " b"],
    completions: Float[np.ndarray, "b m"],
    surrogate: Float[np.ndarray, "b m"],
    size: np.ndarray,
    n: int,
) -> Float[np.ndarray, " n1"]:
    """Share of the completions for 0..n observed features; `size (m,)` or `(b, m)`.

    >>> c, g = np.array([[1.0, 2.0, 4.0]]), np.array([[0.0, 0.0, 0.0]])
    >>> fit_share(np.array([1.0]), 2 * c / c, g, np.array([1, 1, 2]), 3).tolist()
    [0.5, 0.5, 0.5, 0.5]
    """
    size = np.broadcast_to(size, completions.shape)
    gap = completions - surrogate
    N = np.bincount(size.ravel(), ((f[:, None] - surrogate) * gap).ravel(), n + 1)
    D = np.bincount(size.ravel(), (gap**2).ravel(), n + 1)
    if not D.sum() > 0:  # the two agree
        return np.zeros(n + 1)
    common = np.clip(N.sum() / D.sum(), 0, 1)
    pull = D.sum() / np.count_nonzero(D)
    return np.clip((N + common * pull) / (D + pull), 0, 1)


def choose(
    f: Float[np.ndarray, " b"],
    completions: Float[np.ndarray, "b m"],
    surrogate: Float[np.ndarray, "b m"],
    size: np.ndarray,
    n: int,
    unit: str = "",
) -> ValueChoice:
    """The stack, unless another value has less MSE_v on held-out rows (b >= 2) by more than a paired standard error:
    held-out rows are never quite those that will be asked, and two estimates that err apart stand that better than one.

    Shares are fitted on every second row and judged on the others, and the other way round; those that are returned
    come from all rows.
    """
    size = np.broadcast_to(size, completions.shape)
    crossed = np.empty_like(completions)
    for first in (0, 1):
        train, judge = slice(first, None, 2), slice(1 - first, None, 2)
        share = fit_share(f[train], completions[train], surrogate[train], size[train], n)
        crossed[judge] = stacked(share, size[judge], completions[judge], surrogate[judge])
    held = {"surrogate": surrogate, "completions": completions, "stacked": crossed}
    errors = {name: ((f[:, None] - held[name]) ** 2).mean(axis=1) for name in VALUES}
    best = min(VALUES, key=lambda name: errors[name].mean())
    behind = errors["stacked"] - errors[best]
    value = "stacked" if behind.mean() <= behind.std(ddof=1) / np.sqrt(len(f)) else best
    mse = {name: float(e.mean()) for name, e in errors.items()}
    told = ", ".join(f"{name} {mse[name]:.4g}" for name in VALUES)
    square = f" {unit}^2" if unit else ""
    why = "the least" if value == best else f"within a standard error of {best}, and sure where that is not"
    reason = f"MSE_v{square} on {len(f)} held-out rows: {told}; {value} serves: {why}"
    return ValueChoice(value, tuple(fit_share(f, completions, surrogate, size, n).tolist()), reason, mse)
