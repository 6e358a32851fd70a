"""torch: exported programs (.pt2), and state dicts with the function that makes their network.

Either becomes an ONNX graph and goes on as one; what torch itself answers is what that graph is compared with.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from ascribe.core.errors import CapabilityError, InputError
from ascribe.train.adapters.adopted import Adopted, Asked
from ascribe.train.adapters.of_trees import columns_of
from ascribe.train.adapters.onnx import of_model
from ascribe.train.graphs.exporter import exported, quiet

__all__ = ["read"]

BROKEN = (RuntimeError, ValueError, KeyError, EOFError, OSError, BadZipFile, UnpicklingError, AttributeError, TypeError)
ROWS = 2  # of the example that a network is exported with


def read(path: Path, asked: Asked) -> Adopted:
    """Raises InputError for a broken file, a fixed number of rows, or a state dict without --module or of another
    network; CapabilityError for an operator without ONNX form.
    """
    return _program(path, asked) if path.suffix.lower() == ".pt2" else _state(path, asked)


def _program(path: Path, asked: Asked) -> Adopted:
    try:
        with quiet():
            program = torch.export.load(str(path))
    except BROKEN as exc:
        raise InputError(f"{path} is no exported program, or is not whole: save it with torch.export.save") from exc
    held: Any = program.example_inputs or ((), {})
    arguments, named = held
    if named or len(arguments) != 1 or not isinstance(arguments[0], Tensor):
        raise InputError(f"{path} takes {len(arguments) + len(named)} inputs: export a network that takes one tensor")
    example = arguments[0]
    user = [
        node
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in program.graph_signature.user_inputs
    ]
    if isinstance(user[0].meta["val"].shape[0], int):
        raise InputError(
            f"{path} takes exactly {len(example)} rows: export it with dynamic_shapes that free the first axis: "
            'torch.export.export(network, (x,), dynamic_shapes=({0: torch.export.Dim("rows")},))'
        )
    return _adopted(program.module(), example, asked, str(path))


def _state(path: Path, asked: Asked) -> Adopted:
    if not asked.module:
        raise InputError(
            f"{path} holds weights without their network: name the function that makes it with --module "
            "package.module:factory, or save the network with torch.export.save as .pt2"
        )
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as exc:
        raise InputError(
            f"{path} holds more than weights, or is not whole: save network.state_dict(), or export it as .pt2"
        ) from exc
    except BROKEN as exc:
        raise InputError(f"{path} is no file of torch, or is not whole") from exc
    network = _made(asked.module)
    state = held.get("state_dict", held) if isinstance(held, Mapping) else None
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path} is no state dict: save network.state_dict()")
    if state and all(name.startswith("module.") for name in state):  # as nn.DataParallel saves it
        state = {name.removeprefix("module."): value for name, value in state.items()}
    try:
        network.load_state_dict(dict(state))
    except RuntimeError as exc:
        told = " ".join(str(exc).split())
        raise InputError(f"{path} is of another network than {asked.module} makes ({told[:160]})") from exc
    found = _adopted(network, _example(asked), asked, str(path))
    warning = f"the network is what {asked.module} makes today: the file only holds its weights"
    return replace(found, warnings=(*found.warnings, warning), origin={**found.origin, "module": asked.module})


def _made(module: str) -> nn.Module:
    """The factory's network. Raises InputError."""
    place, sign, name = module.partition(":")
    if not sign or not name:
        raise InputError(f"--module is package.module:factory, not '{module}'")
    sys.path.insert(0, str(Path.cwd()))  # as `python -m` does
    try:
        network = getattr(import_module(place), name)()
    except (ImportError, AttributeError, TypeError) as exc:
        raise InputError(f"{module} makes no network ({exc}): name a module here or installed, and a function") from exc
    finally:
        sys.path.remove(str(Path.cwd()))
    if not isinstance(network, nn.Module):
        raise InputError(f"{module} gives {type(network).__name__}, no torch.nn.Module")
    return network


def _example(asked: Asked) -> Tensor:
    """Rows of the kind that the options tell of: a state dict tells nothing."""
    if asked.words:
        if not asked.length:
            raise InputError("a state dict does not say how many words it takes: give --length")
        return torch.zeros(ROWS, asked.length, dtype=torch.int64)
    height, width = asked.picture.height, asked.picture.width
    if height and width:
        return torch.zeros(ROWS, 3, height, width)
    if asked.background.table is None:
        raise InputError("a state dict does not say how large its image is: give --image HEIGHTxWIDTH")
    n = len(asked.features) or sum(name != asked.target for name in asked.background.columns())
    return torch.zeros(ROWS, len(columns_of(asked, n)))


def _adopted(network: nn.Module, example: Tensor, asked: Asked, what: str) -> Adopted:
    """Through ONNX; torch itself is asked for what it answers."""
    example = example.detach().cpu()
    if len(example) < ROWS:
        example = torch.cat([example] * ROWS)
    if not isinstance(network, torch.fx.GraphModule):  # an exported program is as it was exported
        network = network.eval()

    def library(inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        with torch.no_grad():
            return {"y": network(torch.as_tensor(inputs["x"])).numpy()}

    try:
        with torch.no_grad():
            told = network(example)
    except (RuntimeError, ValueError, TypeError) as exc:
        raise InputError(
            f"the network does not take rows {tuple(example.shape)} ({' '.join(str(exc).split())[:160]})"
        ) from exc
    if not isinstance(told, Tensor):
        raise InputError("the network gives several values: export one that gives one tensor")
    return of_model(_onnx(network, example, what), asked, what, "torch", library)


def _onnx(network: nn.Module, example: Tensor, what: str) -> onnx.ModelProto:
    try:
        return exported(network, {"x": example}, ["y"])
    except Exception as exc:  # the exporter's errors share no base class
        told = " ".join(str(exc.__cause__ or exc).split())
        raise CapabilityError(f"{what} cannot be written as ONNX ({told[:200]})") from exc
