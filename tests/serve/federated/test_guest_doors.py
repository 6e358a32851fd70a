"""A federated model is served like others: the same messages, limits, callers and metrics on the guest's doors."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from ascribe.bundle.archive import Bundle
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.wire import attribution_pb2 as said
from ascribe.serve.wire import party_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from tests.train.adapters.fate import real
from tests.waiting import until

from .servers import Proxy, Rows, bundled, guesting, hosting, proxied
from .worlds import GUEST_CSV, ids, pair, scores


@dataclass
class Served:
    http: httpx.Client
    stub: AttributionServiceStub
    grpc: str
    proxy: Proxy
    log: list[bytes]

    def asks(self) -> int:
        """Questions with ids that crossed the wire."""
        sent = (raw[5:] for raw in self.proxy.payloads("there"))
        return sum(bool(pb.AnswerRequest.FromString(raw).ids) for raw in sent)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Bundle:
    return bundled(pair()[0], tmp_path_factory.mktemp("doors") / "guest")


@pytest.fixture(scope="module")
def served(bundle):
    log: list[bytes] = []
    with (
        hosting(pair()[1], Rows(real.table("host"))) as at,
        proxied(at) as proxy,
        guesting(bundle, {"bank": proxy.at}, log, background=GUEST_CSV, max_rows=1000) as where,
        httpx.Client(base_url=where.http) as http,
        grpc.insecure_channel(where.grpc) as channel,
    ):
        yield Served(http, AttributionServiceStub(channel), where.grpc, proxy, log)


def row(name: str, **changes: Any) -> dict[str, Any]:
    held = {c: float(v) for c, v in real.table("guest")[name].items()}
    return {"id": name, "values": held | changes}


def test_an_attribution_is_the_recorded_one_by_one_exchange(served):
    before = served.asks()
    shapley = real.expected("secureboost", "expected_shapley")["ids"]
    found = served.http.post("/v1/attributions", json={"feature_vector": [row(name) for name in shapley]})
    assert found.status_code == 200, found.text
    assert served.asks() == before + 1
    answer = found.json()
    assert (answer["method"], answer["game"], answer["tier"], answer["unit"]) == (
        "federated_shap", "path-dependent", "exact", "log-odds",
    )  # fmt: skip
    for told, (name, recorded) in zip(answer["attributions"], shapley.items(), strict=True):
        assert (told["id"], told["status"]) == (name, "ok")
        assert told["prediction"] == pytest.approx(recorded["margin"], abs=1e-9)
        for player, value in recorded["shapley"].items():
            own = told["attribution_shares"].get("bank" if player == "HOST" else player, 0.0)
            assert own == pytest.approx(value, abs=1e-9)
        whole = told["base_value"] + sum(told["attribution_shares"].values())
        assert whole == pytest.approx(told["prediction"], abs=1e-9)
    assert {"local", "remote", "merge", "explain", "total"} <= set(answer["timings_ms"])


def test_both_doors_say_the_same(served):
    names = ids()[:5]
    by_http = served.http.post("/v1/predictions", json={"feature_vector": [row(name) for name in names]}).json()
    vectors = [
        said.FeatureVector(id=name, names=list(row(name)["values"]), values=list(row(name)["values"].values()))
        for name in names
    ]
    by_grpc = served.stub.GetPrediction(said.PredictionRequest(feature_vector=vectors))
    assert [p["prediction"] for p in by_http["predictions"]] == [p.prediction for p in by_grpc.predictions]
    np.testing.assert_allclose(
        [p.prediction for p in by_grpc.predictions], [scores()[name][0] for name in names], rtol=0, atol=1e-9
    )
    shares = served.stub.GetAttribution(said.AttributionRequest(feature_vector=vectors))
    again = served.http.post("/v1/attributions", json={"feature_vector": [row(name) for name in names]}).json()
    assert [dict(a.attribution_shares) for a in shares.attributions] == [
        a["attribution_shares"] for a in again["attributions"]
    ]


def test_the_score_is_an_output_too(served):
    found = served.http.post("/v1/predictions", json={"output": "score", "feature_vector": [row("133")]}).json()
    assert (found["output"], found["unit"]) == ("score", "")
    assert found["predictions"][0]["prediction"] == pytest.approx(scores()["133"][1], abs=1e-12)
    refused = served.http.post("/v1/attributions", json={"output": "score", "feature_vector": [row("133")]})
    assert refused.status_code == 400
    assert "its margin is" in refused.json()["detail"]


def test_nothing_lists_itself_that_would_ask_the_hosts_again(served):
    card = served.http.get("/v1/models/loans").json()
    assert {"remote_predict", "routes"} <= set(card["offers"])
    assert "predict" not in card["offers"]
    assert card["explainers"] == ["federated_shap"]
    (output,) = served.http.get("/v1/models/loans/explainers").json()["outputs"]
    assert output["methods"] == ["federated_shap"]
    before = served.asks()
    for method in ("kernel_shap", "conditional_shap", "lime", "permutation_shap"):
        found = served.http.post("/v1/attributions", json={"method": method, "feature_vector": [row("133")]})
        assert found.status_code == 422
        assert "federated_shap alone" in found.json()["detail"]
    assert served.http.post("/v1/energy", json={"observed": [], "feature_vector": [row("133")]}).status_code == 422
    assert served.asks() == before


@pytest.mark.parametrize(
    ("bad", "text"),
    [
        ({"values": {"x0": 1.0}}, "id is missing"),
        ({"id": "133", "values": {"x77": 1.0}}, "no such column of the guest"),
        ({"id": "133", "values": [1.0]}, "1 values for 10 columns"),
        ({"id": "133", "values": {"x0": [1]}}, "neither a number nor a text"),
        ({"id": "133", "values": {"x0": "abc"}}, "is no number"),
        ({"id": "nobody", "values": {"x0": 1.0}}, "host:10000 answered 113 (2113)"),
    ],
    ids=["no id", "column", "length", "kind", "text", "unknown id"],
)
def test_a_bad_row_fails_alone(served, bad, text):
    found = served.http.post("/v1/predictions", json={"feature_vector": [bad, row("133")]})
    assert found.status_code == 200, found.text
    first, second = found.json()["predictions"]
    assert first["status"] == "invalid"
    assert text in first["reason"]
    assert second["prediction"] == pytest.approx(scores()["133"][0], abs=1e-9)
    alone = served.http.post("/v1/attributions", json={"feature_vector": [bad]})
    assert alone.status_code == 400
    assert text in alone.json()["detail"]


def test_absent_values_go_their_default_way(served):
    recorded = real.expected("secureboost")["missing_features"]["guest_features_absent_margin"]
    given = [{"id": name, "values": {"x0": None} if i % 2 else {}} for i, name in enumerate(recorded)]
    found = served.http.post("/v1/predictions", json={"feature_vector": given}).json()["predictions"]
    np.testing.assert_allclose([p["prediction"] for p in found], list(recorded.values()), rtol=0, atol=1e-9)


def test_limits_and_errors_are_those_of_any_server(served):
    many = served.http.post("/v1/predictions", json={"feature_vector": [row("133")] * 1001})
    assert (many.status_code, many.json()["code"]) == (413, "too_large")
    assert served.http.post("/v1/predictions", content=b"{").status_code == 400
    assert served.http.post("/v1/predictions", json={"model": "x", "feature_vector": [row("133")]}).status_code == 404
    assert served.http.get("/v1/nodes").status_code == 404
    assert served.http.post("/v1/admin/models/loans/refresh").status_code in (404, 403)
    assert served.http.get("/v2/health/ready").json() == {"live": True, "ready": True}
    assert served.http.get("/v2/models/loans").status_code == 200
    assert served.http.get("/openapi.json").status_code == 200


def test_jobs_work_on_it(served):
    made = served.http.post("/v1/jobs", json={"feature_vector": [row(name) for name in ids()[:30]]})
    assert made.status_code == 202, made.text
    job = made.json()["id"]
    until(lambda: served.http.get(f"/v1/jobs/{job}").json()["state"] == "done")
    found = served.http.get(f"/v1/jobs/{job}/result").json()
    assert [a["prediction"] for a in found["attributions"]] == pytest.approx([scores()[n][0] for n in ids()[:30]])


def test_metrics_and_logs_tell_parts_and_never_values(served):
    assert served.http.post("/v1/attributions", json={"feature_vector": [row("133")]}).status_code == 200
    page = served.http.get("/metrics").text
    for part in ("local", "remote", "merge", "explain"):
        assert f'attribution_compute_duration_seconds_count{{stage="{part}"}}' in page
    assert 'attribution_requests_total{code="ok"' in page
    text = b"".join(served.log).decode()
    assert "host_bound" in text
    assert all(json.loads(line)["event"] for line in text.splitlines())
    assert "0.101638" not in text
    assert real.table("guest")["133"]["x0"] not in text


@pytest.mark.parametrize("policy", ["fail", "bounds"])
def test_a_caller_states_the_policy_beside_its_message(bundle, policy):
    with (
        guesting(bundle, {"bank": "127.0.0.1:1"}, parties=PartySettings(timeout_s=0.5, connect_s=0.2)) as at,
        httpx.Client(base_url=at.http) as http,
        grpc.insecure_channel(at.grpc) as channel,
    ):
        assert http.get("/v2/health/ready").status_code == 200
        body, header = {"feature_vector": [row("133")]}, {"X-Host-Policy": policy}
        found = http.post("/v1/predictions", json=body, headers=header)
        asked = said.PredictionRequest(
            feature_vector=[said.FeatureVector(id="133", values=row("133")["values"].values())]
        )
        call = AttributionServiceStub(channel).GetPrediction
        if policy == "fail":
            assert found.status_code == 503
            assert found.json()["detail"].startswith("policy fail: host:10000")
            with pytest.raises(grpc.RpcError, match="policy fail: host:10000"):
                call(asked, metadata=[("x-host-policy", policy)])
        else:
            recorded = real.expected("secureboost", "expected_shapley")["ids"]["133"]["interval"]
            (told,) = found.json()["predictions"]
            assert (told["status"], told["prediction"]) == ("invalid", None)
            assert f"margin between {recorded[0]:.9g} and {recorded[1]:.9g}" in told["reason"]
            (again,) = call(asked, metadata=[("x-host-policy", policy)]).predictions
            assert again.reason == told["reason"]
        wrong = http.post("/v1/predictions", json=body, headers={"X-Host-Policy": "guess"})
        assert wrong.status_code == 400
        unexplained = http.post("/v1/attributions", json=body)
        assert unexplained.status_code == 422
