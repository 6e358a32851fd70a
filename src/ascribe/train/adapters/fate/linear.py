"""HeteroLR's Meta and Param -> one party's half of the linear model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ascribe.core.errors import InputError
from ascribe.core.federated.components import LinearModel
from ascribe.train.wire import fate_pb2 as fate

__all__ = ["linear_model"]

HIDDEN = "encrypted_reveal_in_host"


def linear_model(meta: fate.LRModelMeta, param: fate.LRModelParam, party: str, parties: Sequence[str]) -> LinearModel:
    """One model, or one for each class against the rest. Raises InputError for encrypted weights."""
    several = param.need_one_vs_rest or meta.need_one_vs_rest
    models: list[Any] = list(param.one_vs_rest_result.completed_models) if several else [param]
    labels = tuple(param.one_vs_rest_result.one_vs_rest_classes) if several else ()
    if meta.reveal_strategy == HIDDEN or any(len(m.encrypted_weight) for m in models):
        raise InputError("weights of the linear model are encrypted: train with a reveal_strategy that shows them")
    if several and (not models or len(models) != len(labels)):
        raise InputError(f"one against the rest has {len(models)} models for {len(labels)} classes: fetch it again")
    if not several and not len(param.weight) and len(param.header):
        raise InputError("the linear model has columns and no weights: fetch the model again")
    known = {name for m in models for name in m.weight}
    header = [name for m in models for name in m.header if name in known]
    columns = tuple(dict.fromkeys([*header, *sorted(known)]))
    held = [dict(m.weight) for m in models]
    weight = np.array([[w.get(c, 0.0) for w in held] for c in columns])
    return LinearModel(
        party, tuple(parties), columns, weight.reshape(len(columns), len(models)),
        np.array([m.intercept for m in models]), labels,
    )  # fmt: skip
