"""What an adapter is asked, and what it finds in a model's file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ascribe.core.errors import InputError
from ascribe.core.features import Feature
from ascribe.core.layout import Layout
from ascribe.core.trees import Trees
from ascribe.train.adapters.background import Background

__all__ = ["Adopted", "Asked", "Picture", "named_labels"]


@dataclass(frozen=True)
class Picture:
    """An image as the model wants it: its input is (pixel - mean) * scale, by channel; None: the middle of the file's
    own shape says. `resize`: the shorter side before the cut.
    """

    height: int | None = None
    width: int | None = None
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    channels_first: bool | None = None
    resize: int | None = None


@dataclass(frozen=True)
class Asked:
    """What the caller says beside the model's file. `target`: the column that is predicted, or a name for it.
    `link`: how margins become probabilities (softmax, logistic) where the file only gives margins. `length`: of a text.
    """

    background: Background
    target: str = ""
    output: str | None = None
    labels: tuple[str, ...] = ()
    features: tuple[str, ...] = ()
    picture: Picture = field(default_factory=Picture)
    words: tuple[str, ...] = ()
    length: int | None = None
    link: str = ""
    module: str = ""
    allow_pickle: bool = False
    note: Callable[[str], None] = print


@dataclass(frozen=True, eq=False)
class Adopted:
    """A model's file, read. `features`: of a table, in order. `outputs` with `spaces`: of a classifier; none of a model
    with one number. `ask`: the library's own answers for flat rows, by space, or `prediction`; the graph is compared
    with them. `graph`: x (rows, n) -> those tensors; None where only `trees` can say it. `missing`: NaN is answered.
    """

    kind: str
    layout: Layout
    ask: Callable[[np.ndarray], Mapping[str, np.ndarray]]
    features: tuple[Feature, ...] = ()
    outputs: tuple[str, ...] = ()
    spaces: tuple[str, ...] = ()
    graph: bytes | None = None
    trees: Trees | None = None
    origin: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def named_labels(asked: Asked, k: int, own: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Labels of k classes: the caller's, the file's own, or numbers. Of labels that occur twice all but the first bear
    their number. Raises InputError where the caller's are not k.
    """
    held = asked.labels or own or tuple(str(j) for j in range(k))
    if len(held) != k:
        raise InputError(f"the model has {k} classes and --labels names {len(held)}: give a label a line, in order")
    return tuple(label if held.index(label) == j else f"{label} ({j})" for j, label in enumerate(held))
