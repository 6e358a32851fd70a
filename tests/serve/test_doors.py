"""Both doors, over sockets: the same numbers, the same words."""

from __future__ import annotations

import json
import math
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import msgspec
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_status import rpc_status

from ascribe.serve.wire import attribution_pb2 as pb

from . import tiny
from .conftest import Served

ROWS = [
    {"id": "a", "values": tiny.ROW, "measured_w": 101.5},
    {"id": "b", "names": ["misses", "busy", "ghz"], "values": [3.25, 0.1, 1.7], "units": ["1/s", "1", "GHz"]},
    {"values": [0.7, 3.1, 11]},
]
BAD = {"id": "bad", "values": [0.7, None, 11]}


def rest(served: Served, rows: Any = ROWS, path: str = "/v1/attributions", **fields: Any) -> dict[str, Any]:
    answer = served.http.post(path, json={"feature_vector": rows, **fields})
    assert answer.status_code == 200, answer.text
    return answer.json()


def vector(row: dict[str, Any]) -> pb.FeatureVector:
    row = dict(row)
    if isinstance(row["values"], dict):
        row["names"], row["values"] = list(row["values"]), list(row["values"].values())
    return pb.FeatureVector(**row)


def request(rows: Any = ROWS, **fields: Any) -> pb.AttributionRequest:
    return pb.AttributionRequest(feature_vector=[vector(row) for row in rows], **fields)


def as_json(message: Any) -> Any:
    """A message as the JSON that REST sends: absent numbers are null, times are left out."""
    out = {}
    for field in message.DESCRIPTOR.fields:
        value = getattr(message, field.name)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            out[field.name] = dict(value)
        elif field.message_type is not None:
            out[field.name] = [as_json(item) for item in value]
        elif field.is_repeated:
            out[field.name] = list(value)
        else:
            out[field.name] = value if not field.has_presence or message.HasField(field.name) else None
    out.pop("timings_ms", None)
    return out


PERTURBED = ["permutation_shap", "lime", "occlusion"]


@pytest.mark.parametrize("method", ["conditional_shap", "kernel_shap", *PERTURBED])
@pytest.mark.parametrize("options", [{}, {"estimator": "permutation", "budget": 30, "samples": 48, "seed": 7}])
def test_both_doors_give_the_same_bits(served, method, options):
    by_rest = rest(served, method=method, request_id="same", **options)
    by_rpc = served.stub.GetAttribution(request(method=method, request_id="same", **options))
    assert set(by_rest.pop("timings_ms")) == set(by_rpc.timings_ms) == {"queue", "check", "explain", "total"}
    assert as_json(by_rpc) == by_rest  # floats compared exactly


def test_groups_and_energy_agree_too(served):
    groups = {"core": ["busy", "ghz"]}
    by_rest = rest(served, groups=groups, request_id="g")
    assert by_rest["features"] == ["core", "misses"]
    by_rest.pop("timings_ms")
    by_rpc = served.stub.GetAttribution(request(groups={"core": pb.Names(names=groups["core"])}, request_id="g"))
    assert as_json(by_rpc) == by_rest

    observed = [["ghz"], [], ["busy", "ghz", "misses"]]
    by_rest = rest(served, [ROWS[0], BAD], "/v1/energy", observed=observed, request_id="e")
    by_rest.pop("timings_ms")
    bad = {"id": "bad", "values": [0.7, math.nan, 11]}
    by_rpc = as_json(
        served.stub.GetEnergy(
            pb.EnergyRequest(
                feature_vector=[vector(ROWS[0]), vector(bad)],
                observed=[pb.Names(names=names) for names in observed],
                request_id="e",
            )
        )
    )
    for row in (by_rest["energies"][1], by_rpc["energies"][1]):
        assert row.pop("reason").startswith("ghz is")  # null there, NaN here
        assert row["status"] == "invalid"
        assert row["coalitions"] == []
    assert by_rpc == by_rest


def test_energy_of_the_tiny_proposal(served):
    one = rest(served, ROWS[0], "/v1/energy", observed=["busy"])["energies"][0]["coalitions"][0]
    assert one["observed"] == ["busy"]
    assert one["g"] == -one["log_q"]  # no energy network: the tilt is 0
    pi = 1 / (1 + math.exp(-1))  # logits 0, -1
    assert one["mean"] == pytest.approx({"ghz": -0.5 * (1 - pi), "misses": 0.2 * (1 - pi)}, rel=1e-5)
    assert one["mean_natural"]["ghz"] == pytest.approx(2 + 0.4 * one["mean"]["ghz"], rel=1e-5)
    assert set(one["variance"]) == {"ghz", "misses"}
    whole = rest(served, ROWS[0], "/v1/energy", observed=[list(tiny.ROW)])["energies"][0]["coalitions"][0]
    assert whole["g"] == pytest.approx(0, abs=1e-6)  # nothing is hidden: the density of nothing is 1
    assert whole["mean"] == {}


def test_shares_add_up_and_watts_are_conserved(served):
    answer = rest(served)
    for row in answer["attributions"]:
        total = sum(row["attribution_shares"].values())
        assert total + row["base_value"] == pytest.approx(row["prediction"], abs=1e-9)
        assert sum(row["fraction"].values()) + row["base_fraction"] == pytest.approx(1, abs=1e-12)
        assert list(row["attribution_shares"]) == answer["features"] == list(tiny.ROW)
    first = answer["attributions"][0]
    assert first["prediction"] == pytest.approx(40 + 30 * 0.6 + 8 * 2.5 + 2 * 9)
    total = sum(first["attribution_shares"].values()) + first["base_value"] + first["unexplained_w"]
    assert total == pytest.approx(first["measured_w"], abs=1e-9)
    assert answer["attributions"][1]["measured_w"] is None
    assert answer["efficiency_gap"] < 1e-9
    assert (answer["unit"], answer["version"], answer["game"]) == ("W", served.version, "conditional")


def test_the_same_seed_gives_the_same_bits_alone_and_among_others(served):
    together = rest(served, seed=3)["attributions"]
    assert rest(served, seed=3)["attributions"] == together
    assert [rest(served, row, seed=3)["attributions"][0] for row in ROWS] == together
    assert rest(served, seed=4)["attributions"] != together


def test_many_callers_at_once_each_get_their_own(served):
    def ask(k: int) -> Any:
        row = {"id": str(k), "values": [0.5, 1.5 + k / 20, 9]}
        by_rest = rest(served, row, seed=1)["attributions"][0]
        by_rpc = as_json(served.stub.GetAttribution(request([row], seed=1)))["attributions"][0]
        return by_rest, by_rpc

    alone = [ask(k) for k in range(12)]
    with ThreadPoolExecutor(12) as threads:
        assert list(threads.map(ask, range(12))) == alone
    assert all(by_rest == by_rpc for by_rest, by_rpc in alone)
    assert [by_rest["id"] for by_rest, _ in alone] == [str(k) for k in range(12)]


def test_one_bad_row_among_good_ones(served):
    alone, mixed = rest(served)["attributions"], rest(served, [ROWS[0], BAD, *ROWS[1:]])["attributions"]
    bad = mixed.pop(1)
    assert mixed == alone
    assert (bad["id"], bad["status"]) == ("bad", "invalid")
    assert bad["reason"].startswith("ghz is null")
    assert bad["attribution_shares"] == bad["fraction"] == bad["stderr"] == {}
    assert bad["prediction"] is bad["base_value"] is bad["ess"] is bad["base_fraction"] is None


def test_a_value_beyond_training_is_answered_and_marked(served):
    (row,) = rest(served, {"values": [0.6, 6.0, 9]})["attributions"]
    assert row["status"] == "out_of_domain"
    assert "ghz" in row["reason"]
    assert len(row["attribution_shares"]) == 3


FAULTS = [
    ({"model": "other"}, 404, "not_found", "NOT_FOUND", "this server serves node-power@production"),
    ({"model": "node-power@canary"}, 404, "not_found", "NOT_FOUND", "canary"),
    ({"version": "1"}, 404, "not_found", "NOT_FOUND", "no version '1'"),
    ({"method": "magic"}, 400, "invalid_input", "INVALID_ARGUMENT", "unknown method 'magic'"),
    ({"method": "lime", "tier": "exact"}, 400, "invalid_input", "INVALID_ARGUMENT", "a method or a tier, not both"),
    ({"method": "lime", "max_latency_ms": 1e9}, 400, "invalid_input", "INVALID_ARGUMENT", "or a max_latency_ms, not"),
    ({"estimator": "magic"}, 400, "invalid_input", "INVALID_ARGUMENT", "unknown estimator"),
    ({"seed": -1}, 400, "invalid_input", "INVALID_ARGUMENT", "seed is -1"),
    ({"samples": 1}, 400, "invalid_input", "INVALID_ARGUMENT", "samples is 1"),
    ({"budget": 257}, 413, "too_large", "INVALID_ARGUMENT", "limit of this server is 256"),
    ({"samples": 4097}, 413, "too_large", "INVALID_ARGUMENT", "limit of this server is 4096"),
    ({"estimator": "exact", "budget": 4}, 400, "invalid_input", "INVALID_ARGUMENT", "exact needs 8 coalitions"),
    ({"request_id": "a b"}, 400, "invalid_input", "INVALID_ARGUMENT", "request_id"),
]


@pytest.mark.parametrize(("fields", "status", "code", "word", "text"), FAULTS)
def test_faults_are_the_same_at_both_doors(served, fields, status, code, word, text):
    answer = served.http.post("/v1/attributions", json={"feature_vector": ROWS, **fields})
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    body = answer.json()
    assert (body["status"], body["code"], body["detail"]) == (status, code, body["error"])
    assert body["request_id"] == answer.headers["x-request-id"]
    assert text in body["detail"]
    with pytest.raises(grpc.RpcError) as caught:
        served.stub.GetAttribution(request(**fields))
    assert caught.value.code().name == word
    assert caught.value.details() == body["detail"]
    info = details(caught.value)["ErrorInfo"]
    assert (info.reason, info.domain) == (code.upper(), "ascribe")


def details(error: Any) -> dict[str, Any]:
    """The typed details of a rich status by name."""
    out = {}
    for box in rpc_status.from_call(error).details:
        name = box.type_url.rsplit(".", 1)[-1]
        out[name] = getattr(error_details_pb2, name)()
        box.Unpack(out[name])
    return out


def test_details_name_the_resource_and_the_rows(served):
    with pytest.raises(grpc.RpcError) as caught:
        served.stub.GetAttribution(request(model="other"))
    assert details(caught.value)["ResourceInfo"].resource_name == "other"

    rows = [{"id": "x", "values": [0.6, math.nan, 9]}, {"names": ["busy"], "values": [1]}]
    with pytest.raises(grpc.RpcError) as caught:
        served.stub.GetAttribution(request(rows))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    by_rpc = [(v.field, v.description) for v in details(caught.value)["BadRequest"].field_violations]
    rows[0]["values"][1] = "NaN"
    answer = served.http.post("/v1/attributions", json={"feature_vector": rows})
    assert answer.status_code == 400
    by_rest = [(e["field"], e["reason"]) for e in answer.json()["errors"]]
    assert (
        [field for field, _ in by_rest] == [field for field, _ in by_rpc] == ["feature_vector[0]", "feature_vector[1]"]
    )
    assert by_rest[1] == by_rpc[1]
    assert (by_rest[0][1], by_rpc[0][1]) == ("ghz is text, not a number", "ghz is not a finite number")


def test_many_bad_rows_still_fit_a_status(plain):
    rows = [{"names": ["x" * 50] * 3, "values": [1, 2, 3]} for _ in range(500)]
    with pytest.raises(grpc.RpcError) as caught:
        plain.stub.GetAttribution(request(rows, method="kernel_shap"))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert 1 < len(details(caught.value)["BadRequest"].field_violations) < 500
    answer = plain.http.post("/v1/attributions", json={"feature_vector": rows, "method": "kernel_shap"})
    assert len(answer.json()["errors"]) == 100


@pytest.mark.parametrize("rows", [ROWS * 3, []])
def test_too_many_rows_and_none(served, rows):
    answer = served.http.post("/v1/attributions", json={"feature_vector": rows})
    assert answer.status_code == (413 if rows else 400)
    with pytest.raises(grpc.RpcError) as caught:
        served.stub.GetAttribution(request(rows))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == answer.json()["detail"]


@pytest.mark.parametrize("chunked", [False, True])
def test_too_large_a_body(served, chunked):
    raw = msgspec.json.encode({"feature_vector": ROWS, "model": "x" * 100_000})
    answer = served.http.post(
        "/v1/attributions",
        content=(raw[k : k + 8192] for k in range(0, len(raw), 8192)) if chunked else raw,
        headers={"content-type": "application/json"},
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    with pytest.raises(grpc.RpcError) as caught:
        served.stub.GetAttribution(request(model="x" * 100_000))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"", "cannot be read"),
        (b"{", "cannot be read"),
        (b"[]", "Expected `object`"),
        (b'{"feature_vector": [{"values": [NaN, 1, 2]}]}', "JSON has no NaN"),
        (b'{"feature_vector": [{"values": [1, 2, 3]}], "colour": 1}', "unknown field `colour`"),
        (b'{"feature_vector": [{"values": [1, 2, 3]}], "budget": "9"}', "Expected `int"),
        (b'{"model": "node-power"}', "missing required field `feature_vector`"),
        (b'{"feature_vector": ' + b"[" * 30_000, "cannot be read"),
        (b'{"feature_vector": [{"values": ' + b"[" * 9000 + b"]" * 9000 + b"}]}", "nested too deeply"),
        (b'{"feature_vector": [{"values": [1, 2, 3], "id": "\xff"}]}', "cannot be read"),
        (b"\x00\x00", "cannot be read"),
    ],
)
def test_malformed_bodies(served, raw, text):
    answer = served.http.post("/v1/attributions", content=raw, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    assert text in answer.json()["detail"]
    assert "Traceback" not in answer.text


def test_other_media_paths_and_verbs(served):
    assert served.http.post("/v1/attributions", content=b"a=b", headers={"content-type": "text/xml"}).status_code == 415
    zipped = {"content-type": "application/json", "content-encoding": "br"}
    assert served.http.post("/v1/attributions", content=b"{}", headers=zipped).status_code == 415
    for path, status in (("/nowhere", 404), ("/v1/attributions", 405)):
        answer = served.http.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_request_ids(served):
    def posted(header: str, **fields: str) -> Any:
        return served.http.post(
            "/v1/attributions", json={"feature_vector": ROWS, **fields}, headers={"x-request-id": header}
        )

    assert posted("abc-1").json()["request_id"] == posted("abc-1").headers["x-request-id"] == "abc-1"
    assert posted("abc-1", request_id="own").json()["request_id"] == "own"
    assert len(posted("a b;c").json()["request_id"]) == 32  # not echoed: a new one
    assert len(served.stub.GetAttribution(request()).request_id) == 32


def test_a_local_model_has_a_base_of_each_row(served):
    rows = [{"values": [0.4, 2.0, 30.0]}, {"values": [0.9, 1.0, 5.0]}]
    one, two = rest(served, rows, method="lime", budget=200)["attributions"]
    alone = rest(served, rows[1:], method="lime", budget=200)
    assert two["base_value"] == alone["base_value"] == alone["attributions"][0]["base_value"]
    for row in (one, two):
        left = row["prediction"] - row["base_value"] - sum(row["attribution_shares"].values())
        assert row["base_fraction"] == pytest.approx(row["base_value"] / row["prediction"])
        assert abs(left) <= rest(served, rows, method="lime", budget=200)["efficiency_gap"] + 1e-9


def test_models_and_server(served):
    assert served.http.get("/v1/models").json() == {"models": [tiny.NAME]}
    card = served.http.get(f"/v1/models/{tiny.NAME}").json()
    assert (card["version"], card["unit"], card["ready"]) == (served.version, "W", True)
    assert card["explainers"] == ["conditional_shap", "kernel_shap", *PERTURBED]
    assert card["offers"] == ["background", "conditional", "predict"]
    assert [f["unit"] for f in card["features"]] == ["1", "GHz", "1/s"]
    assert (card["features"][2]["low"], card["features"][2]["high"]) == (0, None)
    assert served.http.get("/v1/models/other").status_code == 404
    said = served.http.get("/v2").json()
    assert said == served.http.get("/v2/").json()
    assert "attribution" in said["extensions"]


def test_health(served):
    assert served.http.get("/v2/health/live").json()["live"] is True
    assert served.http.get("/v2/health/ready").json() == {"live": True, "ready": True}
    stub = health_pb2_grpc.HealthStub(served.channel)
    for name in ("", "attribution.v1.AttributionService", "inference.GRPCInferenceService"):
        assert stub.Check(health_pb2.HealthCheckRequest(service=name)).status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as caught:
        stub.Check(health_pb2.HealthCheckRequest(service="other"))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def reflected(channel: grpc.Channel) -> list[str]:
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    (answer,) = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    return [service.name for service in answer.list_services_response.service]


def test_reflection_is_a_switch(served, plain):
    assert "attribution.v1.AttributionService" in reflected(served.channel)
    with pytest.raises(grpc.RpcError) as caught:
        reflected(plain.channel)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_a_model_without_an_energy_model(plain):
    assert plain.http.get(f"/v1/models/{tiny.NAME}").json()["explainers"] == ["kernel_shap", *PERTURBED]
    assert rest(plain, method="kernel_shap")["game"] == "marginal"
    for path, more in (("/v1/attributions", {}), ("/v1/energy", {"observed": ["busy"]})):
        answer = plain.http.post(path, json={"feature_vector": ROWS, **more})
        assert (answer.status_code, answer.json()["code"]) == (422, "precondition")
    with pytest.raises(grpc.RpcError) as caught:
        plain.stub.GetAttribution(request())
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    assert details(caught.value)["ErrorInfo"].reason == "PRECONDITION"


def test_energy_refuses_what_it_cannot_use(served):
    for observed, status in ((["colour"], 400), ([["busy"], "ghz"], 400), ([["busy"]] * 300, 413)):
        answer = served.http.post("/v1/energy", json={"feature_vector": ROWS[0], "observed": observed})
        assert answer.status_code == status, answer.text


def test_large_messages_take_the_other_thread(plain):
    rows = [{"id": str(k), "values": [0.5, 2.0, 8 + k / 1000]} for k in range(600)]
    fields = {"method": "kernel_shap", "budget": 8, "request_id": "large"}
    by_rest = rest(plain, [{**row, "names": list(tiny.ROW), "units": ["1", "GHz", "1/s"]} for row in rows], **fields)
    by_rest.pop("timings_ms")
    assert as_json(plain.stub.GetAttribution(request(rows, **fields))) == by_rest


def test_a_passed_deadline_is_not_computed(served):
    """Now and then an answer is quicker than the clock that ends it."""
    codes = set()
    for _ in range(20):
        try:
            served.stub.GetAttribution(request(), timeout=1e-6)
        except grpc.RpcError as exc:
            codes.add(exc.code())
    assert codes == {grpc.StatusCode.DEADLINE_EXCEEDED}


def test_the_log_has_codes_and_no_values(served):
    secret = 0.123456789
    rest(served, {"values": [secret, 2.5, 9]}, request_id="logged")
    served.http.post(
        "/v1/attributions", json={"feature_vector": {"values": [0.5, -secret, 9]}, "request_id": "refused"}
    )
    lines = [json.loads(line) for line in served.log]
    assert not any(b"123456789" in line or b"0.1234" in line for line in served.log)
    by_id = {line["request_id"]: line for line in lines if line["event"] == "request"}
    good, bad = by_id["logged"], by_id["refused"]
    assert (good["transport"], good["code"], good["rows"], good["method"]) == ("http", "ok", 1, "conditional_shap")
    assert (good["model"], good["version"]) == (tiny.NAME, served.version)
    assert good["duration_ms"] > 0
    assert bad["code"] == "invalid_input"
    ready = next(line for line in lines if line["event"] == "ready")
    assert ready["http"].startswith("http://127.0.0.1:")


def test_a_raw_socket_that_sends_no_http(served):
    with socket.create_connection((served.http.base_url.host, served.http.base_url.port)) as raw:
        raw.sendall(b"\x00\xff\r\n\r\n")
        assert b"400" in raw.recv(4096)
    assert served.http.get("/v2/health/live").status_code == 200
