"""A network whose weights are drawn anew, layer by layer from the output down, to see whether explanations notice.

A layer is a tensor of weights with two axes at least. Each weight is drawn from a normal law of the layer's own mean
and deviation, so that the numbers behind it stay of the same size. Graphs of gradients, maps and attention are traced
again from the randomised graph. Adebayo et al. 2018.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from ascribe.bundle.archive import Bundle, entry
from ascribe.bundle.networks import Graph
from ascribe.bundle.runtime import example, graph_predict, load
from ascribe.core.arrays import evenly
from ascribe.core.errors import CapabilityError
from ascribe.core.model import Model
from ascribe.train.adopted.insides import insides

__all__ = ["layers_of", "randomised", "randomised_graphs"]

FLOATS = (TensorProto.FLOAT, TensorProto.DOUBLE)
INSIDE = ("gradient", "embed", "layers", "attention")


def layers_of(graph: bytes) -> tuple[str, ...]:
    """Names of the layers' weights, the one nearest the output first."""
    model = onnx.load_from_string(graph)
    wide = {
        held.name for held in model.graph.initializer
        if held.data_type in FLOATS and sum(size > 1 for size in held.dims) >= 2
    }  # fmt: skip
    used = [name for node in reversed(model.graph.node) for name in reversed(node.input) if name in wide]
    return tuple(dict.fromkeys(used))


def randomised_graphs(graph: bytes, seed: int = 0, most: int = 5) -> Iterator[tuple[str, bytes]]:
    """(layer, graph) with this layer and all above it drawn anew; at most `most` of them, evenly spread, the last with
    every layer. Raises CapabilityError for a graph without such weights (trees, quantised networks).
    """
    layers = layers_of(graph)
    if not layers:
        raise CapabilityError("this model's graph has no layers of weights to draw anew: trees and quantised networks")
    rng, model = np.random.default_rng(seed), onnx.load_from_string(graph)
    held = {one.name: one for one in model.graph.initializer}
    stops = {layers[k] for k in evenly(len(layers), most)}
    for name in layers:
        own = numpy_helper.to_array(held[name])
        drawn = rng.normal(own.mean(), own.std(), own.shape).astype(own.dtype)
        held[name].CopyFrom(numpy_helper.from_array(drawn, name))
        if name in stops:
            yield name.rpartition("/")[2], model.SerializeToString()


def randomised(bundle: Bundle, model: Model, seed: int = 0, most: int = 5) -> Iterator[tuple[str, Model]]:
    """(layer, model) for `core.faithfulness.randomisation`: the output, background and conditional of `model`, and what
    can be traced of each network's inside where the bundle had it. Raises CapabilityError.
    """
    if not bundle.has("predict"):
        raise CapabilityError("this bundle holds no graph that predicts: randomisation is of networks")
    for layer, graph in randomised_graphs(bundle.read("predict"), seed, most):
        other = load(_bundle(bundle, model, graph))
        if other.outputs:
            other = other.choose(model.output, model.space)
        yield layer, replace(other, background=model.background, conditional=model.conditional)


def _bundle(bundle: Bundle, model: Model, graph: bytes) -> Bundle:
    """The bundle with another graph, in memory, and without what was fitted to the old one."""
    told, x = bundle.manifest, example(bundle)
    kept = {role: name for role, name in told.roles.items() if role in ("background", "words")}
    files = {name: bundle.read(role) for role, name in kept.items()} | {"predict.onnx": graph}
    roles = kept | {"predict": "predict.onnx"}
    if any(bundle.has(role) for role in INSIDE):
        more, _ = insides(graph, told.spaces, model.layout, x if model.background is None else model.background[:4])
        files |= more
        roles |= {name.partition(".")[0]: name for name in more}
    if told.outputs:
        answer = Graph(graph, bundle.origin, told.spaces)([told.spaces[0]], x=x)[0]
    else:
        answer = graph_predict(graph, bundle.origin)(x)
    made = msgspec.structs.replace(
        told, roles=roles, files={name: entry(raw) for name, raw in files.items()}, conditional=None, amortized=None,
        reading=None, tiers={},
        example={**told.example, "prediction": np.ravel(np.asarray(answer, dtype=float)).tolist()},
    )  # fmt: skip
    return Bundle(made, files.__getitem__, f"{bundle.origin}, randomised")
