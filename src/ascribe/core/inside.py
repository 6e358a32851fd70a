"""What a network shows of its inside: maps of its layers, weights of its attention."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ascribe.core.arrays import Float, np

__all__ = ["Attention", "Layers", "Maps", "Parts"]


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
class Parts:
    """Positions of a layer that are parts of a window: `query (q,)` labels of those that look, `key (k,)` of those that
    are looked at; `steps (k, 2)`: key j covers the steps from steps[j, 0] to steps[j, 1] - 1, all inputs of each.
    """

    query: tuple[str, ...]
    key: tuple[str, ...]
    steps: np.ndarray

    def shares(self, context: int) -> Float[np.ndarray, "k context"]:
        """How a key's weight lies on the steps: evenly on those that it covers.

        >>> Parts(("a",), ("k", "l"), np.array([[0, 2], [2, 3]])).shares(3).tolist()
        [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
        """
        step = np.arange(context)
        covered = (step >= self.steps[:, :1]) & (step < self.steps[:, 1:])
        return covered / np.maximum(covered.sum(axis=1, keepdims=True), 1)


@dataclass(frozen=True, eq=False)
class Attention:
    """Attention weights: rows (b, n) -> for each layer `(b, heads, q, k)`, how much position q looks at position k; the
    sum over k is 1. Positions are the row's columns (words, features), after `extra` that the network put before them,
    such as a class token; or, of the layers in `parts`, parts of a window: days, hours.
    """

    weights: Callable[[np.ndarray], Sequence[np.ndarray]]
    layers: tuple[str, ...]
    extra: int = 0
    parts: Mapping[str, Parts] = field(default_factory=dict)
