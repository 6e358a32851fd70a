"""The Open Inference Protocol over HTTP: tensors in, the asked outputs out, bit for bit those of /v1/attributions."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from .. import tiny
from ..conftest import Served

X = np.array([[0.6, 2.5, 9.0], [0.1, 1.7, 3.25], [0.7, 3.1, 11.0]])
INFER = f"/v2/models/{tiny.NAME}/infer"
LENGTH = "Inference-Header-Content-Length"


def matrix(X: np.ndarray = X, **more: Any) -> dict[str, Any]:
    return {"name": "x", "shape": list(X.shape), "datatype": "FP64", "data": X.ravel().tolist(), **more}


def asked(served: Served, path: str = INFER, **body: Any) -> dict[str, Any]:
    answer = served.http.post(path, json={"inputs": [matrix()], **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def tensors(answer: dict[str, Any]) -> dict[str, np.ndarray]:
    return {t["name"]: np.array(t["data"]).reshape(t["shape"]) for t in answer["outputs"]}


def own(served: Served, rows: Any = None, **fields: Any) -> dict[str, Any]:
    vectors = [{"values": row} for row in (X.tolist() if rows is None else rows)]
    return served.http.post("/v1/attributions", json={"feature_vector": vectors, **fields}).json()


def binary(inputs: list[dict[str, Any]], tail: bytes, header: str | None = None, **body: Any) -> dict[str, Any]:
    head = json.dumps({"inputs": inputs, **body}).encode()
    headers = {"content-type": "application/octet-stream", LENGTH: str(len(head)) if header is None else header}
    return {"content": head + tail, "headers": headers}


def test_all_outputs_are_those_of_our_own_verb_bit_for_bit(served):
    answer, ours = asked(served, parameters={"seed": 3}), own(served, seed=3)
    found = tensors(answer)
    assert list(found) == ["prediction", "attribution", "base_value", "residual", "stderr", "status"]
    rows = ours["attributions"]
    assert found["prediction"][:, 0].tolist() == [row["prediction"] for row in rows]
    assert found["attribution"].tolist() == [list(row["attribution_shares"].values()) for row in rows]
    assert found["stderr"].tolist() == [list(row["stderr"].values()) for row in rows]
    assert found["base_value"][:, 0].tolist() == [row["base_value"] for row in rows]
    assert np.abs(found["residual"]).max() < 1e-9
    assert found["status"].tolist() == [[row["status"]] for row in rows]
    assert (answer["model_name"], answer["model_version"]) == (tiny.NAME, served.version)
    assert (answer["parameters"]["seed"], answer["parameters"]["tier"]) == (3, ours["tier"])
    other = tensors(asked(served, parameters={"seed": 4}))
    assert other["attribution"].tolist() != found["attribution"].tolist()


def test_prediction_alone_asks_no_explainer(plain):
    """A model without an energy model can be explained by no default method, and still predicts."""
    answer = asked(plain, outputs=[{"name": "prediction"}])
    assert [t["name"] for t in answer["outputs"]] == ["prediction"]
    assert tensors(answer)["prediction"][:, 0] == pytest.approx(tiny.BIAS + X @ tiny.WEIGHTS)
    assert "method" not in answer["parameters"]
    both = plain.http.post(INFER, json={"inputs": [matrix()], "outputs": [{"name": "prediction"}, {"name": "stderr"}]})
    assert (both.status_code, both.json()["code"]) == (422, "precondition")


def test_outputs_come_in_the_asked_order(served):
    answer = asked(served, outputs=[{"name": "stderr"}, {"name": "prediction"}])
    assert [t["name"] for t in answer["outputs"]] == ["stderr", "prediction"]


@pytest.mark.parametrize("form", ["flat", "nested", "features", "columns", "binary", "binary features"])
def test_every_form_of_the_same_rows_has_the_same_answer(served, form):
    names = list(tiny.ROW)
    turned = list(zip(names, X.T, strict=True))[::-1]  # another order than the model's
    send: dict[str, Any] = {
        "flat": {"json": {"inputs": [matrix()]}},
        "nested": {"json": {"inputs": [matrix(data=X.tolist())]}},
        "features": {
            "json": {"inputs": [{"name": n, "shape": [3], "datatype": "FP64", "data": c.tolist()} for n, c in turned]}
        },
        "columns": {
            "json": {
                "inputs": [
                    {"name": n, "shape": [3, 1], "datatype": "FP64", "data": c[:, None].tolist()} for n, c in turned
                ]
            }
        },
        "binary": binary(
            [{"name": "x", "shape": [3, 3], "datatype": "FP64", "parameters": {"binary_data_size": 72}}], X.tobytes()
        ),
        "binary features": binary(
            [{"name": n, "shape": [3], "datatype": "FP64", "parameters": {"binary_data_size": 24}} for n, _ in turned],
            b"".join(c.tobytes() for _, c in turned),
        ),
    }[form]
    answer = served.http.post(INFER, **send)
    assert answer.status_code == 200, answer.text
    assert answer.json()["outputs"] == asked(served)["outputs"]


@pytest.mark.parametrize(("datatype", "code"), [("FP32", "<f4"), ("FP16", "<f2"), ("INT16", "<i2"), ("UINT64", "<u8")])
def test_other_datatypes_are_the_numbers_that_they_hold(served, datatype, code):
    rows = np.array([[1, 3, 11], [0, 2, 7]]) if code[1] in "iu" else X
    held = rows.astype(code)
    given = {"name": "x", "shape": list(held.shape), "datatype": datatype}
    raw = served.http.post(INFER, **binary([given | {"parameters": {"binary_data_size": held.nbytes}}], held.tobytes()))
    assert raw.status_code == 200, raw.text
    found = tensors(raw.json())["attribution"].tolist()
    ours = own(served, held.astype(float).tolist())["attributions"]
    assert found == [list(row["attribution_shares"].values()) for row in ours]
    if datatype != "FP16":
        typed = served.http.post(INFER, json={"inputs": [given | {"data": rows.ravel().tolist()}]})
        assert tensors(typed.json())["attribution"].tolist() == found


def test_binary_outputs_hold_the_same_bits(served):
    expected = tensors(asked(served))
    outputs = [{"name": "attribution", "parameters": {"binary_data": True}}, {"name": "prediction"}, {"name": "status"}]
    outputs[2]["parameters"] = {"binary_data": True}
    answer = served.http.post(INFER, json={"inputs": [matrix()], "outputs": outputs})
    assert answer.headers["content-type"] == "application/octet-stream"
    cut = int(answer.headers[LENGTH])
    head, tail = json.loads(answer.content[:cut]), answer.content[cut:]
    assert [t["parameters"]["binary_data_size"] for t in (head["outputs"][0], head["outputs"][2])] == [72, 18]
    assert np.frombuffer(tail[:72], "<f8").reshape(3, 3).tolist() == expected["attribution"].tolist()
    assert tail[72:] == b"\x02\x00\x00\x00ok" * 3
    assert head["outputs"][1]["data"] == expected["prediction"].ravel().tolist()
    every = served.http.post(INFER, json={"inputs": [matrix()], "parameters": {"binary_data_output": True}})
    cut = int(every.headers[LENGTH])
    assert all("data" not in t for t in json.loads(every.content[:cut])["outputs"])


def test_a_bad_row_is_null_with_its_status_and_leaves_the_others_alone(served):
    bad = X.copy()
    bad[1, 0] = -5  # physically impossible
    answer = asked(served, inputs=[matrix(bad)])
    found = tensors(answer)
    assert found["status"].ravel().tolist() == ["ok", "invalid", "ok"]
    assert found["attribution"][1].tolist() == [None, None, None]
    good = tensors(asked(served))
    for name in ("prediction", "attribution", "stderr"):
        assert found[name][[0, 2]].tolist() == good[name][[0, 2]].tolist()
    raw = bad.copy()
    raw[1, 0] = np.nan
    given = {"name": "x", "shape": [3, 3], "datatype": "FP64", "parameters": {"binary_data_size": 72}}
    by_bytes = served.http.post(INFER, **binary([given], raw.tobytes())).json()
    assert tensors(by_bytes)["attribution"].tolist() == found["attribution"].tolist()
    none = served.http.post(INFER, json={"inputs": [matrix(bad[1:2])]})
    assert (none.status_code, none.json()["errors"][0]["field"]) == (400, "feature_vector[0]")


def test_ids_are_given_back(served):
    assert asked(served, id="abc-7")["id"] == "abc-7"
    assert len(asked(served)["id"]) == 32
    answer = served.http.post(INFER, json={"inputs": [matrix()], "id": "a b"})
    assert (answer.status_code, "id:" in answer.json()["error"]) == (400, True)


def test_parameters_are_heard_as_numbers_and_as_text(served):
    said = asked(
        served, parameters={"budget": "8", "samples": 4, "tier": "accurate", "priority": 1, "allow_lower_tier": "true"}
    )["parameters"]
    assert (said["budget"], said["tier"], said["unit"]) == (8, "accurate", "W")
    assert said == asked(served, parameters={"budget": 8, "samples": "4", "tier": "accurate"})["parameters"]


def test_a_timeout_in_microseconds_is_kept(served):
    answer = served.http.post(INFER, json={"inputs": [matrix()], "parameters": {"timeout": 1}})
    assert (answer.status_code, answer.json()["code"]) == (504, "deadline")
    assert asked(served, parameters={"timeout": 60_000_000})["outputs"]


PARAMETERS = [
    ({"colour": "red"}, 400, "unknown parameter 'colour'"),
    ({"seed": True}, 400, "seed is a whole number"),
    ({"seed": 1.5}, 400, "seed is a whole number"),
    ({"seed": 1 << 70}, 400, "seed is a whole number"),
    ({"seed": -1}, 400, "seed is -1"),
    ({"budget": 257}, 413, "limit of this server is 256"),
    ({"tier": 3}, 400, "tier is a text"),
    ({"tier": "swift"}, 400, "unknown tier"),
    ({"target_stderr": "nan"}, 400, "finite number"),
    ({"timeout": -1}, 400, "microseconds"),
    ({"priority": -1}, 400, "priority"),
    ({"binary_data_output": 1}, 400, "true or false"),
    ({"seed": [1]}, 400, "cannot be read"),
    ({"seed": None}, 400, "cannot be read"),
]


@pytest.mark.parametrize(("parameters", "status", "text"), PARAMETERS)
def test_parameters_that_cannot_be_used(served, parameters, status, text):
    answer = served.http.post(INFER, json={"inputs": [matrix()], "parameters": parameters})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert text in answer.json()["error"]


TENSORS = [
    ({"shape": [-3, -3]}, 400, "sizes are 0 to"),
    ({"shape": [1 << 63, 2]}, 400, "sizes are 0 to"),
    ({"shape": [1 << 62, 1 << 62]}, 400, "elements, not 9"),
    ({"shape": [10**30, 1]}, 400, "sizes are 0 to"),
    ({"shape": [(1 << 63) - 1, 0], "data": []}, 400, "no elements"),
    ({"shape": [3, 2]}, 400, "has 6 elements, not 9"),
    ({"shape": [3, 3, 1]}, 400, "3 axes"),
    ({"shape": []}, 400, "0 axes"),
    ({"shape": [9]}, 413, "9 rows"),
    ({"shape": [0, 3], "data": []}, 400, "no rows"),
    ({"shape": [9, 1]}, 413, "9 rows"),
    ({"shape": [3.0, 3]}, 400, "Expected `int`"),
    ({"shape": [1, 9]}, 400, "9 values without names"),
    ({"datatype": "BOOL"}, 400, "features are numbers"),
    ({"datatype": "BYTES"}, 400, "features are numbers"),
    ({"datatype": "BF16"}, 400, "has datatype 'BF16'"),
    ({"datatype": "FP16"}, 400, "FP16 in JSON"),
    ({"datatype": "INT8"}, 400, "cannot be read as INT8"),
    ({"datatype": "INT8", "data": [300] * 9}, 400, "no INT8"),
    ({"datatype": "UINT8", "data": [-1] * 9}, 400, "no UINT8"),
    ({"data": [True] * 9}, 400, "cannot be read"),
    ({"data": ["1"] * 9}, 400, "cannot be read"),
    ({"data": [None] * 9}, 400, "cannot be read"),
    ({"data": [[1, 2, 3], [4, 5, 6], [7, 8]]}, 400, "nested otherwise"),
    ({"data": [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]}, 400, "two levels"),
    ({"data": {"a": 1}}, 400, "cannot be read"),
    ({"name": "y"}, 400, "all features together are named 'x'"),
    ({"parameters": {"binary_data_size": 72}}, 400, LENGTH),
    ({"parameters": {"shared_memory_region": "r"}}, 400, "no shared memory"),
    ({"colour": 1}, 400, "unknown field"),
]


@pytest.mark.parametrize(("change", "status", "text"), TENSORS)
def test_tensors_that_cannot_be_used(served, change, status, text):
    answer = served.http.post(INFER, json={"inputs": [matrix() | change]})
    assert answer.status_code == status, answer.text
    assert text in answer.json()["error"]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", "cannot be read"),
        (b"[" * 30_000, "cannot be read"),
        (b'{"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [NaN, 1, 2]}]}', "no NaN"),
        (b'{"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [1e999, 1, 2]}]}', "out of range"),
        (b'{"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": ' + b"[" * 9000 + b"]" * 9000 + b"}]}",
         "read"),
        (b'{"inputs": []}', "inputs is empty"),
        (b'{"inputs": {}}', "cannot be read"),
        (b'{"inputs": [], "outputs": [{"name": "magic"}]}', "no output 'magic'"),
        (b'{"inputs": [], "outputs": [{"name": "stderr"}, {"name": "stderr"}]}', "asked for twice"),
        (b'{"inputs": [], "outputs": [{"name": "stderr", "parameters": {"classification": 2}}]}', "only parameter"),
        (b"\xff\x00", "cannot be read"),
    ],
)  # fmt: skip
def test_malformed_bodies(served, raw, text):
    answer = served.http.post(INFER, content=raw, headers={"content-type": "application/json"})
    assert answer.status_code == 400
    assert text in answer.json()["error"]


@pytest.mark.parametrize("header", ["0", "-1", "9999999", "1e3", "", "x", "9" * 4000, "\uff11\uff12"])
def test_a_wrong_length_of_the_json_part(served, header):
    given = {"name": "x", "shape": [3, 3], "datatype": "FP64", "parameters": {"binary_data_size": 72}}
    send = binary([given], X.tobytes(), header)
    send["headers"] = {name.encode(): value.encode() for name, value in send["headers"].items()}
    assert served.http.post(INFER, **send).status_code == 400


@pytest.mark.parametrize(
    ("size", "tail", "text"),
    [
        (72, 71, "not within the 71"),
        (71, 71, "has 72 bytes, not 71"),
        (72, 73, "1 bytes after"),
        (-1, 72, "not within"),
        (1 << 80, 72, "not within"),
        (True, 72, "not within"),
        ("72", 72, "not within"),
    ],
)
def test_a_wrong_size_of_a_binary_tensor(served, size, tail, text):
    given = {"name": "x", "shape": [3, 3], "datatype": "FP64", "parameters": {"binary_data_size": size}}
    answer = served.http.post(INFER, **binary([given], bytes(tail)))
    assert answer.status_code == 400
    assert text in answer.json()["error"]


def test_metadata_names_tensors_features_and_units(served):
    paths = [f"/v2/models/{tiny.NAME}", f"/v2/models/{tiny.NAME}/versions/{served.version}"]
    one, two = (served.http.get(path).json() for path in paths)
    assert one == two
    assert (one["name"], one["versions"], one["platform"]) == (tiny.NAME, [served.version], "onnx_onnxv1")
    assert one["inputs"] == [{"name": "x", "datatype": "FP64", "shape": [-1, 3]}]
    assert {t["name"]: t["shape"] for t in one["outputs"]}["attribution"] == [-1, 3]
    assert json.loads(one["properties"]["feature_names"]) == list(tiny.ROW)
    assert one["properties"]["unit"] == "W"


def test_versioned_paths_answer_for_what_is_served_only(served):
    at = f"/v2/models/{tiny.NAME}/versions/{served.version}"
    assert asked(served, at + "/infer")["outputs"] == asked(served)["outputs"]
    assert served.http.get(at + "/ready").json() == {"name": tiny.NAME, "ready": True}
    assert served.http.get(f"/v2/models/{tiny.NAME}/ready").json()["ready"] is True
    for path in ("", "/ready", "/infer"):
        for name in (f"{tiny.NAME}/versions/1", "other"):
            verb = served.http.post if path == "/infer" else served.http.get
            more = {"json": {"inputs": [matrix()]}} if path == "/infer" else {}
            answer = verb(f"/v2/models/{name}{path}", **more)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), path


def test_what_is_served_is_listed(served):
    assert served.http.get("/v2/models").json() == {"models": [tiny.NAME]}
    row = {"name": tiny.NAME, "version": served.version, "state": "READY", "reason": ""}
    for send in ({}, {"json": {}}, {"json": {"ready": True}}):
        assert served.http.post("/v2/repository/index", **send).json() == [row]
    assert served.http.post("/v2/repository/index", json={"ready": 1}).status_code == 400
    assert "binary_tensor_data" in served.http.get("/v2").json()["extensions"]
