"""What the inputs of an ONNX file say of a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto

from ascribe.bundle.preparation import PATTERN
from ascribe.core.errors import InputError
from ascribe.core.features import Feature
from ascribe.core.layout import Layout
from ascribe.train.adapters.adopted import Asked
from ascribe.train.adapters.of_trees import columns_of
from ascribe.train.graphs.flat_rows import NUMPY, Feed

__all__ = ["Entry", "entry"]

CHANNELS = (1, 3)
SHORTER = 8 / 7  # 256 for 224: how ImageNet's pictures are cut


@dataclass(frozen=True)
class Entry:
    """Rows as the file takes them. `told`: what of it belongs into the manifest's origin."""

    layout: Layout
    feeds: tuple[Feed, ...]
    features: tuple[Feature, ...] = ()
    preparation: Mapping[str, Any] = field(default_factory=dict)
    told: Mapping[str, Any] = field(default_factory=dict)

    def rows(self, asked: Asked) -> np.ndarray:
        """Background rows that may be asked."""
        if self.layout.kind != "table":
            return asked.background.prepared(self.layout, self.preparation)
        own = {f.name: f.categories for f in self.features if f.categories}
        X = asked.background.rows(asked.background.features([f.name for f in self.features], {}, own, False))
        good = np.isfinite(X).all(axis=1)
        if not good.any():
            raise InputError(f"every row of {asked.background.path} has a gap, and the model takes none")
        return np.asarray(X[good])


def entry(model: onnx.ModelProto, asked: Asked) -> Entry:
    """Raises InputError where the inputs are of no kind known here."""
    constants = {held.name for held in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    shapes = {value.name: _shape(value) for value in inputs}
    if not inputs:
        raise InputError("the file has no input")
    if len(inputs) == 1:
        (value,), shape = inputs, shapes[inputs[0].name]
        kind = value.type.tensor_type.elem_type
        if asked.words:
            return _text(value.name, kind, shape, asked)
        if len(shape) == 4 or asked.picture.height:
            return _image(value.name, kind, shape, asked)
        if kind in NUMPY and len(shape) == 2:
            n = shape[1] or len(columns_of(asked, len(asked.features or asked.background.columns()) - (
                not asked.features and asked.target in asked.background.columns())))  # fmt: skip
            names = columns_of(asked, n)
            return Entry(Layout("table", (n,)), (Feed(value.name, kind),), tuple(Feature(name) for name in names))
    elif all(shape in ((None, 1), (None,), (1, 1)) for shape in shapes.values()):
        return _columns(inputs, shapes, asked)
    told = ", ".join(f"{name} {_written(shape)}" for name, shape in shapes.items())
    raise InputError(f"inputs {told}: a table, an image (4 axes), word numbers with --vocabulary, or a column an input")


def _columns(inputs: list[Any], shapes: Mapping[str, tuple[int | None, ...]], asked: Asked) -> Entry:
    """A column an input, named as the background's columns are."""
    names = [value.name for value in inputs]
    features = asked.background.features(names, {}, {}, False)
    feeds = []
    for j, (value, feature) in enumerate(zip(inputs, features, strict=True)):
        kind = value.type.tensor_type.elem_type
        if kind != TensorProto.STRING and kind not in NUMPY:
            raise InputError(f"input {value.name} takes neither numbers nor texts: it cannot be imported")
        if (kind == TensorProto.STRING) != bool(feature.categories):
            takes, holds = ("texts", "numbers") if kind == TensorProto.STRING else ("numbers", "texts")
            raise InputError(f"input {value.name} takes {takes}, the background's column holds {holds}")
        feeds.append(Feed(value.name, kind, (j,), feature.categories, bare=len(shapes[value.name]) == 1))
    held = tuple(Feature(f.name, categories=f.categories) for f in features)
    return Entry(Layout("table", (len(names),)), tuple(feeds), held)


def _text(name: str, kind: int, shape: tuple[int | None, ...], asked: Asked) -> Entry:
    if len(shape) != 2 or kind not in NUMPY:
        raise InputError(f"input {name} {_written(shape)} takes no word numbers (rows, length): leave out --vocabulary")
    length = shape[1] or asked.length
    if not length:
        raise InputError("the file does not say how many words it takes: give --length")
    words = asked.words
    preparation = {"kind": "text", "pattern": PATTERN}
    for role, spellings in (("start", STARTS), ("unknown", UNKNOWNS)):
        preparation[role] = next((word for word in words if word.upper() in spellings), "")
    padding = next((k for k, word in enumerate(words) if word.upper() in PADDINGS), 0)
    return Entry(Layout("text", (length,), padding, words), (Feed(name, kind),), preparation=preparation)


STARTS, UNKNOWNS, PADDINGS = ({f"<{word}>", f"[{word}]"} | more for word, more in (
    ("START", {"<S>", "<BOS>"}), ("UNKNOWN", {"<UNK>", "[UNK]", "<OOV>"}), ("PAD", {"<PADDING>"}),
))  # fmt: skip


def _image(name: str, kind: int, shape: tuple[int | None, ...], asked: Asked) -> Entry:
    told = asked.picture
    if len(shape) != 4 or kind not in NUMPY:
        raise InputError(f"input {name} {_written(shape)} takes no image (rows, and three axes): leave out --image")
    first = told.channels_first
    if first is None:
        first = shape[1] in CHANNELS and shape[3] not in CHANNELS
    channels, height, width = (shape[1], shape[2], shape[3]) if first else (shape[3], shape[1], shape[2])
    height, width = told.height or height, told.width or width
    if channels not in CHANNELS:
        raise InputError(
            f"input {name} {_written(shape)} has no axis of 1 or 3 channels: say --channels-first or --last"
        )
    if not height or not width:
        raise InputError(f"the file does not say how large its image is ({_written(shape)}): give --image HEIGHTxWIDTH")
    for option, held in (("--mean", told.mean), ("--scale", told.scale)):
        if len(held) not in (1, channels):
            raise InputError(f"{option} has {len(held)} numbers for {channels} channels: give one, or one a channel")
    resize = told.resize or round(min(height, width) * SHORTER)
    feed = Feed(name, kind, (), (), (height, width, channels), first, told.mean, told.scale)
    scaled = {"mean": [float(m) for m in told.mean], "scale": [float(s) for s in told.scale], "channels_first": first}
    return Entry(Layout("image", (height, width, channels)), (feed,), (), {"kind": "image", "resize": resize}, scaled)


def _shape(value: Any) -> tuple[int | None, ...]:
    """Sizes by axis; None where an axis is free, as the first always is taken to be."""
    dims = value.type.tensor_type.shape.dim
    return tuple(None if k == 0 else dim.dim_value or None for k, dim in enumerate(dims))


def _written(shape: tuple[int | None, ...]) -> str:
    return "(" + ", ".join("?" if size is None else str(size) for size in shape) + ")"
