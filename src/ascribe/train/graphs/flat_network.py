"""One weighted sum of a network's outputs, as a function of points, of a layer's maps, or of nothing but the row.

    value(z, x, weight) = sum_j weight_j f_j            (rows,)

f is a network of flat rows: `forward(x (rows, n) float32, natural units) -> (rows,)` or `(rows, w)`, the w numbers
being those of all margins, then of all probabilities, as far as it gives them. So one graph serves every output in
every space. Where an embedding is named, z (rows, length x d) stands in for what it gives, and x is what else the
network does with the words.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from ascribe.core.errors import InputError

__all__ = ["Pointed", "Shown", "Watched", "attentions", "held_still", "modules_of"]


def held_still(network: nn.Module) -> nn.Module:
    """A copy in single precision and `eval`, on the processor, whose weights take no gradient."""
    held = copy.deepcopy(network).cpu().float().eval()
    for weight in held.parameters():
        weight.requires_grad_(False)
    return held


def modules_of(network: nn.Module, names: Sequence[str]) -> list[nn.Module]:
    """Modules by name. Raises InputError for an unknown one."""
    held = dict(network.named_modules())
    for name in names:
        if name not in held or not name:
            known = ", ".join(list(held)[1:9])
            raise InputError(f"the network has no module '{name}': its modules are {known} and so on")
    return [held[name] for name in names]


class Pointed(nn.Module):
    """`forward(z, [x], [weight]) -> value (rows,)`: x only with an embedding, weight only for several outputs."""

    def __init__(self, network: nn.Module, embedding: str | None, several: bool) -> None:
        super().__init__()
        self.network, self.several = network, several
        self.table = None if embedding is None else _table(network, embedding)

    def forward(self, z: Tensor, *rest: Tensor) -> Tensor:
        if self.table is None:
            return weighted(self.network(z), rest[0] if self.several else None)
        x = rest[0]
        stand_in = lambda module, inputs, output: z.reshape(output.shape)  # noqa: E731
        with _hooked([self.table], stand_in):
            return weighted(self.network(x), rest[1] if self.several else None)

    def points(self, x: Tensor) -> Tensor:
        """Rows as points (rows, d): what the embedding gives for them, laid flat; else the rows."""
        if self.table is None:
            return x
        found: list[Tensor] = []
        with _hooked([self.table], lambda module, inputs, output: found.append(output)):
            self.network(x)
        return found[0].flatten(1)


class Shown(nn.Module):
    """`forward(x, [weight], *more) -> value (rows,), *maps`: maps (rows, c, h, w) of layers, `more` added to each."""

    def __init__(self, network: nn.Module, layers: Sequence[str], several: bool) -> None:
        super().__init__()
        self.network, self.several = network, several
        self.shown = modules_of(network, layers)

    def forward(self, x: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        more = rest[1:] if self.several else rest
        found: dict[nn.Module, Tensor] = {}

        def show(module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            if module in found:
                raise InputError("a layer that is used twice has two maps: name one that is used once")
            at = self.shown.index(module)
            found[module] = output + more[at] if more else output
            return found[module].clone()  # an activation that writes over its input leaves the maps alone

        with _hooked(self.shown, show):
            value = weighted(self.network(x), rest[0] if self.several else None)
        return value, *(found[module] for module in self.shown)


class Watched(nn.Module):
    """`forward(x) -> weights (rows, heads, q, k)` of each `nn.MultiheadAttention`, in the order of `names`."""

    def __init__(self, network: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.network, self.names = network, tuple(names)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        watched = modules_of(self.network, self.names)
        found: dict[nn.Module, Tensor] = {}

        def ask(module: nn.Module, args: Any, kwargs: Mapping[str, Any]) -> tuple[Any, Any]:
            given = inspect.signature(module.forward).bind(*args, **kwargs).arguments
            return (), {**given, "need_weights": True, "average_attn_weights": False}

        def keep(module: nn.Module, args: Any, output: tuple[Tensor, Tensor]) -> None:
            found[module] = output[1]

        with contextlib.ExitStack() as stack:
            for module in watched:
                stack.callback(module.register_forward_pre_hook(ask, with_kwargs=True).remove)
            stack.enter_context(_hooked(watched, keep))
            self.network(x)
        return tuple(found[module] for module in watched)


def attentions(network: nn.Module) -> tuple[str, ...]:
    """Names of the modules whose weights `Watched` can show."""
    return tuple(name for name, module in network.named_modules() if isinstance(module, nn.MultiheadAttention))


def weighted(y: Tensor, weight: Tensor | None) -> Tensor:
    """Of outputs (rows,) or (rows, w): their sum by weight (rows, w), or the only one."""
    y = y.unsqueeze(1) if y.ndim == 1 else y
    if weight is None:
        return y[:, 0]
    return (y * weight).sum(1)


@contextlib.contextmanager
def _hooked(modules: Sequence[nn.Module], hook: Callable[..., Any]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for module in modules:
            stack.callback(module.register_forward_hook(hook).remove)
        yield


def _table(network: nn.Module, name: str) -> nn.Module:
    held = dict(network.named_modules()).get(name)
    if isinstance(held, nn.Embedding) and held.max_norm is None:
        return held
    names = [n for n, m in network.named_modules() if isinstance(m, nn.Embedding) and m.max_norm is None]
    raise InputError(f"'{name}' is not an nn.Embedding without max_norm: choose from {', '.join(names) or 'none here'}")
