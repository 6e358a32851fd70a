"""Predictions alone, by both doors, with the checks that attributions have."""

from __future__ import annotations

import grpc
import pytest

from ascribe.serve.wire import attribution_pb2 as pb

from . import tiny


def test_both_doors_predict_the_same(served):
    rows = [{"id": "a", "values": tiny.ROW, "measured_w": 100.0}, {"values": [0.5, 2.0, 8.0]}]
    answer = served.http.post("/v1/predictions", json={"feature_vector": rows}).json()
    vectors = [
        pb.FeatureVector(id="a", names=list(tiny.ROW), values=list(tiny.ROW.values()), measured_w=100.0),
        pb.FeatureVector(values=[0.5, 2.0, 8.0]),
    ]
    told = served.stub.GetPrediction(pb.PredictionRequest(feature_vector=vectors))
    assert [row["prediction"] for row in answer["predictions"]] == [row.prediction for row in told.predictions]
    first = answer["predictions"][0]
    assert first["prediction"] == pytest.approx(tiny.BIAS + tiny.WEIGHTS @ list(tiny.ROW.values()), rel=1e-6)
    assert first["unexplained_w"] == told.predictions[0].unexplained_w == 100.0 - first["prediction"]
    assert (answer["unit"], answer["version"], told.version) == ("W", served.version, served.version)


def test_it_is_the_prediction_of_the_attribution(served):
    body = {"feature_vector": {"values": tiny.ROW}}
    alone = served.http.post("/v1/predictions", json=body).json()["predictions"][0]
    explained = served.http.post("/v1/attributions", json=body).json()["attributions"][0]
    assert alone["prediction"] == explained["prediction"]


def test_a_bad_row_is_a_status_of_that_row(served):
    rows = [{"values": tiny.ROW}, {"values": {"busy": 7.0, "ghz": 2, "misses": 1}}, {"values": [1.0, 9.9, 8.0]}]
    found = served.http.post("/v1/predictions", json={"feature_vector": rows}).json()["predictions"]
    assert [row["status"] for row in found] == ["ok", "invalid", "out_of_domain"]
    assert found[1]["prediction"] is None


def test_no_good_row_is_a_fault(served):
    answer = served.http.post("/v1/predictions", json={"feature_vector": {"values": [1]}})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_input")
    with pytest.raises(grpc.RpcError) as caught:
        served.stub.GetPrediction(pb.PredictionRequest(feature_vector=[pb.FeatureVector(values=[1])]))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
