"""Tensors to rows and answers to tensors: exact, whatever is sent, and refused in words where it cannot be."""

from __future__ import annotations

import math
import struct

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ascribe.core.errors import InputError
from ascribe.serve.messages import Attribution, AttributionResponse, Prediction, PredictionResponse
from ascribe.serve.oip import tensors
from ascribe.serve.oip.tensors import DATATYPES, Tensor, from_json, from_raw, from_values, rows_of
from ascribe.serve.rest.oip import decoded

kinds = st.sampled_from(sorted(DATATYPES))
shapes = hnp.array_shapes(min_dims=1, max_dims=2, min_side=0, max_side=5)
arrays = kinds.flatmap(lambda kind: st.tuples(st.just(kind), hnp.arrays(DATATYPES[kind], shapes)))


@given(arrays)
@settings(max_examples=300, deadline=None)
def test_raw_typed_and_json_are_the_same_numbers(case):
    kind, held = case
    by_bytes = from_raw("x", kind, held.shape, held.tobytes())
    expected = held.astype(float)
    assert by_bytes.shape == held.shape
    np.testing.assert_array_equal(by_bytes.data, expected)
    flat = held.ravel().tolist()
    np.testing.assert_array_equal(from_values("x", kind, held.shape, flat).data, expected)
    if kind != "FP16" and np.isfinite(expected).all():
        for sent in (flat, held.tolist()):
            raw = msgspec.json.encode(sent)
            np.testing.assert_array_equal(from_json("x", kind, held.shape, raw).data, expected)


@given(hnp.arrays(float, st.tuples(st.integers(1, 6), st.integers(1, 5))))
@settings(max_examples=200, deadline=None)
def test_rows_are_the_matrix_and_its_columns(X):
    whole = rows_of([Tensor("x", "FP64", X.shape, X)], 6)
    np.testing.assert_array_equal([row.values for row in whole], X)
    names = [f"f{j}" for j in range(X.shape[1])]
    parts = [Tensor(name, "FP64", (len(X),), X[:, j]) for j, name in enumerate(names)]
    by_name = rows_of(parts, 6)
    np.testing.assert_array_equal([row.values for row in by_name], X)
    assert all(list(row.names) == names for row in by_name)


sizes = st.integers(-(1 << 70), 1 << 70) | st.integers(-2, 10) | st.sampled_from([1 << 31, 1 << 32, 1 << 62, 1 << 63])
words = kinds | st.sampled_from(["BOOL", "BYTES", "BF16", "fp32", ""]) | st.text(max_size=8)


@given(words, st.lists(sizes, max_size=4), st.binary(max_size=80))
@settings(max_examples=500, deadline=None)
def test_any_shape_with_any_bytes_is_exact_or_refused(kind, shape, raw):
    try:
        found = from_raw("x", kind, shape, raw)
    except InputError as exc:
        assert "\n" not in str(exc)  # noqa: PT017
    else:
        assert len(raw) == math.prod(shape) * np.dtype(DATATYPES[kind]).itemsize
        assert found.data.shape == tuple(shape)


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4)
lists = st.lists(scalars, max_size=4) | st.lists(st.floats(-9, 9), max_size=4)
json = scalars | lists | st.lists(lists, max_size=3) | st.dictionaries(st.text(max_size=3), scalars | lists, max_size=3)


@given(words, st.lists(sizes, max_size=3), json)
@settings(max_examples=500, deadline=None)
def test_any_json_is_numbers_or_refused(kind, shape, data):
    try:
        found = from_json("x", kind, shape, msgspec.json.encode(data))
    except InputError:
        return
    assert found.data.dtype == np.float64
    assert found.data.shape == tuple(shape)
    assert not isinstance(data, bool | str | dict | None)


field = {
    "name": st.text(max_size=3),
    "shape": st.lists(sizes, max_size=3),
    "datatype": words,
    "data": json,
    "parameters": st.dictionaries(st.sampled_from(["binary_data_size", "shared_memory_offset", "z"]), json, max_size=2),
}
bodies = st.fixed_dictionaries(
    {"inputs": st.lists(st.fixed_dictionaries({}, optional=field), max_size=3) | json},
    optional={"id": json, "outputs": json, "parameters": json, "more": json},
)


@given(bodies, st.binary(max_size=40), st.none() | st.integers(-5, 400).map(str) | st.text(max_size=5))
@settings(max_examples=500, deadline=None)
def test_any_body_is_read_or_refused(body, tail, header):
    raw = msgspec.json.encode(body)
    for cut in (header, str(len(raw))):
        try:
            asked, found = decoded(raw + tail, cut)
        except InputError:
            continue
        assert len(found) == len(asked.inputs)


@pytest.mark.parametrize("shape", [[(1 << 63) - 1, 0], [0, 1 << 62], [1 << 60, 0]])
def test_a_shape_that_no_array_has_is_refused_though_it_holds_nothing(shape):
    for read, data in ((from_json, b"[]"), (from_values, []), (from_raw, b"")):
        with pytest.raises(InputError, match="has no elements"):
            read("x", "FP64", shape, data)
    assert from_json("x", "FP64", [(1 << 60) - 1, 0], b"[]").data.size == 0


def test_a_bool_is_no_number_and_a_float_no_whole_one():
    for kind, raw in (("FP64", b"[true]"), ("INT8", b"[true]"), ("INT8", b"[1.0]"), ("FP64", b'["1"]')):
        with pytest.raises(InputError, match="cannot be read"):
            from_json("x", kind, [1], raw)


def test_a_number_beyond_its_datatype_is_refused_or_the_rows_fault():
    with pytest.raises(InputError, match="no UINT8"):
        from_json("x", "UINT8", [1], b"[256]")
    assert from_json("x", "FP32", [1], b"[1e300]").data.tolist() == [math.inf]  # the row's checks say so


def test_outputs_are_checked_and_an_explanation_is_asked_only_where_one_is_needed():
    assert tensors.checked_outputs([]) == tensors.OUTPUTS
    assert not tensors.explained(["prediction", "status"])
    assert tensors.explained(["prediction", "base_value"])
    for names in (["magic"], ["status", "status"], ["status"] * 1000):
        with pytest.raises(InputError):
            tensors.checked_outputs(names)


def test_a_row_without_an_answer_is_nan_in_every_output():
    rows = [
        Attribution("a", "ok", "", 10.0, 4.0, {"p": 2.0, "q": 3.5}, stderr={"q": 0.25}),
        Attribution("b", "invalid", "no number"),
    ]
    answer = AttributionResponse(
        "m", "1", "", "", "", "", "", "", 0, 0, 0, "W", "power", ["p", "q"], 4.0, "", 0.5, {}, rows
    )  # fmt: skip
    found = {t.name: t for t in tensors.answered(tensors.OUTPUTS, answer)}
    assert found["residual"].data[0] == 10.0 - 4.0 - 5.5
    np.testing.assert_array_equal(found["stderr"].data, [[np.nan, 0.25], [np.nan, np.nan]])
    assert all(np.isnan(t.data[1]).all() for name, t in found.items() if name != "status")
    assert found["status"].data == ["ok", "invalid"]
    raw = tensors.raw(found["status"])
    assert raw == struct.pack("<I", 2) + b"ok" + struct.pack("<I", 7) + b"invalid"
    assert tensors.raw(found["attribution"])[:16] == struct.pack("<2d", 2.0, 3.5)
    alone = PredictionResponse("m", "1", "", "W", "power", "", {}, [Prediction("a", "ok", "", 10.0)])
    assert [t.data[0] for t in tensors.answered(["status", "prediction"], alone)] == ["ok", [10.0]]
