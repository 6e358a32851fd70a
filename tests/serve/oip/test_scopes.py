"""A key's scopes hold in other people's protocols too: what an output needs is what its caller must be allowed."""

from __future__ import annotations

from collections.abc import Iterator

import grpc
import numpy as np
import pyarrow as pa
import pytest

from ascribe.serve.access.keys import line, new_key
from ascribe.serve.wire import open_inference_pb2 as pb
from ascribe.serve.wire.open_inference_pb2_grpc import GRPCInferenceServiceStub

from .. import tiny
from ..asking import Doors, doors
from ..test_arrow import MEDIA, stream
from .test_rest import INFER, matrix
from .test_rpc import request

SCOPES = {"predictor": ["predict"], "explainer": ["explain"], "operator": ["admin"]}
GIVEN = {name: new_key() for name in SCOPES}
TABLE = stream(pa.table({name: np.array([value]) for name, value in tiny.ROW.items()}))


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    folder = tmp_path_factory.mktemp("scopes")
    keys = folder / "keys.toml"
    keys.write_text("\n".join(line(name, GIVEN[name], SCOPES[name]) for name in SCOPES))
    with doors(folder, api_keys=keys) as found:
        yield found


@pytest.mark.parametrize(
    ("name", "may"), [("predictor", (200, 403)), ("explainer", (403, 200)), ("operator", (403, 403))]
)
def test_scopes_hold_for_each_output_and_verb(asked, name, may):
    key = {"x-api-key": GIVEN[name]}
    for output, wanted in zip(("prediction", "attribution"), may, strict=True):
        body = {"inputs": [matrix()], "outputs": [{"name": output}]}
        assert asked.http.post(INFER, json=body, headers=key).status_code == wanted
        ask = GRPCInferenceServiceStub(asked.channel).ModelInfer.with_call
        try:
            ask(request(outputs=(output,)), metadata=list(key.items()))
            code = 200
        except grpc.RpcError as exc:
            code = {grpc.StatusCode.PERMISSION_DENIED: 403}.get(exc.code(), 0)
        assert code == wanted
    for verb, wanted in zip(("predict", "explain"), may, strict=True):
        body = {"instances": [list(tiny.ROW.values())]}
        assert asked.http.post(f"/v1/models/{tiny.NAME}:{verb}", json=body, headers=key).status_code == wanted
    for path, wanted in zip(("/v1/predictions", "/v1/attributions"), may, strict=True):
        assert asked.http.post(path, content=TABLE, headers=MEDIA | key).status_code == wanted


def test_nobody_comes_in_without_a_key(asked):
    for path in (INFER, f"/v1/models/{tiny.NAME}:explain", "/v2/repository/index"):
        assert asked.http.post(path, json={}).status_code == 401
    for path in ("/v2", f"/v2/models/{tiny.NAME}", "/openapi.json", "/docs"):
        assert asked.http.get(path).status_code == 401
    with pytest.raises(grpc.RpcError) as caught:
        GRPCInferenceServiceStub(asked.channel).ServerMetadata(pb.ServerMetadataRequest())
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
