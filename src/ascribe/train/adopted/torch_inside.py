"""A torch network's inside without graphs: slopes, maps and attention of flat rows by autograd, on a CPU or a GPU.

The records are those of a bundle (`core.gradient`, `core.inside`), so that every explainer runs on them: for a
network that has no graph, and for many rows on a GPU. Rows are taken a bounded number at a time, whatever the caller
sends; what the caller sends together is what fills the device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.gradient import Gradient
from ascribe.core.inside import Attention, Layers, Maps
from ascribe.core.model import PREDICTED, Model
from ascribe.train.graphs.flat_network import Pointed, Shown, Watched, attentions, held_still
from ascribe.train.graphs.gradient_trace import plain_attention

__all__ = ["torch_model"]

NUMBERS = 1 << 22  # of the rows of one pass


def torch_model(
    network: nn.Module,
    model: Model,
    *,
    embedding: str | None = None,
    layers: Mapping[str, str] | None = None,
    device: str = "cpu",
) -> Model:
    """`model` with what torch offers of the network: `predict`, `scores`, `gradient`, and where there are any `layers`
    (name shown -> module) and `attention` (of every `nn.MultiheadAttention`).

    The network takes flat rows (rows, n) in natural units and gives (rows,), or (rows, w): `model.outputs` in each of
    `model.spaces`. `device`: cpu, cuda, cuda:1. The network is left as it is: a copy moves to the device.

    Raises InputError for a name or a shape that does not fit, CapabilityError where the device is not there.
    """
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise CapabilityError("no GPU that torch can use is here: ask device='cpu'")
    held = held_still(network).to(device)
    n = len(model.names)
    with torch.no_grad():
        y = held(torch.zeros(2, n, device=device))
    width = len(model.outputs) * len(model.spaces)
    several = y.ndim == 2 and y.shape[1] > 1
    if (y.shape[1] if several else 0) != width:
        raise InputError(f"the network gives {tuple(y.shape)}: it should give {width or 1} numbers a row")
    on = _Device(held, embedding, dict(layers or {}), several, device)
    if not several:
        return replace(model, predict=lambda X: on.outputs(X)[:, 0], **on.fields(None, n))

    @lru_cache(maxsize=64)
    def select(output: str, space: str) -> Model:
        first = model.spaces.index(space) * len(model.outputs)
        at = None if output == PREDICTED else first + model.outputs.index(output)

        def scores(X: np.ndarray) -> np.ndarray:
            return on.outputs(X)[:, first : first + len(model.outputs)]

        def predict(X: np.ndarray) -> np.ndarray:
            return scores(X).max(axis=1) if at is None else on.outputs(X)[:, at]

        weight = np.zeros(width, np.float32)
        weight[first if at is None else at] = 1
        return replace(
            model, output=output, space=space, scores=scores, predict=predict, select=select, base_value=None,
            **on.fields(weight, n),
        )  # fmt: skip

    return select(model.output, model.space or model.spaces[0])


class _Device:
    """The network where it runs; rows go there and come back in parts that fit."""

    def __init__(
        self, network: nn.Module, embedding: str | None, layers: dict[str, str], several: bool, device: str
    ) -> None:
        self.network, self.device, self.layers = network, device, layers
        self.points = Pointed(network, embedding, several)
        self.shown = {name: Shown(network, [module], several) for name, module in layers.items()}
        self.watched = Watched(network, attentions(network)) if attentions(network) else None

    def fields(self, weight: np.ndarray | None, n: int) -> dict[str, Any]:
        """As fields of a Model of n columns, of the output that the weight chooses."""
        found: dict[str, Any] = {"gradient": self._gradient(weight)}
        if self.shown:
            found["layers"] = Layers(tuple(self.layers), lambda X, name: self._maps(X, name, weight))
        if self.watched is not None:
            watched = self.watched
            before = self._parts(watched, np.zeros((1, n)))[0].shape[3] - n  # positions that are no columns
            found["attention"] = Attention(lambda X: self._parts(watched, X), watched.names, max(before, 0))
        return found

    def outputs(self, X: np.ndarray) -> np.ndarray:
        """All numbers (rows, w)."""
        (found,) = self._parts(lambda x: (self.network(x),), X)
        return found.reshape(len(X), -1)

    def _gradient(self, weight: np.ndarray | None) -> Gradient:
        def slope(Z: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            def at(z: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
                rest = (x,) if self.points.table is not None else ()
                with torch.enable_grad():
                    z = z.requires_grad_()
                    value = self.points(z, *rest, *self._weight(weight, len(z)))
                    (gradient,) = torch.autograd.grad(value.sum(), z)
                return value.detach(), gradient

            value, gradient = self._parts(at, Z, X)
            return value, gradient

        embed = None
        if self.points.table is not None:
            embed = lambda X: self._parts(lambda x: (self.points.points(x),), X)[0]  # noqa: E731
        return Gradient(slope, embed)

    def _maps(self, X: np.ndarray, name: str, weight: np.ndarray | None) -> Maps:
        def at(x: Tensor) -> tuple[Tensor, Tensor]:
            with torch.enable_grad():
                value, held = self.shown[name](x.requires_grad_(), *self._weight(weight, len(x)))
                (slope,) = torch.autograd.grad(value.sum(), held)
            return held.detach(), slope

        return Maps(*self._parts(at, X))

    def _weight(self, weight: np.ndarray | None, rows: int) -> tuple[Tensor, ...]:
        return () if weight is None else (torch.as_tensor(weight, device=self.device).expand(rows, -1),)

    def _parts(self, ask: Callable[..., tuple[Tensor, ...]], *arrays: np.ndarray) -> list[np.ndarray]:
        step = max(1, NUMBERS // max(1, max(a.shape[1] for a in arrays)))
        found = []
        with plain_attention(), torch.no_grad():
            for at in range(0, max(1, len(arrays[0])), step):
                given = [torch.as_tensor(a[at : at + step], dtype=torch.float32, device=self.device) for a in arrays]
                found.append([held.detach().cpu().numpy().astype(float) for held in ask(*given)])
        return [np.concatenate(held) for held in zip(*found, strict=True)]
