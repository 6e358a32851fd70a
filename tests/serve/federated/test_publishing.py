"""What a guest shows its own callers: rounded alike, rows like others, so many ids; on every door."""

from __future__ import annotations

import httpx
import numpy as np
import pytest
from scipy.special import expit

from ascribe.core.federated.party import answer, ask, local
from ascribe.core.federated.table import Table
from ascribe.serve.federated.exchange import Failure
from ascribe.serve.federated.partial import settled
from ascribe.serve.federated.publishing import Publishing
from ascribe.serve.federated.scored import Scored
from ascribe.serve.federated.settings import PartySettings
from tests.train.adapters.fate import real

from .servers import Rows, bundled, guesting, hosting
from .worlds import GUEST_CSV, ids, pair, scores, three

STEP = 0.25


def rows(names: list[str]) -> dict:
    return {"feature_vector": [{"id": n, "values": dict(real.table("guest")[n])} for n in names]}


@pytest.fixture(scope="module")
def http(tmp_path_factory):
    bundle = bundled(pair()[0], tmp_path_factory.mktemp("publishing") / "guest")
    parties = PartySettings(step=STEP, minimum_group=2, explain_budget=100, timeout_s=20.0)
    with (
        hosting(pair()[1], Rows(real.table("host"))) as host,
        guesting(bundle, {"bank": host}, parties=parties, background=GUEST_CSV) as at,
        httpx.Client(base_url=at.http) as client,
    ):
        yield client


def test_everything_is_a_multiple_of_the_step_and_adds_up(http):
    names = ids()[:100]
    found = http.post("/v1/attributions", json=rows(names)).json()["attributions"]
    told = [row for row in found if row["status"] == "ok"]
    assert told
    assert len(told) < len(found)
    groups: dict[float, int] = {}
    for row in told:
        numbers = [row["prediction"], row["base_value"], *row["attribution_shares"].values()]
        np.testing.assert_allclose(np.array(numbers) / STEP, np.round(np.array(numbers) / STEP), atol=1e-9)
        assert row["base_value"] + sum(row["attribution_shares"].values()) == pytest.approx(row["prediction"])
        bank = row["attribution_shares"]["bank"]
        groups[bank] = groups.get(bank, 0) + 1
    assert min(groups.values()) >= 2
    for row in found:
        if row["status"] != "ok":
            assert "withheld" in row["reason"]
            assert row["prediction"] is None
    predicted = http.post("/v1/predictions", json=rows(names)).json()["predictions"]
    for name, row in zip(names, predicted, strict=True):
        assert row["prediction"] == pytest.approx(round(scores()[name][0] / STEP) * STEP)
    score = http.post("/v1/predictions", json=rows(names[:1]) | {"output": "score"}).json()["predictions"][0]
    assert score["prediction"] == pytest.approx(expit(predicted[0]["prediction"]))


def test_clients_of_fate_are_shown_no_more(http):
    body = {"featureData": real.table("guest")["133"], "sendToRemoteFeatureData": {"id": "133"}}
    found = http.post("/federation/v1/inference", json={"head": {"serviceId": "s"}, "body": body}).json()
    assert found["data"]["score"] == pytest.approx(expit(round(scores()["133"][0] / STEP) * STEP))


def test_a_caller_has_so_many_ids_explained(http):
    assert http.post("/v1/attributions", json=rows(ids()[:100])).status_code == 200  # the same ids cost nothing
    found = http.post("/v1/attributions", json=rows(ids()[100:101]))
    assert (found.status_code, found.json()["code"]) == (403, "forbidden")
    assert http.post("/v1/predictions", json=rows(ids()[100:101])).status_code == 200


def test_scores_are_shown_only_where_hosts_answered_enough_rows_alike(tmp_path):
    """With a group for scores, whatever is asked: the bits of all hosts decide, not what they lead to."""
    guest, host = pair()
    bundle, names = bundled(guest, tmp_path / "guest"), ids()[:120]
    cuts = host.pipeline.last[1].splits
    X = np.array([[float(real.table("host")[n][c]) for c in cuts.columns] for n in names])
    bits = [tuple(row) for row in cuts.bits(X).tolist()]
    alike = [bits.count(own) >= 3 for own in bits]
    assert 0 < sum(alike) < len(names)
    parties = PartySettings(minimum_group=3, group_scores=True, timeout_s=20.0)
    with hosting(host, Rows(real.table("host"))) as at, guesting(
        bundle, {"bank": at}, parties=parties, background=GUEST_CSV, max_rows=1000
    ) as where:  # fmt: skip
        told = httpx.post(where.http + "/v1/predictions", json=rows(names)).json()["predictions"]
        scored = httpx.post(where.http + "/v1/predictions", json=rows(names) | {"output": "score"}).json()
        values = httpx.post(where.http + "/v1/attributions", json=rows(names)).json()["attributions"]
        fate = {
            "head": {"serviceId": "s"},
            "body": {"explain": True, "batchDataList": [
                {"index": i, "featureData": real.table("guest")[n], "sendToRemoteFeatureData": {"id": n}}
                for i, n in enumerate(names)
            ]},
        }  # fmt: skip
        theirs = httpx.post(where.http + "/federation/v1/batchInference", json=fate).json()
        one = httpx.post(where.http + "/v1/predictions", json=rows(names[:1]))
    for i, name in enumerate(names):
        row, score, value, fated = told[i], scored["predictions"][i], values[i], theirs["batchDataList"][i]
        if alike[i]:
            assert row["prediction"] == pytest.approx(scores()[name][0], abs=1e-9)
            assert score["prediction"] == pytest.approx(scores()[name][1], abs=1e-9)
            assert fated["data"]["score"] == pytest.approx(scores()[name][1], abs=1e-9)
        else:
            for held in (row, score, value):
                assert held["status"] == "invalid"
                assert "withheld: hosts answered fewer than 3 of these rows alike (130)" in held["reason"]
                assert held.get("prediction") is None
            assert (fated["retcode"], fated["data"]) == (130, None)
            assert "explanation" not in fated
    assert one.status_code == 400  # alone, nobody is like it
    assert "withheld" in one.text


def test_without_a_group_for_scores_values_alone_are_withheld(http):
    """As the policy of the module's server says: a margin is shown of every row."""
    names = ids()[:20]
    found = http.post("/v1/predictions", json=rows(names)).json()["predictions"]
    assert all(row["status"] == "ok" for row in found)


def test_bounds_are_shown_only_where_the_hosts_that_answered_answered_alike(tmp_path):
    """Where one of two hosts is down, bounds are functions of the other's bits, which the group is to hide."""
    world = three(tmp_path)
    names, guest, (first, second) = list(world.rows), world.guest, world.hosts
    held = local(guest, Table.of_rows([world.of(guest.name)[n] for n in names]))
    asked = ask(guest, names)
    found = np.array([i % 7 != 0 for i in range(len(names))])  # of the ids that are not there, the host tells nothing
    reply = answer(world.hosts[first], asked, Table.of_rows([world.of(first)[n] for n in names]), found)
    down = {second: Failure(second, 105, "it is down")}
    made = settled(guest, held, {first: reply}, down, "bounds")
    least = 3
    (part,) = reply.parts.values()
    told = [(*row, there) for row, there in zip(part.bits.tolist(), found.tolist(), strict=True)]
    alike = [told.count(row) >= least for row in told]
    assert 0 < sum(alike) < len(names)
    parties = PartySettings(minimum_group=least, group_scores=True)
    scored = Scored(made.answer, "bounds", (), down, None, made.lower, made.upper, lacks=made.lacks)
    shown = Publishing(parties).shown(guest, scored, 0)
    assert np.isfinite(shown.lower[:, 0]).tolist() == alike
    assert np.isfinite(shown.upper[:, 0]).tolist() == alike
    for i, good in enumerate(alike):
        assert ("withheld" in shown.answer.reasons[i]) == (not good)
        assert good or np.isnan(shown.answer.margin[i, 0])
