"""Randomisation: values of a model whose weights are drawn anew should be other values; Adebayo et al. 2018.

    likeness = mean over rows of Spearman's rho between the values of the model and of the randomised one, with sign and
               of |values|

The layers are randomised from the output down, one more each time. A method whose likeness stays near 1 shows the
input, not the model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from ascribe.core.arrays import Float, np
from ascribe.core.faithfulness.agreement import rank_correlation
from ascribe.core.faithfulness.units import unit_values, units_of
from ascribe.core.model import Model

__all__ = ["Likeness", "randomisation"]


@dataclass(frozen=True)
class Likeness:
    """After this layer and all above it were randomised: rho of the values, and of |values|; `rows` that count."""

    layer: str
    signed: float
    absolute: float
    rows: int


def randomisation(
    explain: Callable[[Model], Float[np.ndarray, "b n"]],
    model: Model,
    X: Float[np.ndarray, "b n"],
    randomised: Iterable[tuple[str, Model]],
) -> list[Likeness]:
    """`explain`: a model -> values of X; `randomised`: (layer, model) from the output down."""
    own, units = explain(model), [units_of(model, x) for x in X]
    out = []
    for layer, other in randomised:
        values = explain(other)
        pairs = [
            (unit_values(u, a), unit_values(u, b))
            for u, a, b in zip(units, own, values, strict=True)
            if np.isfinite(a).all() and np.isfinite(b).all()
        ]
        signed = [rank_correlation(a, b) for a, b in pairs]
        absolute = [rank_correlation(np.abs(a), np.abs(b)) for a, b in pairs]
        out.append(Likeness(layer, _mean(signed), _mean(absolute), len(pairs)))
    return out


def _mean(found: list[float]) -> float:
    held = [rho for rho in found if np.isfinite(rho)]
    return float(np.mean(held)) if held else float("nan")
