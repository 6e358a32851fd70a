"""Small graphs written by hand, and the means to run what a sheet holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, parser

from ascribe.bundle.sessions import session
from ascribe.core.mixture import Mixture
from ascribe.train.compiled.sheet import Sheet

KINDS = {np.dtype(k): name for k, name in ((np.float32, "float"), (np.float64, "double"), (bool, "bool"))}


def graph(text: str, opset: int = 20, **constants: Any) -> bytes:
    """A graph in ONNX's own text form; constants as they are given (int64, bool) or as float32."""
    held = onnx.GraphProto()
    held.CopyFrom(parser.parse_graph(text))
    for name, value in constants.items():
        value = np.asarray(value)
        held.initializer.append(
            numpy_helper.from_array(value.astype(np.float32) if value.dtype == float else value, name)
        )
    proto = helper.make_model(held, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


def evaluated(build: Callable[..., Any], *inputs: np.ndarray) -> Any:
    """What `build(sheet, names of inputs)` makes of the inputs: one array, or a list of them."""
    sheet = Sheet("asked")
    names = [f"in{k}" for k in range(len(inputs))]
    found = build(sheet, *names)
    results = [found] if isinstance(found, str) else list(found)
    kinds = {name: (KINDS[a.dtype], [None] * a.ndim) for name, a in zip(names, inputs, strict=True)}
    proto = sheet.model(kinds, {f"out{k}": (name, "float", None) for k, name in enumerate(results)}, {})
    for value in proto.graph.output:  # of whatever type it is
        value.ClearField("type")
    told = session(proto.SerializeToString(), "asked").run(None, dict(zip(names, inputs, strict=True)))
    return told[0] if isinstance(found, str) else told


def predict_graph(n: int, opset: int = 20) -> bytes:
    """f = 50 + sum of (j + 1) x_j + 2 x_0 x_1 + 3 tanh(x_2), rows of n >= 3 features."""
    return graph(
        f"""predict (float[rows,{n}] x) => (float[rows] prediction) {{
            line = MatMul(x, w)
            two = MatMul(x, first)
            other = MatMul(x, second)
            pair = Mul(two, other)
            bent = MatMul(x, third)
            tanh = Tanh(bent)
            half = Sum(line, pair)
            more = Mul(tanh, three)
            prediction = Sum(half, more, base)
        }}""",
        opset, w=np.arange(1.0, n + 1), first=2 * np.eye(n)[0], second=np.eye(n)[1], third=np.eye(n)[2],
        three=np.array([3.0]), base=np.array([50.0]),
    )  # fmt: skip


def energy_graph(n: int, strength: float = 0.6) -> bytes:
    """tilt = strength tanh(sum of z + half of the observed z's)."""
    return graph(
        f"""energy (float[rows,{n}] score, bool[rows,{n}] observed) => (float[rows] tilt) {{
            seen = Cast<to = 1>(observed)
            known = Mul(seen, score)
            half = Mul(known, by)
            both = Add(score, half)
            sum = MatMul(both, one)
            flat = Tanh(sum)
            tilt = Mul(flat, strength)
        }}""",
        by=np.array([0.5]), one=np.full(n, 0.7), strength=np.array([strength]),
    )  # fmt: skip


def surrogate_graph(n: int, additive: bool = True, opset: int = 20, width: int = 16) -> bytes:
    """One hidden layer over scores and masks, in watts; not `additive`: the mask scales the scores' products."""
    rng = np.random.default_rng(n)
    first = "twice = Add(score, score)" if additive else "k = ReduceSum(seen, axis)\n twice = Mul(score, k)"
    return graph(
        f"""surrogate (float[rows,{n}] score, bool[rows,{n}] observed) => (float[rows] value) {{
            seen = Cast<to = 1>(observed)
            {first}
            both = Concat<axis = 1>(twice, seen)
            h = Gemm(both, W, b)
            bent = Tanh(h)
            column = MatMul(bent, out)
            value = Add(column, base)
        }}""",
        opset, W=0.4 * rng.standard_normal((2 * n, width)), b=rng.standard_normal(width),
        out=5 * rng.standard_normal(width), base=np.array([50.0]), axis=np.array([1]),
    )  # fmt: skip


def proposal_graph(n: int, c: int, rank: int, seed: int = 0) -> bytes:
    """A mixture that depends on what is observed in every part."""
    rng = np.random.default_rng([seed, n, c])
    return graph(
        f"""proposal (float[rows,{n}] score, bool[rows,{n}] observed)
                => (float[rows,{c}] logits, float[rows,{c},{n}] mean, float[rows,{c},{n}] diag,
                    float[rows,{c},{n},{rank}] factor) {{
            seen = Cast<to = 1>(observed)
            known = Where(observed, score, zero)
            both = Concat<axis = 1>(known, seen)
            logits = MatMul(both, L)
            m = MatMul(both, M)
            mean = Reshape(m, three)
            d = MatMul(both, D)
            d1 = Sigmoid(d)
            d2 = Add(d1, floor)
            diag = Reshape(d2, three)
            f = MatMul(both, F)
            f1 = Tanh(f)
            factor = Reshape(f1, four)
        }}""",
        zero=np.array(0.0), floor=np.array([0.1]), L=0.5 * rng.standard_normal((2 * n, c)),
        M=0.5 * rng.standard_normal((2 * n, c * n)), D=0.5 * rng.standard_normal((2 * n, c * n)),
        F=0.5 * rng.standard_normal((2 * n, c * n * rank)), three=np.array([-1, c, n]), four=np.array([-1, c, n, rank]),
    )  # fmt: skip


def mixture_of(proposal: bytes) -> Callable[[np.ndarray, np.ndarray], Mixture]:
    """A proposal's graph as the energy model asks it."""
    run = session(proposal, "proposal").run
    names = ["logits", "mean", "diag", "factor"]
    return lambda Z, S: Mixture(*run(names, {"score": Z.astype(np.float32), "observed": np.ascontiguousarray(S)}))


def as_input_too(raw: bytes) -> bytes:
    """Initializers listed among the inputs, as older exporters did."""
    proto = onnx.load_from_string(raw)
    for held in proto.graph.initializer:
        proto.graph.input.append(helper.make_tensor_value_info(held.name, held.data_type, list(held.dims)))
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


def as_a_column(raw: bytes, name: str = "features", output: str = "variable") -> bytes:
    """The same predict graph as foreign exporters write it: other names, output (rows, 1)."""
    proto = onnx.load_from_string(raw)
    n = proto.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    proto.graph.node.insert(0, helper.make_node("Identity", [name], ["x"]))
    proto.graph.initializer.append(numpy_helper.from_array(np.array([-1, 1]), "column"))
    proto.graph.node.append(helper.make_node("Reshape", ["prediction", "column"], [output]))
    del proto.graph.input[:], proto.graph.output[:]
    proto.graph.input.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", n]))
    proto.graph.output.append(helper.make_tensor_value_info(output, TensorProto.FLOAT, ["rows", 1]))
    onnx.checker.check_model(proto)
    return proto.SerializeToString()
