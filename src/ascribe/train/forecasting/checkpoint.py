"""A training run as a file of arrays, from which it goes on as if it had not stopped. Never pickle.

weights:NAME  average:NAME  best:NAME     arrays of the network, of its running mean, of the best so far
adam:I:KEY                                state of the optimiser, by the number of the parameter
random:torch                              of the dropout masks
told                                      JSON: epoch, losses, the best one, seconds, random batches, what is fitted
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch

from ascribe.bundle.written import writing
from ascribe.core.errors import InputError

__all__ = ["read_checkpoint", "write_checkpoint"]


def write_checkpoint(path: Path, told: Mapping[str, Any], parts: Mapping[str, Mapping[str, torch.Tensor]],
                     optimiser: torch.optim.Optimizer) -> None:  # fmt: skip
    """Whole or not at all: a run that is killed while it writes leaves the file before.

    Raises InputError if the place cannot be written.
    """
    held = {f"{part}:{name}": value.cpu().numpy() for part, state in parts.items() for name, value in state.items()}
    for number, state in optimiser.state_dict()["state"].items():
        held |= {f"adam:{number}:{key}": torch.as_tensor(value).cpu().numpy() for key, value in state.items()}
    held["random:torch"] = torch.get_rng_state().numpy()
    held["told"] = np.frombuffer(json.dumps(told).encode(), np.uint8)
    with writing(path) as part, open(part, "wb") as file:
        np.savez(file, **held)  # type: ignore[arg-type]


def read_checkpoint(
    path: Path, fitted: Mapping[str, Any], optimiser: torch.optim.Optimizer
) -> tuple[dict[str, Any], dict[str, dict[str, torch.Tensor]]]:
    """What was told and the parts; the optimiser and torch's random numbers go on where they were.

    Raises InputError where the file is of another run: other options, other data.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
        told = json.loads(held.pop("told").tobytes())
        random = torch.as_tensor(held.pop("random:torch"))
    except (OSError, EOFError, ValueError, TypeError, KeyError, BadZipFile) as exc:
        raise InputError(f"{path} is no checkpoint of a training run: remove it to begin anew") from exc
    if told["fitted"] != json.loads(json.dumps(fitted)):
        raise InputError(f"{path} is of a run with other options or data: remove it to begin anew")
    parts: dict[str, dict[str, torch.Tensor]] = {}
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in held.items():
        part, _, rest = name.partition(":")
        if part == "adam":
            number, _, key = rest.partition(":")
            state.setdefault(int(number), {})[key] = torch.as_tensor(value)
        else:
            parts.setdefault(part, {})[rest] = torch.as_tensor(value)
    optimiser.load_state_dict({"state": state, "param_groups": optimiser.state_dict()["param_groups"]})
    torch.set_rng_state(random)
    return told, parts
