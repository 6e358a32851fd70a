"""KServe's first protocol: instances in, predictions or explanations out."""

from __future__ import annotations

import pytest

from .. import tiny

ROWS = [[0.6, 2.5, 9.0], {"misses": 3.25, "busy": 0.1, "ghz": 1.7}]
PREDICT, EXPLAIN = f"/v1/models/{tiny.NAME}:predict", f"/v1/models/{tiny.NAME}:explain"


def test_a_prediction_for_each_instance(served):
    answer = served.http.post(PREDICT, json={"instances": ROWS}).json()
    ours = served.http.post("/v1/predictions", json={"feature_vector": [{"values": row} for row in ROWS]}).json()
    assert answer["predictions"] == [row["prediction"] for row in ours["predictions"]]
    assert (answer["version"], answer["unit"]) == (served.version, "W")


def test_an_explanation_for_each_instance(served):
    answer = served.http.post(EXPLAIN, json={"instances": ROWS, "parameters": {"seed": 3}}).json()
    body = {"feature_vector": [{"values": row} for row in ROWS], "seed": 3}
    ours = served.http.post("/v1/attributions", json=body).json()
    assert answer["explanations"] == ours["attributions"]
    assert (answer["features"], answer["seed"], answer["unit"]) == (list(tiny.ROW), 3, "W")


def test_a_bad_instance_leaves_the_others_alone(served):
    rows = [ROWS[0], [1, None, 2], {"busy": 1}, ROWS[1], "text", 7]
    found = served.http.post(PREDICT, json={"instances": rows}).json()["predictions"]
    assert [value is None for value in found] == [False, True, True, False, True, True]
    told = served.http.post(EXPLAIN, json={"instances": rows}).json()["explanations"]
    assert [row["status"] for row in told] == ["ok", "invalid", "invalid", "ok", "invalid", "invalid"]
    assert told[1]["reason"].startswith("ghz is null")


def test_predictions_need_no_explainer(plain):
    assert plain.http.post(PREDICT, json={"instances": ROWS}).status_code == 200
    assert plain.http.post(EXPLAIN, json={"instances": ROWS}).status_code == 422
    told = plain.http.post(EXPLAIN, json={"instances": ROWS, "parameters": {"method": "kernel_shap"}})
    assert len(told.json()["explanations"]) == 2


@pytest.mark.parametrize("path", [PREDICT, EXPLAIN])
@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 400),
        (b"{}", 400),
        (b'{"instances": []}', 400),
        (b'{"instances": 3}', 400),
        (b'{"instances": [[NaN, 1, 2]]}', 400),
        (b'{"instances": [{"busy": 1, "busy": 2, "ghz": 1, "misses": 1}]}', 400),
        (b'{"instances": [' + b"[" * 9000 + b"]" * 9000 + b"]}", 400),
        (b'{"instances": [[1,2,3]], "colour": 1}', 400),
        (b'{"instances": [[1,2,3]], "parameters": {"colour": 1}}', 400),
        (b'{"instances": [[1,2,3]], "parameters": {"timeout": 1}}', 504),
        (b'{"instances": [' + b"[1,2,3]," * 8 + b"[1,2,3]]}", 413),
    ],
)
def test_bodies_that_cannot_be_used(served, path, raw, status):
    answer = served.http.post(path, content=raw, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["status"]) == (status, status), answer.text
    assert answer.json()["error"] == answer.json()["detail"]


def test_other_models_and_verbs_are_not_there(served):
    assert served.http.post("/v1/models/other:predict", json={"instances": ROWS}).status_code == 404
    assert served.http.post(f"/v1/models/{tiny.NAME}:magic", json={"instances": ROWS}).status_code in (404, 405)
    card = served.http.get(f"/v1/models/{tiny.NAME}").json()
    assert (card["name"], card["ready"]) == (tiny.NAME, True)
