"""Two estimates of v(S) into one, and the choice among the three.

    v = share[|S|] c + (1 - share[|S|]) g          c from completions, g from the surrogate
    share_k = clip((l_k + d_k a)/(1 + d_k), 0, 1),   l_k = sum (f - g)(c - g) / sum (c - g)^2  over |S| = k
    a       = (l + d)/(1 + d),                       l the same over all S

Least squares of f on held-out rows, which tell a share no better than Var(f | x_S) allows. d = var / prior^2, with the
variance of l over rows: as far as it is not known, the share of a size is drawn to the common one, and that one to 1,
the share of a law that fits. MSE_v judges (Frye et al. 2021; Olsen et al. 2022, eq. 12).
"""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.core.arrays import Float, np

__all__ = ["VALUES", "ValueChoice", "choose", "fit_share", "stacked"]

VALUES = ("surrogate", "completions", "stacked")
COMMON, SIZES = 0.3, 0.2  # how far common shares lie below 1, and those of sizes from the common one, as a rule


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
    b = len(f)
    gap = completions - surrogate
    place = np.broadcast_to(size, gap.shape) + (n + 1) * np.arange(b)[:, None]
    N, D = (
        np.bincount(place.ravel(), part.ravel(), b * (n + 1)).reshape(b, n + 1)
        for part in ((f[:, None] - surrogate) * gap, gap**2)
    )
    if not D.sum() > 0:  # the two agree
        return np.zeros(n + 1)
    common = _drawn(N.sum(axis=1, keepdims=True), D.sum(axis=1, keepdims=True), 1.0, COMMON)
    return _drawn(N, D, common, SIZES)


def _drawn(N: np.ndarray, D: np.ndarray, to: float | np.ndarray, prior: float) -> np.ndarray:
    """l = sum N / sum D over rows (b, k), drawn to `to` by d = var l / prior^2;  var l = sum (N - l D)^2 / (sum D)^2.

    >>> _drawn(np.array([[1.0], [0.0]]), np.array([[1.0], [1.0]]), 1.0, 0.5)  # l = .5, var l = .125
    array([0.66666667])
    """
    total = D.sum(axis=0)
    some = np.where(total > 0, total, 1)
    least = N.sum(axis=0) / some
    doubt = ((N - least * D) ** 2).sum(axis=0) / some**2 / prior**2
    return np.clip(np.where(total > 0, (least + doubt * to) / (1 + doubt), to), 0, 1)


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
