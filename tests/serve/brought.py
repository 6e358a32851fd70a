"""Models that somebody brought: a small eye of pictures, a reader of sentences, trees with categories and gaps.

eye       12 x 10 x 3 -> 4 maps of 3 x 3 -> relu -> 3 classes
mood      8 words -> the mean of their vectors -> 2 classes
income    adult, xgboost: categories as texts, null where a value is missing
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
import xgboost
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from ascribe.bundle.archive import open_directory
from ascribe.bundle.registry import Registry
from ascribe.opened import OpenModel
from tests.once import once
from tests.train.adapters.adopting import adopted, adults

AT = "2026-11-01T00:00:00+00:00"
SIDES = (12, 10)
CLASSES = ("night", "noon", "dusk")
WORDS = ("<PAD>", "<START>", "<UNKNOWN>", "good", "bad", "film", "very", "not", "dull")
SENTENCES = ("very good film", "not good, a dull film", "bad", "good bad film very very not")


@dataclass(frozen=True)
class Brought:
    """Their registry, their names, and each of them opened in this process."""

    registry: str
    opened: dict[str, OpenModel]
    place: Path


def picture(seed: int, sides: tuple[int, int] = SIDES, kind: str = "PNG") -> bytes:
    """The bytes of a file."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*sides, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def bring(factory: pytest.TempPathFactory) -> Brought:
    """All three, imported, published and promoted once a run."""
    import ascribe

    place = once(factory, "brought", _made)
    return Brought(str(place / "registry"), {name: ascribe.open(place / name / "bundle") for name in MAKERS}, place)


def _made(place: Path) -> None:
    registry = Registry(str(place / "registry"))
    for name, make in MAKERS.items():
        make(place / name)
        version = registry.publish(name, open_directory(place / name / "bundle"))
        registry.promote(name, version, AT, expected=None)


def _saved(nodes: list, name: str, entry: tuple[str, int, list], constants: dict[str, np.ndarray], file: Path) -> None:
    held = [numpy_helper.from_array(value, key) for key, value in constants.items()]
    outputs = [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", None])]
    graph = helper.make_graph(nodes, name, [helper.make_tensor_value_info(*entry)], outputs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    onnx.save(model, file)


def _eye(place: Path) -> None:
    from ascribe.train.adapters.adopted import Picture

    rng, node = np.random.default_rng(3), helper.make_node
    (place / "pictures").mkdir(parents=True)
    for seed in range(4):
        (place / "pictures" / f"{seed}.png").write_bytes(picture(100 + seed))
    nodes = [
        node("Conv", ["x", "kernel"], ["maps"], kernel_shape=[3, 3]),
        node("Relu", ["maps"], ["seen"]),
        node("Flatten", ["seen"], ["flat"]),
        node("MatMul", ["flat", "weights"], ["logits"]),
    ]
    constants = {"kernel": rng.normal(size=(4, 3, 3, 3)), "weights": rng.normal(size=(4 * 10 * 8, 3)) / 4}
    constants = {name: value.astype(np.float32) for name, value in constants.items()}
    _saved(nodes, "eye", ("x", TensorProto.FLOAT, ["batch", 3, *SIDES]), constants, place / "eye.onnx")
    adopted(
        place / "eye.onnx", place / "pictures", place / "bundle", labels=CLASSES, link="softmax", output="noon",
        picture=Picture(mean=(128.0,), scale=(1 / 128,), resize=10),
    )  # fmt: skip


def _mood(place: Path) -> None:
    rng, node = np.random.default_rng(5), helper.make_node
    place.mkdir(parents=True)
    (place / "sentences.txt").write_text("\n".join(SENTENCES))
    nodes = [
        node("Gather", ["vectors", "ids"], ["seen"], axis=0),
        node("Tanh", ["seen"], ["bent"]),
        node("ReduceMean", ["bent"], ["mean"], axes=[1], keepdims=0),
        node("MatMul", ["mean", "weights"], ["logits"]),
    ]
    constants = {"vectors": rng.normal(size=(len(WORDS), 4)), "weights": rng.normal(size=(4, 2)) * 3}
    constants = {name: value.astype(np.float32) for name, value in constants.items()}
    _saved(nodes, "mood", ("ids", TensorProto.INT64, ["batch", 8]), constants, place / "mood.onnx")
    adopted(
        place / "mood.onnx", place / "sentences.txt", place / "bundle", labels=("sad", "glad"), link="softmax",
        output="glad", words=WORDS,
    )  # fmt: skip


def _income(place: Path) -> None:
    place.mkdir(parents=True)
    rows = adults()
    rows.write_parquet(place / "rows.parquet")
    frame = rows.drop("income").to_pandas()
    texts = [name for name in frame.columns if frame[name].dtype.kind not in "if"]
    frame = frame.astype(dict.fromkeys(texts, "category"))
    y = (rows["income"] == ">50K").to_numpy().astype(int)
    model = xgboost.XGBClassifier(n_estimators=12, max_depth=4, enable_categorical=True, n_jobs=1, random_state=0)
    model.fit(frame, y).save_model(place / "adult.ubj")
    adopted(
        place / "adult.ubj", place / "rows.parquet", place / "bundle", target="income", labels=("<=50K", ">50K"),
        output=">50K",
    )  # fmt: skip


MAKERS = {"eye": _eye, "mood": _mood, "income": _income}


def adult_rows() -> list[dict[str, object]]:
    """Two rows as JSON: categories as texts, one value missing."""
    held = adults().drop("income")
    first, second = held.row(3, named=True), held.row(40, named=True)
    numbers = [name for name in held.columns if held[name].dtype in (pl.Int64, pl.Float64)]
    return [first, second | {numbers[0]: None}]
