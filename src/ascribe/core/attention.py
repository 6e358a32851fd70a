"""Attention weights as matrices of positions, and what flows through all layers of them.

    raw       A_l = mean over heads of the weights of layer l                     (b, k, k), rows sum to 1
    rollout   R = B_L ... B_1,     B_l = r I + (1 - r) A_l,   r the share of the residual path, 1/2

Each layer adds what it attended to to what was there; the product over layers is how much of each input position
reaches each position at the end. Attention is no attribution: it says where a network looked, not what came of it.
Abnar and Zuidema, 2020, arXiv 2005.00928.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ascribe.core.arrays import Bool, Float, np
from ascribe.core.errors import CapabilityError, InputError, NotFound
from ascribe.core.inside import Attention, Parts
from ascribe.core.layout import Layout
from ascribe.core.model import Model
from ascribe.core.words import listed, quoted

__all__ = ["Matrices", "chosen", "matrices", "over_steps", "pooled", "rollout"]


@dataclass(frozen=True, eq=False)
class Matrices:
    """Of `b` rows, for drawing: `weights (b, heads, q, k)` of each of `layers`; `names (k,)` of the positions, those
    that the network put before the columns in brackets; `rollout (b, k, k)`, None where layers cannot be multiplied
    (attention from one sequence to another). `parts`: labels of the layers whose positions are parts of a window.
    """

    layers: tuple[str, ...]
    names: tuple[str, ...]
    weights: tuple[np.ndarray, ...]
    rollout: Float[np.ndarray, "b k k"] | None
    extra: int = 0
    parts: Mapping[str, Parts] = field(default_factory=dict)


def matrices(model: Model, X: np.ndarray) -> Matrices:
    """The attention of each row. Raises CapabilityError where the model shows none, InputError for a bad row."""
    if model.attention is None:
        raise CapabilityError("this model shows no attention: import it with an attention graph")
    held, X = model.attention, model.rows(X)
    status, reasons = model.check(X)
    if (bad := np.flatnonzero(status == "invalid")).size:
        raise InputError(f"row {int(bad[0])}: {reasons[int(bad[0])]}")
    weights = tuple(np.asarray(w, dtype=float) for w in held.weights(X))
    if held.parts:
        names = next(iter(held.parts.values())).key
        return Matrices(held.layers, names, weights, None, held.extra, held.parts)
    names = (*(f"[{j}]" for j in range(held.extra)), *model.names)
    whole = rollout(weights) if _square(weights) else None
    return Matrices(held.layers, names, weights, whole, held.extra)


def over_steps(held: Attention, weights: Sequence[np.ndarray], layout: Layout, layer: str) -> Float[np.ndarray, "b n"]:
    """Attention to parts of a window as a value for each column: the mean over heads and over the positions that look,
    a part's weight evenly on the columns that it covers. `layer` as in `chosen`; empty: the mean over layers.

    Raises NotFound naming what there is, CapabilityError for a layer whose positions nobody has named.
    """
    context, inputs = layout.shape
    name = layer if layer in held.layers else layer.rpartition("/")[0]
    several = layer in ("", "mean")
    found = []
    for each in held.layers if several else [name or layer]:
        if each in held.layers and each not in held.parts:
            raise CapabilityError(f"nobody said what part of the window each position of {each} is: draw the matrices")
        matrix = chosen(weights, held.layers, each if several else layer)
        found.append(matrix.mean(axis=1) @ held.parts[each].shares(context))
    return np.repeat(np.mean(found, axis=0) / inputs, inputs, axis=1)


def rollout(weights: Sequence[Float[np.ndarray, "b heads q k"]], residual: float = 0.5) -> Float[np.ndarray, "b k k"]:
    """R of layers from the input to the output; rows sum to 1.

    >>> rollout([np.array([[[[0.0, 1.0], [1.0, 0.0]]]])]).tolist()
    [[[0.5, 0.5], [0.5, 0.5]]]

    Raises CapabilityError where layers are not of one square size, InputError for a share outside 0 ... 1.
    """
    if not 0 <= residual <= 1:
        raise InputError(f"residual is the share of the path past a layer, 0 ... 1, not {residual}")
    if not _square(weights):
        sizes = ", ".join(f"{w.shape[2]} x {w.shape[3]}" for w in weights)
        raise CapabilityError(f"rollout multiplies layers of one square size, these are {sizes}: name a layer instead")
    b, _, k, _ = weights[0].shape
    found = np.broadcast_to(np.eye(k), (b, k, k))
    for held in weights:
        found = (residual * np.eye(k) + (1 - residual) * held.mean(axis=1)) @ found
    return found


def pooled(
    matrix: Float[np.ndarray, "b q k"], extra: int, counted: Bool[np.ndarray, "b n"] | None = None
) -> Float[np.ndarray, "b n"]:
    """A value for each column: of the first position of `extra` where there is one (a class token), else the mean over
    the positions that count.
    """
    if extra:
        return matrix[:, 0, extra:]
    if counted is None or matrix.shape[1] != counted.shape[1]:
        return matrix.mean(axis=1)
    share = counted / np.maximum(counted.sum(axis=1, keepdims=True), 1)
    return np.einsum("bq,bqk->bk", share, matrix)


def chosen(weights: Sequence[np.ndarray], layers: Sequence[str], layer: str) -> Float[np.ndarray, "b q k"]:
    """Of `weights (b, heads, q, k)`, a size for each layer.

    Empty: the rollout. `NAME`: mean over the heads of a layer; `NAME/2`: its third head; `mean`: over all layers.

    Raises NotFound naming what there is, CapabilityError where layers of other sizes are to be put together.
    """
    if not layer:
        return rollout(weights)
    if layer == "mean":
        if len({w.shape[2:] for w in weights}) > 1:  # a decoder looks at itself and at what was encoded
            sizes = ", ".join(f"{w.shape[2]} x {w.shape[3]}" for w in weights)
            raise CapabilityError(f"the mean is of layers of one size, these are {sizes}: name a layer instead")
        return np.mean([w.mean(axis=1) for w in weights], axis=0)
    name, _, head = (layer, "", "") if layer in layers else layer.rpartition("/")
    if name in layers:
        held = weights[list(layers).index(name)]
        if not head:
            return held.mean(axis=1)
        if head.isdecimal() and int(head) < held.shape[1]:
            return held[:, int(head)]
        raise NotFound(f"no head {quoted(head)} of layer {name}: it has 0 ... {held.shape[1] - 1}")
    raise NotFound(f"no layer {quoted(layer)} of attention: this model has {listed(list(layers))}, or 'mean' of all")


def _square(weights: Sequence[np.ndarray]) -> bool:
    return len({w.shape[2:] for w in weights}) == 1 and weights[0].shape[2] == weights[0].shape[3]
