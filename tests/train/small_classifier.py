"""A small network of three classes as a file, adopted: a bundle with gradients."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.csv
from onnx import TensorProto, helper, numpy_helper

from ascribe.train.adapters.adopted import Asked
from ascribe.train.adapters.background import Background
from ascribe.train.adopted.adopt import AdoptOptions, adopt

NAMES, CLASSES = ("a", "b", "c", "d"), ("low", "middle", "high")


def weights(seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = (4, 16, 8, 3)
    return {
        f"w{k}": (rng.standard_normal((sizes[k], sizes[k + 1])) / np.sqrt(sizes[k]) * 1.5).astype(np.float32)
        for k in range(3)
    }


def graph() -> bytes:
    nodes, last = [], "x"
    for k in range(3):
        nodes += [helper.make_node("MatMul", [last, f"w{k}"], [f"dot{k}"])]
        last = f"dot{k}"
        if k < 2:
            nodes += [helper.make_node("Tanh", [last], [f"bent{k}"])]
            last = f"bent{k}"
    nodes += [helper.make_node("Softmax", [last], ["probabilities"], axis=1)]
    held = [numpy_helper.from_array(value, name) for name, value in weights().items()]
    proto = helper.make_model(
        helper.make_graph(
            nodes, "small", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 4])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 3]) for name in ("dot2", "probabilities")],
            held,
        ),
        opset_imports=[helper.make_opsetid("", 17)], ir_version=9,
    )  # fmt: skip
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


def rows(count: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 4)).astype(np.float32).astype(float)


def adopted(folder: Path) -> Path:
    """The bundle's folder; beside it `rows.csv` with a column `class` of the class predicted."""
    (folder / "small.onnx").write_bytes(graph())
    X = rows(120, 1)
    pyarrow.csv.write_csv(pa.table(dict(zip(NAMES, X.T, strict=True))), folder / "background.csv")
    asked = Asked(Background.at(folder / "background.csv"), labels=CLASSES, features=NAMES)
    adopt(AdoptOptions(folder / "small.onnx", asked, folder / "bundle"))
    Z = X
    for k, w in enumerate(weights().values()):
        Z = Z @ w if k == 2 else np.tanh(Z @ w)
    told = [CLASSES[k] for k in Z.argmax(axis=1)]
    pyarrow.csv.write_csv(pa.table(dict(zip(NAMES, X.T, strict=True)) | {"class": told}), folder / "rows.csv")
    return folder / "bundle"
