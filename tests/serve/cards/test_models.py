"""Several models in one server, chosen by name or by the labels of the node; several outputs of one bundle."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from ascribe.bundle.archive import compose, open_directory
from ascribe.bundle.manifest import Manifest, Target
from ascribe.serve.wire import attribution_pb2 as pb
from tests.bundle import made

from ..fleet import AT, Fleet, Server, serving

ROW = made.rows(1, 9)[0].tolist()
EPYC, GENOA, XEON = {"cpu": "epyc"}, {"cpu": "epyc", "gen": "4"}, {"cpu": "xeon"}


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Fleet, Server]]:
    fleet = Fleet(tmp_path_factory.mktemp("several"))
    for name, k, labels in (("a", 1, EPYC), ("b", 2, GENOA), ("c", 3, XEON), ("d", 4, XEON)):
        fleet.promote(name, fleet.publish(name, k, labels))
    fleet.promote("a", fleet.publish("a", 5, {}), "canary")
    with serving(fleet, ["a,b", "c@production", "d", "a@canary"]) as server:
        yield fleet, server


def over_grpc(server: Server, **fields: Any) -> pb.AttributionResponse:
    return server.stub.GetAttribution(pb.AttributionRequest(feature_vector=[pb.FeatureVector(values=ROW)], **fields))


@pytest.mark.parametrize(
    ("fields", "answers"),
    [
        ({"model": "a"}, ("a", 1)),  # a name alone is its production channel
        ({"model": "a@canary"}, ("a", 5)),
        ({"model": "b@production"}, ("b", 2)),
        ({"labels": EPYC, "model": "a@production"}, ("a", 1)),
        ({"labels": EPYC | {"rack": "7"}}, ("a", 1)),  # the node may have more labels than the model
        ({"labels": GENOA}, ("b", 2)),  # the most specific
        ({"labels": XEON, "model": "d"}, ("d", 4)),
        ({"labels": {"cpu": "arm"}}, ("a", 5)),  # one without labels is for any node
    ],
)
def test_a_request_is_answered_by_the_model_that_it_names_or_its_labels_choose(several, fields, answers):
    fleet, server = several
    name, k = answers
    known = next(v for (n, _), v in fleet.known.items() if n == name and v.bias == made.BIAS + 100 * k)
    answer = server.ask({"values": ROW}, **fields).json()
    assert (answer["model"], answer["version"]) == (name, known.version)
    assert answer["attributions"][0]["prediction"] == pytest.approx(known.predict(ROW), rel=1e-5)
    other = over_grpc(server, **fields)
    assert (other.model, other.version) == (name, known.version)
    assert other.attributions[0].prediction == answer["attributions"][0]["prediction"]
    energy = {name: fields[name] for name in fields}
    held = server.http.post("/v1/energy", json={"feature_vector": {"values": ROW}, "observed": ["busy"], **energy})
    assert held.json()["version"] == known.version
    rows = [pb.FeatureVector(values=ROW)]
    asked = pb.EnergyRequest(feature_vector=rows, observed=[pb.Names(names=["busy"])], **energy)
    assert server.stub.GetEnergy(asked).version == known.version


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({}, 400, ["a@production", "b@production", "d@production", "a@canary"]),
        ({"model": "x"}, 404, ["no model 'x'", "a@production"]),
        ({"labels": XEON}, 404, ["cpu=xeon", "c@production, d@production", "alike"]),
        ({"labels": XEON, "model": "a@production"}, 404, ["cpu=xeon", "a@production (cpu=epyc)"]),
        ({"labels": EPYC, "model": "b"}, 404, ["b@production (cpu=epyc, gen=4)"]),
    ],
)
def test_who_cannot_be_served_is_told_what_there_is(several, fields, status, words):
    _, server = several
    answer = server.ask({"values": ROW}, **fields)
    assert answer.status_code == status
    assert all(word in answer.json()["detail"] for word in words), answer.text
    with pytest.raises(grpc.RpcError) as failed:
        over_grpc(server, **fields)
    name = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND"}[status]
    assert (failed.value.code().name, failed.value.details()) == (name, answer.json()["detail"][:300])


def test_labels_hold_for_the_only_model_too(tmp_path):
    fleet = Fleet(tmp_path)
    fleet.promote("m", fleet.publish("m", 1, EPYC))
    with serving(fleet) as server:
        assert server.ask({"values": ROW}).status_code == 200
        assert server.ask({"values": ROW}, labels=GENOA).status_code == 200
        assert server.ask({"values": ROW}, labels=XEON).status_code == 404
        assert server.card()["labels"] == EPYC


def test_each_model_is_listed_and_has_a_card_of_its_own(several):
    _, server = several
    assert server.http.get("/v1/models").json() == {"models": ["a", "b", "c", "d"]}
    assert server.card("a")["channel"] == "production"
    assert server.card("a@canary")["channel"] == "canary"
    assert server.card("b")["labels"] == GENOA
    ready = server.events("ready")[0]
    assert len(ready["models"]) == 5


def test_models_of_one_server_move_by_themselves(tmp_path):
    fleet = Fleet(tmp_path)
    for name in ("a", "b"):
        fleet.promote(name, fleet.publish(name, 1))
    with serving(fleet, ["a", "b"], poll_s=3600.0) as server:
        for name, k in (("a", 2), ("b", 3)):
            fleet.promote(name, fleet.publish(name, k))
        assert server.admin("refresh", "b").json()["version"].startswith("20261104")
        assert server.card("a")["version"].startswith("20261102")


def test_labels_leave_the_version_of_a_bundle_without_any_as_it_was():
    manifest, _ = made.parts()
    assert b"labels" not in manifest.encode()
    assert Manifest.decode(manifest.encode()).labels == {}


def test_a_request_names_one_of_several_outputs(tmp_path):
    fleet = Fleet(tmp_path)
    package = fleet.publish("m", 1)
    dram = made.made(tmp_path / "dram", weights=(1.0, 2.0, 3.0), bias=5.0, target=Target("dram_power", "W"))
    whole = compose(tmp_path / "whole", open_directory(tmp_path / "m-1"), {"dram_power": dram})
    version = fleet.registry.publish("m", whole)
    fleet.registry.promote("m", version, AT)
    with serving(fleet) as server:
        assert server.card()["outputs"] == [{"name": "power", "unit": "W"}, {"name": "dram_power", "unit": "W"}]
        for name, want in (("", package.predict(ROW)), ("power", package.predict(ROW)), ("dram_power", None)):
            answer = server.ask({"values": ROW}, output=name).json()
            want = want or 5.0 + float(made.np.array([1.0, 2.0, 3.0]) @ made.np.array(ROW))
            assert answer["output"] == (name or "power")
            assert answer["version"] == version
            assert answer["attributions"][0]["prediction"] == pytest.approx(want, rel=1e-5)
            assert over_grpc(server, output=name).attributions[0].prediction == answer["attributions"][0]["prediction"]
        refused = server.ask({"values": ROW}, output="platform")
        assert refused.status_code == 404
        assert refused.json()["detail"].endswith("it has power, dram_power")
        with pytest.raises(grpc.RpcError) as failed:
            over_grpc(server, output="platform")
        assert failed.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_model_is_named_on_the_command_line_again_or_with_commas(tmp_path: Path):
    fleet = Fleet(tmp_path)
    for name in ("a", "b", "c"):
        fleet.promote(name, fleet.publish(name, 1))
    command = [sys.executable, "-m", "ascribe", "serve", "--registry", str(tmp_path / "registry"), "--model", "a,b"]
    more = ["--model", "c", "--shadow", "candidate", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
    with subprocess.Popen([*command, *more], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert [line.split()[0] for line in ready["models"]] == ["a@production", "b@production", "c@production"]
    assert process.returncode == 0
