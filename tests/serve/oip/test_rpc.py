"""The Open Inference Protocol over gRPC: the same tensors, the same faults as over HTTP."""

from __future__ import annotations

import struct
from typing import Any

import grpc
import numpy as np
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from ascribe.serve.wire import open_inference_pb2 as pb
from ascribe.serve.wire.open_inference_pb2_grpc import GRPCInferenceServiceStub

from .. import tiny
from ..conftest import Served
from .test_rest import INFER, X, matrix

Input, Output = pb.ModelInferRequest.InferInputTensor, pb.ModelInferRequest.InferRequestedOutputTensor
Parameter = pb.InferParameter


def stub(served: Served) -> GRPCInferenceServiceStub:
    return GRPCInferenceServiceStub(served.channel)


def typed(X: np.ndarray = X, **change: Any) -> Input:
    words = {"name": "x", "shape": X.shape, "datatype": "FP64"}
    return Input(**words | {"contents": pb.InferTensorContents(fp64_contents=X.ravel())} | change)


def request(*inputs: Input, outputs: tuple[str, ...] = (), **fields: Any) -> pb.ModelInferRequest:
    wanted = [Output(name=name) for name in outputs]
    return pb.ModelInferRequest(model_name=tiny.NAME, inputs=inputs or [typed()], outputs=wanted, **fields)


def raw_request(array: np.ndarray, datatype: str = "FP64", **fields: Any) -> pb.ModelInferRequest:
    given = Input(name="x", shape=array.shape, datatype=datatype)
    return request(given, raw_input_contents=[array.tobytes()], **fields)


def tensors(answer: pb.ModelInferResponse) -> dict[str, Any]:
    """Numbers by name, from typed or raw contents."""
    found: dict[str, Any] = {}
    for k, out in enumerate(answer.outputs):
        if out.datatype == "BYTES":
            found[out.name] = list(out.contents.bytes_contents) or texts(answer.raw_output_contents[k])
        else:
            raw = answer.raw_output_contents
            flat = np.frombuffer(raw[k], "<f8") if raw else np.array(out.contents.fp64_contents)
            found[out.name] = flat.reshape(list(out.shape))
    return found


def texts(raw: bytes) -> list[bytes]:
    found = []
    while raw:
        (size,) = struct.unpack_from("<I", raw)
        found.append(raw[4 : 4 + size])
        raw = raw[4 + size :]
    return found


@pytest.mark.parametrize("form", ["typed", "raw", "features"])
def test_it_agrees_with_http_bit_for_bit(served, form):
    seed = {"seed": Parameter(int64_param=3)}
    columns = [typed(c, name=n) for n, c in zip(tiny.ROW, X.T, strict=True)]
    asked = {
        "typed": request(parameters=seed, id="own"),
        "raw": raw_request(X, parameters=seed, id="own"),
        "features": request(*columns[::-1], parameters=seed, id="own"),
    }[form]
    told = stub(served).ModelInfer(asked)
    body = {"inputs": [matrix()], "parameters": {"seed": 3}, "id": "own"}
    by_http = served.http.post(INFER, json=body).json()
    assert (told.model_name, told.model_version, told.id) == (tiny.NAME, served.version, "own")
    found = tensors(told)
    assert list(found) == [t["name"] for t in by_http["outputs"]]
    for tensor in by_http["outputs"]:
        if tensor["name"] == "status":
            assert found["status"] == [word.encode() for word in tensor["data"]]
        else:
            assert found[tensor["name"]].ravel().tolist() == tensor["data"]
            assert list(found[tensor["name"]].shape) == tensor["shape"]
    said = {name: getattr(p, p.WhichOneof("parameter_choice")) for name, p in told.parameters.items()}
    assert said == by_http["parameters"]
    assert bool(told.raw_output_contents) == (form == "raw")


def test_prediction_alone_asks_no_explainer(plain):
    told = stub(plain).ModelInfer(request(outputs=("prediction",)))
    assert tensors(told)["prediction"][:, 0] == pytest.approx(tiny.BIAS + X @ tiny.WEIGHTS)
    with pytest.raises(grpc.RpcError) as caught:
        stub(plain).ModelInfer(request(outputs=("stderr",)))
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION


@pytest.mark.parametrize(
    ("datatype", "code", "field"),
    [
        ("INT8", "<i1", "int_contents"),
        ("INT64", "<i8", "int64_contents"),
        ("UINT16", "<u2", "uint_contents"),
        ("UINT64", "<u8", "uint64_contents"),
        ("FP32", "<f4", "fp32_contents"),
        ("FP16", "<f2", ""),
    ],
)
def test_every_datatype_has_its_field_and_its_bytes(served, datatype, code, field):
    held = np.array([[1, 3, 11], [0, 2, 7]]).astype(code)
    by_bytes = tensors(stub(served).ModelInfer(raw_request(held, datatype)))["attribution"].tolist()
    expected = tensors(stub(served).ModelInfer(raw_request(held.astype(float))))["attribution"].tolist()
    assert by_bytes == expected
    if field:
        given = typed(held, datatype=datatype, contents=pb.InferTensorContents(**{field: held.ravel().tolist()}))
        assert tensors(stub(served).ModelInfer(request(given)))["attribution"].tolist() == expected


def test_a_bad_row_is_not_a_number_and_leaves_the_others_alone(served):
    bad = X.copy()
    bad[1, 0] = np.nan
    found, good = (tensors(stub(served).ModelInfer(raw_request(rows))) for rows in (bad, X))
    assert found["status"] == [b"ok", b"invalid", b"ok"]
    assert np.isnan(found["attribution"][1]).all()
    assert found["attribution"][[0, 2]].tolist() == good["attribution"][[0, 2]].tolist()


CONTENTS = pb.InferTensorContents
REFUSED = [
    (request(typed(shape=[-3, -3])), "sizes are 0 to"),
    (request(typed(shape=[(1 << 63) - 1, 0], contents=CONTENTS())), "no elements"),
    (request(typed(shape=[1 << 62, 1 << 62])), "elements, not 9"),
    (request(typed(shape=[])), "0 axes"),
    (request(typed(shape=[0, 3], contents=CONTENTS())), "no rows"),
    (request(typed(shape=[2, 3])), "has 6 elements, not 9"),
    (request(typed(shape=[9, 1])), "9 rows"),
    (request(typed(contents=CONTENTS())), "has 9 elements, not 0"),
    (request(typed(datatype="BOOL")), "features are numbers"),
    (request(typed(datatype="BYTES")), "features are numbers"),
    (request(typed(datatype="BF16")), "has datatype 'BF16'"),
    (request(typed(datatype="")), "has datatype ''"),
    (request(typed(datatype="FP16")), "no typed contents"),
    (request(typed(datatype="FP32")), "fill fp32_contents, not fp64_contents"),
    (request(typed(datatype="INT8", contents=CONTENTS(int_contents=[300] * 9))), "no INT8"),
    (request(typed(name="y")), "all features together are named 'x'"),
    (request(typed(), raw_input_contents=[X.tobytes()]), "contents beside raw_input_contents"),
    (request(typed(contents=None), raw_input_contents=[X.tobytes()] * 2), "2 raw_input_contents for 1 inputs"),
    (request(typed(contents=None), raw_input_contents=[X.tobytes()[:-1]]), "has 72 bytes, not 71"),
    (request(outputs=("magic",)), "no output 'magic'"),
    (request(parameters={"colour": Parameter(int64_param=1)}), "unknown parameter 'colour'"),
    (request(parameters={"seed": Parameter()}), "has no value"),
    (request(parameters={"seed": Parameter(double_param=1.5)}), "whole number"),
    (request(parameters={"binary_data_output": Parameter(string_param="yes")}), "true or false"),
    (request(id="a b"), "id: use letters"),
    (pb.ModelInferRequest(model_name=tiny.NAME), "inputs is empty"),
]


@pytest.mark.parametrize(("asked", "text"), REFUSED)
def test_what_cannot_be_used_is_an_invalid_argument(served, asked, text):
    with pytest.raises(grpc.RpcError) as caught:
        stub(served).ModelInfer(asked)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert text in caught.value.details()


def test_faults_have_details_and_deadlines_are_kept(served):
    with pytest.raises(grpc.RpcError) as caught:
        stub(served).ModelInfer(pb.ModelInferRequest(model_name="other", inputs=[typed()]))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND
    named = error_details_pb2.ResourceInfo()
    assert any(box.Unpack(named) for box in rpc_status.from_call(caught.value).details)
    assert named.resource_name == "other"
    with pytest.raises(grpc.RpcError) as caught:
        stub(served).ModelInfer(request(parameters={"timeout": Parameter(int64_param=1)}), timeout=60)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    codes = set()
    for _ in range(20):  # now and then an answer is quicker than the clock that ends it
        try:
            stub(served).ModelInfer(request(), timeout=1e-6)
        except grpc.RpcError as exc:
            codes.add(exc.code())
    assert codes == {grpc.StatusCode.DEADLINE_EXCEEDED}


def test_server_and_model_say_the_same_as_over_http(served):
    ask = stub(served)
    assert ask.ServerLive(pb.ServerLiveRequest()).live
    assert ask.ServerReady(pb.ServerReadyRequest()).ready
    assert ask.ModelReady(pb.ModelReadyRequest(name=tiny.NAME, version=served.version)).ready
    server, by_http = ask.ServerMetadata(pb.ServerMetadataRequest()), served.http.get("/v2").json()
    assert {"name": server.name, "version": server.version, "extensions": list(server.extensions)} == by_http
    told = ask.ModelMetadata(pb.ModelMetadataRequest(name=tiny.NAME))
    card = served.http.get(f"/v2/models/{tiny.NAME}").json()
    assert (told.name, list(told.versions), told.platform) == (card["name"], card["versions"], card["platform"])
    for field in ("inputs", "outputs"):
        held = [{"name": t.name, "datatype": t.datatype, "shape": list(t.shape)} for t in getattr(told, field)]
        assert held == card[field]
    assert dict(told.properties) == card["properties"]
    (row,) = ask.RepositoryIndex(pb.RepositoryIndexRequest(ready=True)).models
    assert (row.name, row.version, row.state) == (tiny.NAME, served.version, "READY")


@pytest.mark.parametrize("name", ["ModelReady", "ModelMetadata"])
@pytest.mark.parametrize("who", [{"name": "other"}, {"name": tiny.NAME, "version": "1"}])
def test_what_is_not_served_is_not_found(served, name, who):
    with pytest.raises(grpc.RpcError) as caught:
        getattr(stub(served), name)(getattr(pb, name + "Request")(**who))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    "method", ["inference.GRPCInferenceService/ModelInfer", "attribution.v1.AttributionService/GetEnergy"]
)
@pytest.mark.parametrize("raw", [b"\xff\xff\xff", b"\x0a\x03\xff\xfe\xfd", b"\x2a\x7f"])
def test_bytes_that_are_no_message_are_the_callers_fault(served, method, raw):
    with pytest.raises(grpc.RpcError) as caught:
        served.channel.unary_unary(f"/{method}")(raw)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "cannot be read" in caught.value.details()
