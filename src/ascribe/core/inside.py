"""What a network shows of its inside: maps of its layers, weights of its attention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ascribe.core.arrays import Float, np

__all__ = ["Attention", "Layers", "Maps"]


@dataclass(frozen=True, eq=False)
class Maps:
    """Of one layer and `b` images: `values (b, c, h, w)`, and the slope of the explained output by each of them."""

    values: Float[np.ndarray, "b c h w"]
    slope: Float[np.ndarray, "b c h w"]


@dataclass(frozen=True, eq=False)
class Layers:
    """Layers of a convolutional network by name, from the input to the output; `at`: rows (b, n), name -> maps."""

    names: tuple[str, ...]
    at: Callable[[np.ndarray, str], Maps]


@dataclass(frozen=True, eq=False)
class Attention:
    """Attention weights: rows (b, n) -> for each layer `(b, heads, q, k)`, how much position q looks at position k; the
    sum over k is 1. Positions are the row's columns (words, features, past steps), after `extra` that the network put
    before them, such as a class token.
    """

    weights: Callable[[np.ndarray], Sequence[np.ndarray]]
    layers: tuple[str, ...]
    extra: int = 0
