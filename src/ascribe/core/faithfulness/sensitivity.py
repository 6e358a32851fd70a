"""Max-sensitivity: how far values move when a row moves a little; Yeh et al. 2019.

    max_k  |phi(x + d_k) - phi(x)| / |phi(x)|,     d_k uniform in -+ radius of each column's scale

A method whose values jump where the prediction hardly moves tells more of itself than of the model.
"""

from __future__ import annotations

from collections.abc import Callable

from ascribe.core.arrays import Float, np
from ascribe.core.model import Model

__all__ = ["DRAWS", "RADIUS", "ends", "max_sensitivity", "nearby", "scale_of"]

DRAWS, RADIUS = 8, 0.02
Explain = Callable[[np.ndarray], np.ndarray]


def scale_of(model: Model, X: Float[np.ndarray, "b n"]) -> Float[np.ndarray, " n"]:
    """What 1 is of each column: 255 of a pixel; of a feature the range that training covered, else that of the
    background or of the rows. 0 where moving a little means nothing: categories, and words of a text.
    """
    n = X.shape[1]
    if model.layout.kind not in ("table", "series"):
        return np.full(n, 255.0 if model.layout.kind == "image" else 0.0)
    held = X if model.background is None else model.background
    with np.errstate(invalid="ignore"):
        low, high = np.nanmin(held, axis=0), np.nanmax(held, axis=0)
    if model.layout.kind == "series":
        return np.nan_to_num(high - low)
    seen = np.array([(f.seen_low, f.seen_high) for f in model.features])
    span = np.where(np.isfinite(seen).all(axis=1), seen[:, 1] - seen[:, 0], high - low)
    return np.where([bool(f.categories) for f in model.features], 0.0, np.where(np.isfinite(span), span, 0.0))


def ends(model: Model, n: int) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """The least and the most that a column may be."""
    if model.layout.kind == "image":
        return np.zeros(n), np.full(n, 255.0)
    if model.layout.kind in ("text", "series"):
        return np.full(n, -np.inf), np.full(n, np.inf)
    return np.array([f.low for f in model.features]), np.array([f.high for f in model.features])


def nearby(
    model: Model,
    x: Float[np.ndarray, " n"],
    scale: Float[np.ndarray, " n"],
    draws: int = DRAWS,
    radius: float = RADIUS,
    seed: int = 0,
) -> Float[np.ndarray, "draws n"]:
    """Rows near x, within what is possible."""
    noise = np.random.default_rng(seed).uniform(-radius, radius, (draws, len(x)))
    return np.clip(x + noise * scale, *ends(model, len(x)))


def max_sensitivity(explain: Explain, near: Float[np.ndarray, "draws n"], values: Float[np.ndarray, " p"]) -> float:
    """`explain`: rows -> values (rows, p); `values`: of the row itself. NaN where they are all 0 or a row near it is
    not answered.
    """
    size = float(np.linalg.norm(values))
    moved = np.linalg.norm(explain(near) - values, axis=1)
    return float(moved.max() / size) if size > 0 else float("nan")
