"""Graphs of a network or of a classifier, by the output that is explained. Tensor names: `docs/onnx.md`.

    predict     x (b, n)                     -> margin (b, k), probability (b, k): one of them, or both
    gradient    z (b, d), x, weight (b, w)   -> value (b,), gradient (b, d)      value = sum_j weight_j output_j
    embed       x                            -> point (b, d)                     where words are embedded; else z = x
    layers      x, weight                    -> maps:NAME, slope:NAME (b, c, h, w)
    attention   x                            -> weights:NAME (b, heads, q, k)

A forecast has the one space `forecast`: its `predict` gives forecast (b, k), and lower, upper (b, steps) beside it.

`weight` chooses an output: its columns are those of all margins, then of all probabilities, as far as there are any; a
model of one output has none. Numbers are float32, or double where a graph takes that; rows are flat and in natural
units (pixels 0 ... 255, word numbers). A graph is opened once, whatever output is asked for.

Trees that no graph can say (sets of categories) are asked themselves, where there is no `predict`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.bundle.sessions import session
from ascribe.bundle.windows import FORECAST, curves_of, parts_of
from ascribe.core.errors import BundleError
from ascribe.core.forecast.outputs import unit_of
from ascribe.core.gradient import Gradient
from ascribe.core.inside import Attention, Layers, Maps, Parts
from ascribe.core.model import PREDICTED, Model
from ascribe.core.trees import margin
from ascribe.core.trees import predict as of_trees

__all__ = ["Graph", "Network", "of_outputs"]

NUMBERS_AT_ONCE = 1 << 24  # of the rows of one call
SPACES = ("margin", "probability", FORECAST)
WIDE = np.float64
MAPS, SLOPE, WEIGHTS = "maps:", "slope:", "weights:"


class Graph:
    """An opened graph. Raises BundleError where it lacks one of the outputs `wanted`."""

    def __init__(self, graph: bytes, origin: str, wanted: Sequence[str] = ()) -> None:
        self._session = session(graph, origin)
        self.outputs = [o.name for o in self._session.get_outputs()]
        self._inputs = {i.name: WIDE if i.type == "tensor(double)" else np.float32 for i in self._session.get_inputs()}
        if missing := [name for name in wanted if name not in self.outputs]:
            raise BundleError(f"a graph of {origin} has no output '{missing[0]}': import or train the model again")

    def __call__(self, outputs: Sequence[str], **inputs: np.ndarray | None) -> list[np.ndarray]:
        """Outputs as float64 for the rows of `inputs`, in parts that fit; what the graph does not take is left out."""
        given = {name: held for name, held in inputs.items() if name in self._inputs and held is not None}
        rows, width = max(held.shape for held in given.values())
        step = max(1, NUMBERS_AT_ONCE // max(1, width))
        parts = [
            self._session.run(list(outputs), {k: v[at : at + step].astype(self._inputs[k]) for k, v in given.items()})
            for at in range(0, max(1, rows), step)
        ]
        return [np.concatenate(found).astype(float) for found in zip(*parts, strict=True)]


@dataclass(frozen=True)
class _Outputs:
    """What a classifier gives: `names` in each of `spaces`."""

    names: tuple[str, ...]
    spaces: tuple[str, ...]

    def weight(self, output: str, space: str) -> np.ndarray:
        """(w,): one at the output's column."""
        held = np.zeros(len(self.names) * len(self.spaces), np.float32)
        held[self.spaces.index(space) * len(self.names) + self.names.index(output)] = 1
        return held


class Network:
    """What a bundle holds of a network's inside."""

    def __init__(self, bundle: Bundle) -> None:
        self._extra = int(bundle.manifest.origin.get("extra", 0))
        self._parts = parts_of(bundle)

        def opened(role: str, *wanted: str) -> Graph | None:
            return Graph(bundle.read(role), bundle.origin, wanted) if bundle.has(role) else None

        self._gradient = opened("gradient", "value", "gradient")
        self._embed = opened("embed", "point")
        self._layers, self._attention = opened("layers"), opened("attention")

    def fields(self, weight: np.ndarray | None = None) -> dict[str, Any]:
        """As fields of a Model; slopes are those of the output that `weight (w,)` chooses."""
        found = {
            "gradient": self._gradient and _gradient(self._gradient, self._embed, weight),
            "layers": self._layers and _layers(self._layers, weight),
            "attention": self._attention and _attention(self._attention, self._extra, self._parts),
        }
        return {name: held for name, held in found.items() if held is not None}


def of_outputs(bundle: Bundle, model: Model) -> Model:
    """A classifier's model of its manifest's target in the first space; `choose` gives the other outputs and spaces.

    Raises BundleError where the manifest and the graphs disagree.
    """
    told, origin = bundle.manifest, bundle.origin
    held = _Outputs(tuple(told.outputs), tuple(told.spaces))
    if not held.spaces or not set(held.spaces) <= set(SPACES) or len(set(held.names)) < len(held.names):
        raise BundleError(f"{origin} names its outputs twice, or no space of them: import the model again")
    if told.target.name not in (PREDICTED, *held.names):
        raise BundleError(f"{origin} explains '{told.target.name}', which is none of its outputs: import it again")
    graph = Graph(bundle.read("predict"), origin, _tensors(held)) if bundle.has("predict") else None
    ask, network = _asked(bundle, model, held, graph), Network(bundle)
    curves = curves_of(bundle, graph) if held.spaces == (FORECAST,) and graph is not None else None

    @lru_cache(maxsize=64)
    def select(output: str, space: str) -> Model:
        at = None if output == PREDICTED else held.names.index(output)

        def scores(X: np.ndarray) -> np.ndarray:
            return ask(space, X)

        def predict(X: np.ndarray) -> np.ndarray:
            return scores(X).max(axis=1) if at is None else scores(X)[:, at]

        weight = held.weight(held.names[at or 0], space)  # of no class yet: what it offers counts
        return replace(
            model, outputs=held.names, spaces=held.spaces, output=output, space=space, select=select, base_value=None,
            scores=scores, predict=predict, curves=curves,
            unit=unit_of(output, model.unit, curves.window.horizon) if curves else model.unit, **network.fields(weight),
        )  # fmt: skip

    return select(told.target.name, held.spaces[0])


def _tensors(held: _Outputs) -> tuple[str, ...]:
    """What the `predict` graph must give."""
    return (*held.spaces, "lower", "upper") if FORECAST in held.spaces else held.spaces


def _asked(
    bundle: Bundle, model: Model, held: _Outputs, graph: Graph | None
) -> Callable[[str, np.ndarray], np.ndarray]:
    """All outputs (b, k) in a space, from the graph or from the trees."""
    trees = model.trees
    if graph is not None:
        return lambda space, X: graph([space], x=X)[0]
    if trees is None or trees.outputs != held.names:
        raise BundleError(f"{bundle.origin} holds nothing that predicts its outputs: import the model again")
    return lambda space, X: margin(trees, X) if space == "margin" else of_trees(trees, X)


def _gradient(graph: Graph, embed: Graph | None, weight: np.ndarray | None) -> Gradient:
    def slope(Z: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        f, g = graph(["value", "gradient"], z=Z, x=X, weight=_each(weight, len(Z)))
        return f.reshape(-1), g.reshape(len(g), -1)

    return Gradient(slope, None if embed is None else lambda X: embed(["point"], x=X)[0])


def _layers(graph: Graph, weight: np.ndarray | None) -> Layers:
    names = tuple(name.removeprefix(MAPS) for name in graph.outputs if name.startswith(MAPS))

    def at(X: np.ndarray, name: str) -> Maps:
        return Maps(*graph([MAPS + name, SLOPE + name], x=X, weight=_each(weight, len(X))))

    return Layers(names, at)


def _attention(graph: Graph, extra: int, parts: Mapping[str, Parts]) -> Attention:
    names = [name for name in graph.outputs if name.startswith(WEIGHTS)]
    return Attention(lambda X: graph(names, x=X), tuple(name.removeprefix(WEIGHTS) for name in names), extra, parts)


def _each(weight: np.ndarray | None, rows: int) -> np.ndarray | None:
    return None if weight is None else np.broadcast_to(weight, (rows, len(weight)))
