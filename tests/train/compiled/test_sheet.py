"""The sheet that graphs are written on: constants once, other graphs inside, loops over a leading axis."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from ascribe.bundle.sessions import session
from ascribe.core.errors import BundleError
from ascribe.train.compiled.sheet import Sheet
from ascribe.train.graphs.exporter import OPSET

from ..small_graphs import as_a_column, as_input_too, evaluated, graph, predict_graph

X = np.random.default_rng(0).standard_normal((7, 4)).astype(np.float32)


def direct(raw: bytes, X: np.ndarray) -> np.ndarray:
    held = session(raw, "direct")
    return held.run(None, {held.get_inputs()[0].name: X})[0]


def opsets(proto: onnx.ModelProto) -> dict[str, int]:
    return {o.domain: o.version for o in proto.opset_import}


def test_equal_constants_are_stored_once_and_others_apart():
    sheet = Sheet("s")
    names = [sheet.const(v) for v in (1.0, [1.0], 1.0, np.float64(1))]
    assert names[0] == names[2] == names[3]
    assert names[1] != names[0]  # another shape
    assert sheet.const(1.0, np.float64) != names[0]
    assert sheet.const(-0.0) != sheet.const(0.0)  # the bits decide
    assert sheet.const(np.nan) == sheet.const(np.nan)
    assert sheet.ints(1, 2) == sheet.ints(1, 2) != sheet.ints(1)
    assert sheet.const(np.eye(3)[:, ::-1]) == sheet.const(np.ascontiguousarray(np.eye(3)[:, ::-1]))
    inner = Sheet("inner", sheet)
    assert inner.const(1.0) == names[0]
    assert not hasattr(inner, "constants") or inner.constants is sheet.constants


def test_constants_that_nothing_reads_are_not_written():
    sheet = Sheet("s")
    sheet.const(np.ones(5000))
    y = sheet.op("Add", "x", sheet.const(2.0))
    proto = sheet.model({"x": ("float", ["rows"])}, {"y": (y, "float", ["rows"])}, {"who": "me"})
    assert len(proto.graph.initializer) == 1
    assert {p.key: p.value for p in proto.metadata_props} == {"who": "me"}
    assert opsets(proto)[""] == OPSET
    onnx.checker.check_model(proto)


def test_a_graph_inside_says_what_it_says_alone():
    raw = predict_graph(4)
    assert evaluated(lambda s, x: s.inline(raw, "predict", x)[0], X).tobytes() == direct(raw, X).tobytes()


def test_two_copies_do_not_get_in_each_others_way():
    raw = predict_graph(4)

    def build(sheet: Sheet, x: str) -> str:
        again = sheet.op("Mul", x, sheet.const(2.0))
        found = [sheet.inline(raw, "predict", at)[0] for at in (x, again)]
        names = [name for node in sheet.nodes for name in node.output]
        assert len(names) == len(set(names))
        sizes = [len(held.raw_data) for held in sheet.constants.values()]
        assert sizes.count(16) == 4  # w, first, second, third: once for both
        return sheet.op("Sub", *found)

    assert evaluated(build, X) == pytest.approx(direct(raw, X) - direct(raw, 2 * X), abs=1e-4)


def test_other_names_and_a_column_are_only_another_shape():
    raw = predict_graph(4)
    found = evaluated(lambda s, x: s.inline(as_a_column(raw), "predict", x)[0], X)
    assert found.shape == (7, 1)
    assert found[:, 0].tobytes() == direct(raw, X).tobytes()


def test_an_initializer_that_is_also_an_input_is_a_constant():
    raw = predict_graph(4)
    listed = as_input_too(raw)
    assert len(onnx.load_from_string(listed).graph.input) == 7
    assert evaluated(lambda s, x: s.inline(listed, "predict", x)[0], X).tobytes() == direct(raw, X).tobytes()


@pytest.mark.parametrize("opset", [17, 13])
def test_older_operators_are_brought_up_to_date(opset):
    """ReduceMax took its axes as an attribute before opset 18."""
    node = helper.make_node("ReduceMax", ["x"], ["prediction"], axes=[1], keepdims=0)
    info = helper.make_tensor_value_info
    old = helper.make_model(
        helper.make_graph([node], "old", [info("x", 1, ["rows", 4])], [info("prediction", 1, ["rows"])]),
        opset_imports=[helper.make_opsetid("", opset)], ir_version=8,
    )  # fmt: skip
    raw = old.SerializeToString()
    assert np.array_equal(evaluated(lambda s, x: s.inline(raw, "predict", x)[0], X), X.max(axis=1))
    old17 = predict_graph(4, opset=17)
    assert evaluated(lambda s, x: s.inline(old17, "predict", x)[0], X).tobytes() == direct(old17, X).tobytes()


def test_newer_operators_are_refused():
    proto = onnx.load_from_string(predict_graph(4))
    proto.opset_import[0].version = OPSET + 1
    with pytest.raises(BundleError, match=f"predict uses opset {OPSET + 1}: export it with at most {OPSET}"):
        Sheet("s").inline(proto.SerializeToString(), "predict", "x")


def test_a_graph_of_other_inputs_is_refused():
    with pytest.raises(BundleError, match="energy has 1 inputs, not 2: it is not the graph that it should be"):
        Sheet("s").inline(predict_graph(4), "energy", "z", "seen")


def test_functions_of_a_graph_are_written_out():
    """As torch's exporter leaves them, a model may call functions of its own."""
    twice = helper.make_function(
        "mine", "Twice", ["a"], ["b"], [helper.make_node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", OPSET)]
    )
    info = helper.make_tensor_value_info
    node = helper.make_node("Twice", ["x"], ["prediction"], domain="mine")
    proto = helper.make_model(
        helper.make_graph([node], "f", [info("x", 1, ["rows", 4])], [info("prediction", 1, ["rows", 4])]),
        opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid("mine", 1)], functions=[twice], ir_version=9,
    )  # fmt: skip
    assert np.array_equal(evaluated(lambda s, x: s.inline(proto.SerializeToString(), "p", x)[0], X), 2 * X)


def test_a_result_read_by_a_graph_within_a_graph_keeps_its_name():
    """An `If` whose branches use what lies outside of them."""
    raw = graph(
        """predict (float[rows,4] x) => (float[rows,4] prediction) {
            total = ReduceSum<keepdims = 0>(x)
            up = Greater(total, zero)
            prediction = If(up) <
                then_branch = t () => (float[rows,4] a) { a = Add(x, w) },
                else_branch = e () => (float[rows,4] b) { b = Mul(x, w) }
            >
        }""",
        zero=np.array(0.0), w=np.arange(4.0),
    )  # fmt: skip
    for x in (np.abs(X), -np.abs(X)):
        found = evaluated(lambda s, x: s.inline(raw, "predict", x)[0], x)
        assert np.array_equal(found, x + np.float32([0, 1, 2, 3]) if x.sum() > 0 else x * np.float32([0, 1, 2, 3]))


def test_a_scan_is_a_loop_and_its_body_sees_what_lies_outside():
    parts = np.random.default_rng(1).standard_normal((5, 3, 4)).astype(np.float32)
    raw = predict_graph(4)

    def build(sheet: Sheet, x: str) -> list[str]:
        shared = sheet.op("ReduceSum", x, sheet.ints(0), keepdims=1)

        def body(inner: Sheet, held: list[str]) -> list[str]:
            moved = inner.op("Add", held[0], shared)
            return [inner.inline(raw, "predict", moved)[0], moved]

        return sheet.scan([sheet.const(parts)], ["float"], body)

    f, moved = evaluated(build, X)
    wanted = parts + X.sum(axis=0)
    assert moved == pytest.approx(wanted, abs=1e-5)
    assert f == pytest.approx(np.stack([direct(raw, part) for part in wanted]), rel=1e-5)


def test_a_loop_within_a_loop():
    outer, inner_parts = np.arange(6, dtype=np.float32).reshape(3, 2), np.float32([10, 20, 30, 40])

    def build(sheet: Sheet, x: str) -> list[str]:
        def row(one: Sheet, held: list[str]) -> list[str]:
            def part(two: Sheet, given: list[str]) -> list[str]:
                return [two.op("Add", held[0], given[0])]

            return one.scan([one.const(inner_parts)], ["float"], part)

        return sheet.scan([x], ["float"], row)

    found = evaluated(build, outer)[0]
    assert np.array_equal(found, outer[:, None, :] + inner_parts[None, :, None])


def test_the_same_sheet_twice_has_the_same_bytes():
    def bytes_of() -> bytes:
        sheet = Sheet("s")
        y = sheet.inline(predict_graph(4), "predict", "x")[0]
        y = sheet.op("Add", y, sheet.const(np.float32(1)))
        outputs = {"y": (y, "float", ["rows"])}
        return sheet.model({"x": ("float", ["rows", 4])}, outputs, {}).SerializeToString(deterministic=True)

    assert bytes_of() == bytes_of()
    assert all(numpy_helper.to_array(i) is not None for i in onnx.load_from_string(bytes_of()).graph.initializer)
