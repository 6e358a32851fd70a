"""From a torch network to its input gradient as a flat program of tensor operators, with free rows.

    g(z) = d/dz sum_b f_t(z_b, x_b)         rows do not see each other, so row b of g is the gradient of row b's output

The network is first flattened into core operators with a symbolic number of rows (`torch.export`), then run under
`torch.func.grad` while every operator of both passes is written down (`make_fx`). Operators of the backward pass that
the ONNX exporter lacks are replaced on the way (`gradient_operators`). Attention is taken apart into products and a
softmax, and recurrent layers are unrolled over the example's length.
"""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._dispatch.python import enable_python_dispatcher
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import DimDynamic, ShapeEnv, StatelessSymbolicContext
from torch.nn.attention import SDPBackend, sdpa_kernel

from ascribe.core.errors import AscribeError, CapabilityError, InputError
from ascribe.train.graphs.exporter import quiet
from ascribe.train.graphs.gradient_operators import operators

__all__ = ["Chosen", "chosen", "exporting", "plain_attention", "trace_gradient", "trace_slopes"]

Program = Callable[..., Any]
INSTEAD = "use ascribe.train.graphs.gradients.integrated_gradients, which runs in torch and needs no graph"


class Chosen(nn.Module):
    """One output of a network, as a function of what is attributed to.

    Without an embedding `forward(z (rows, ...)) -> (rows,)`, z being the network's input. With one
    `forward(z (rows, ..., d), x (rows, ...))`: x are the indices that the network reads, z the vectors that stand in
    for those of the embedding. What else the network does with indices (a mask of padding) stays as it is.
    """

    def __init__(self, network: nn.Module, target: int | None, embedding: str | None) -> None:
        super().__init__()
        self.network, self.target = network, target
        self.table = None if embedding is None else _table(network, embedding)

    def inputs(self, x: Tensor) -> tuple[Tensor, ...]:
        """What `forward` takes for the network's input x."""
        return (x,) if self.table is None else (self.table(x), x)

    def forward(self, z: Tensor, x: Tensor | None = None) -> Tensor:
        if self.table is None:
            return self._pick(self.network(z))
        handle = self.table.register_forward_hook(lambda module, inputs, output: z)
        try:
            return self._pick(self.network(x))
        finally:
            handle.remove()

    def _pick(self, y: Tensor) -> Tensor:
        if not isinstance(y, Tensor) or y.ndim not in (1, 2):
            told = tuple(y.shape) if isinstance(y, Tensor) else type(y).__name__
            raise InputError(f"the network gives {told}: wrap it so that it gives (rows,) or (rows, outputs)")
        outputs = 1 if y.ndim == 1 else y.shape[1]
        if self.target is None and outputs != 1:
            raise InputError(f"the network has {outputs} outputs: name one with target=0 ... {outputs - 1}")
        index = self.target or 0
        if not 0 <= index < outputs:
            raise InputError(f"target {index} of a network with {outputs} outputs: choose 0 ... {outputs - 1}")
        return y if y.ndim == 1 else y[:, index]


def _table(network: nn.Module, name: str) -> nn.Embedding:
    table = dict(network.named_modules()).get(name)
    if isinstance(table, nn.Embedding) and table.max_norm is None:
        return table
    names = [n for n, m in network.named_modules() if isinstance(m, nn.Embedding) and m.max_norm is None]
    raise InputError(f"'{name}' is not an nn.Embedding without max_norm: choose from {', '.join(names) or 'none here'}")


def chosen(network: nn.Module, target: int | None, embedding: str | None) -> Chosen:
    """A copy of the network on the processor, in single precision and `eval`, whose weights take no gradient."""
    held = Chosen(copy.deepcopy(network).cpu().float().eval(), target, embedding)
    for weight in held.parameters():
        weight.requires_grad_(False)
    return held


@contextlib.contextmanager
def plain_attention() -> Iterator[None]:
    """Attention in operators that have a gradient of their own, not in fused kernels."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)


@contextlib.contextmanager
def exporting() -> Iterator[None]:
    """Errors of tracing and exporting become a CapabilityError that names the operator."""
    try:
        yield
    except AscribeError:
        raise
    except Exception as exc:  # torch raises a score of unrelated classes here
        raise CapabilityError(f"{_reason(exc)}: {INSTEAD}") from exc


def _reason(exc: BaseException) -> str:
    told: BaseException | None = exc
    while told is not None:
        found = re.search(r"OpOverload\(op='([^']+)'", str(told))
        if found:
            return f"the gradient needs the operator {found[1].replace('::', '.')}, which has no ONNX form here"
        told = told.__cause__ or told.__context__
    line = next(iter(str(exc).strip().splitlines()), type(exc).__name__)
    return f"the network cannot be traced for any number of rows ({type(exc).__name__}: {line[:200]})"


def trace_gradient(function: nn.Module, inputs: tuple[Tensor, ...]) -> torch.fx.GraphModule:
    """`forward(*inputs) -> prediction (rows,), gradient` in the first input, for any number of rows.

    Raises CapabilityError where the network's steps depend on the values of its input.
    """

    def slope(flat: Program) -> Program:
        def both(*inputs: Tensor) -> tuple[Tensor, Tensor]:
            def total(*inputs: Tensor) -> tuple[Tensor, Tensor]:
                y = flat(*inputs)
                return y.sum(), y

            gradient, prediction = torch.func.grad(total, has_aux=True)(*inputs)
            return prediction, gradient

        return both

    return _written(function, inputs, inputs, slope)


def trace_slopes(function: nn.Module, inputs: tuple[Tensor, ...], maps: Sequence[Tensor]) -> torch.fx.GraphModule:
    """Of `function(*inputs, *more) -> value (rows,), *maps`, `more` being added to the maps: `forward(*inputs) ->
    *maps, *slopes`, the slopes of the value by each map, for any number of rows. Raises as `trace_gradient`.
    """
    sizes = [held.shape[1:] for held in maps]

    def slope(flat: Program) -> Program:
        def both(*inputs: Tensor) -> tuple[Tensor, ...]:
            def total(*more: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
                value, *held = flat(*inputs, *more)
                return value.sum(), tuple(held)

            nothing = tuple(inputs[0].new_zeros((inputs[0].shape[0], *size)) for size in sizes)
            slopes, held = torch.func.grad(total, argnums=tuple(range(len(sizes))), has_aux=True)(*nothing)
            return *held, *slopes

        return both

    nothing = tuple(torch.zeros_like(held) for held in maps)
    return _written(function, (*inputs, *nothing), inputs, slope)


def _written(
    function: nn.Module, flattened: tuple[Tensor, ...], inputs: tuple[Tensor, ...], slope: Callable[[Program], Program]
) -> torch.fx.GraphModule:
    """The function, flattened with inputs `flattened`; what `slope` makes of it is written down for `inputs`."""
    rows = {0: torch.export.Dim("rows", min=1)}
    with exporting(), quiet(), _silent(), plain_attention():
        program = torch.export.export(
            function, flattened, dynamic_shapes=_rows(function, rows, flattened), strict=False
        )
        flat = program.run_decompositions().module(check_guards=False)
        mode = FakeTensorMode(shape_env=ShapeEnv(), allow_non_fake_inputs=True)
        # without the dispatcher the kernels of padding and others read sizes as plain numbers, and fix the rows
        with enable_python_dispatcher():
            traced = make_fx(slope(flat), operators(), tracing_mode="fake", _allow_non_fake_inputs=True)
            return traced(*(_fake(mode, value) for value in inputs))


def _rows(function: nn.Module, rows: dict[int, Any], inputs: tuple[Tensor, ...]) -> tuple[Any, ...]:
    """The free axis of each input, gathered as `forward` gathers them."""
    parameters = inspect.signature(function.forward).parameters.values()
    named = sum(p.kind is not inspect.Parameter.VAR_POSITIONAL for p in parameters)
    more = len(inputs) - named if named < len(parameters) else 0
    return (*(rows,) * (len(inputs) - more), *([(rows,) * more] if more else []))


def _fake(mode: FakeTensorMode, value: Tensor) -> Any:
    """A tensor of shapes only, whose first axis is a symbol."""
    sizes = [DimDynamic.DYNAMIC] + [DimDynamic.STATIC] * (value.ndim - 1)
    return mode.from_tensor(value, static_shapes=False, symbolic_context=StatelessSymbolicContext(dynamic_sizes=sizes))


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """What fails is told in one error; torch logs and prints it at length besides."""
    held = logging.root.manager.disable
    logging.disable(logging.ERROR)
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.disable(held)
