"""What a bundle holds of a network's inside, as graphs of flat rows; tensor names: `docs/onnx.md`.

    gradient    z (rows, d), [x], [weight (rows, w)]  -> value (rows,), gradient (rows, d)
    embed       x (rows, n)                           -> point (rows, d)
    layers      x, [weight]                           -> maps:NAME, slope:NAME (rows, c, h, w)
    attention   x                                     -> weights:NAME (rows, heads, q, k)

The network takes flat rows in natural units and gives (rows,) or (rows, w): all margins, then all probabilities. An
input in brackets is there only where it is needed: x where words are embedded, weight where w > 1. Every graph is
compared with torch on the example and on one row alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ascribe.core.errors import CapabilityError, InputError
from ascribe.train.attention_graph import exposed_attention
from ascribe.train.export import check_parity, to_onnx
from ascribe.train.flat_network import Pointed, Shown, Watched, attentions, held_still
from ascribe.train.gradient_trace import exporting, plain_attention, trace_gradient, trace_slopes

__all__ = ["attention_graph", "gradient_graphs", "layers_graph", "map_layers"]

TOLERANCE = 2e-3  # of the largest value: a ReLU within rounding of 0 is open here and shut there
MOST_LAYERS = 4  # that are shown unless they are named


def gradient_graphs(
    network: nn.Module, example: Tensor, *, embedding: str | None = None, tolerance: float = TOLERANCE
) -> dict[str, bytes]:
    """Graphs of the roles `gradient` and, where an embedding is named, `embed`.

    `example (rows, n)`: at least two rows, float32, also of word numbers. `embedding`: name of the nn.Embedding in whose
    vectors the slope is taken. The network is left as it is.

    Raises InputError for an example or a name that does not fit, CapabilityError for an operator without ONNX form (it
    is named), BundleError where a graph differs from autograd.
    """
    raise NotImplementedError


def layers_graph(
    network: nn.Module, example: Tensor, layers: Mapping[str, str], *, tolerance: float = TOLERANCE
) -> bytes:
    """The graph of the role `layers`; `layers`: name shown -> module whose output is shown. Errors as above."""
    raise NotImplementedError


def map_layers(network: nn.Module, example: Tensor, most: int = MOST_LAYERS) -> dict[str, str]:
    """Layers worth showing, from input to output: the last of each size of map, at most `most`; empty where the network
    has no maps. Name shown -> module, as `layers_graph` takes them.
    """
    raise NotImplementedError


def attention_graph(network: nn.Module, example: Tensor, predict: bytes) -> bytes | None:
    """The graph of the role `attention`: weights of every `nn.MultiheadAttention`, else of every softmax between two
    products of `predict`, the network's own graph; None where it has none.
    """
    raise NotImplementedError
