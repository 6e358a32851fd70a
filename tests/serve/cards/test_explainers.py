"""GET /v1/models/NAME/explainers: what a model can be asked, and that it can."""

from __future__ import annotations

from .. import tiny


def test_a_server_says_it_too(served):
    told = served.http.get(f"/v1/models/{tiny.NAME}/explainers").json()
    assert (told["model"], told["version"]) == (tiny.NAME, served.version)
    output = told["outputs"][0]
    assert (output["output"], output["unit"], output["value"]) == ("power", "W", "completions")
    assert list(output["tiers"]) == ["accurate", "exact"]
    for name in output["estimators"]:
        asked = {"feature_vector": {"values": tiny.ROW}, "estimator": name}
        assert served.http.post("/v1/attributions", json=asked).status_code == 200, name
    assert served.http.get("/v1/models/other/explainers").status_code == 404
