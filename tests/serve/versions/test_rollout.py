"""Roll-out on a running server: promotion under load, failures that change nothing, the way back, poll and push."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref
from pathlib import Path
from typing import Any

import grpc
import httpx
import msgspec
import pytest

from ascribe.bundle.archive import open_directory, write
from ascribe.core.errors import InputError
from ascribe.serve.observe.log import Log
from ascribe.serve.versions.leases import Slot, now, specs
from ascribe.serve.versions.rollout import Rollout
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from tests.bundle import made
from tests.waiting import until

from ..fleet import Fleet, Server, serving

ROWS = made.rows(24, 9)


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    held = Fleet(tmp_path)
    held.promote("m", held.publish("m", 1))
    return held


class Load(threading.Thread):
    """Asks one door again and again; keeps version, sha256, base value, predictions and shares of each answer, and the
    versions that it met.
    """

    def __init__(self, server: Server, door: str) -> None:
        super().__init__()
        self.server, self.door = server, door
        self.stopped, self.failures, self.answers, self.met = threading.Event(), [], [], set()

    def run(self) -> None:
        with (
            httpx.Client(base_url=self.server.at.http) as http,
            grpc.insecure_channel(self.server.at.grpc) as channel,
        ):
            stub = AttributionServiceStub(channel)
            while not self.stopped.is_set():
                try:
                    self.answers.append(self.over_http(http) if self.door == "http" else self.over_grpc(stub))
                    self.met.add(self.answers[-1][0])
                except Exception as exc:
                    self.failures.append(exc)

    def over_http(self, http: httpx.Client) -> tuple:
        body = {"feature_vector": [{"values": x} for x in ROWS.tolist()], "estimator": "exact", "samples": 8}
        a = http.post("/v1/attributions", json=body).raise_for_status().json()
        rows = [(r["prediction"], r["base_value"], sum(r["attribution_shares"].values())) for r in a["attributions"]]
        return a["version"], a["sha256"], rows

    def over_grpc(self, stub: AttributionServiceStub) -> tuple:
        vectors = [pb.FeatureVector(values=x) for x in ROWS.tolist()]
        a = stub.GetAttribution(pb.AttributionRequest(feature_vector=vectors, estimator="exact", samples=8), timeout=60)
        rows = [(r.prediction, r.base_value, sum(r.attribution_shares.values())) for r in a.attributions]
        return a.version, a.sha256, rows


def test_promotions_under_load_fail_nothing_and_mix_nothing(fleet: Fleet):
    versions = [fleet.publish("m", k) for k in (2, 3, 4, 5)]
    with serving(fleet) as server:
        loads = [Load(server, door) for door in ("http", "grpc", "http", "grpc")]
        for load in loads:
            load.start()
        for known in [*versions, *versions[::-1], *versions]:
            fleet.promote("m", known)
            until(lambda known=known: server.card()["version"] == known.version)
            until(lambda known=known: any(known.version in load.met for load in loads))
        for load in loads:
            load.stopped.set()
        for load in loads:
            load.join()
    shas = {event.version: event.sha256 for event in fleet.registry.channel("m").history}
    assert not [failure for load in loads for failure in load.failures]
    answers = [answer for load in loads for answer in load.answers]
    assert {load.door for load in loads if load.answers} == {"http", "grpc"}
    assert {version for version, _, _ in answers} >= {known.version for known in versions}
    for version, sha256, rows in answers:
        known = fleet.known["m", version]
        assert sha256 == shas[version]
        for x, (prediction, base, shares) in zip(ROWS, rows, strict=True):
            assert prediction == pytest.approx(known.predict(x), rel=1e-4)
            assert base == pytest.approx(known.base, rel=1e-6)
            assert shares + base == pytest.approx(prediction, rel=1e-4)


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def tampered(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(bytes(raw))


def gone(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("harm", [torn, tampered, gone])
def test_a_version_that_cannot_be_had_changes_nothing_and_heals(fleet: Fleet, harm: Any):
    old, new = fleet.first("m"), fleet.publish("m", 2)
    archive, whole = fleet.archive("m", new), fleet.archive("m", new).read_bytes()
    fleet.promote("m", new, "judged")
    event = fleet.registry.channel("m", "judged").current
    with serving(fleet) as server:
        harm(archive)  # after it was judged
        fleet.promote_unseen("m", event)
        until(lambda: server.card()["rollout"]["state"] == "failed")
        card = server.card()
        assert (card["version"], card["rollout"]["wanted"]) == (old.version, new.version)
        assert new.version in card["rollout"]["reason"]
        assert server.ask({"values": ROWS[0].tolist()}).json()["version"] == old.version
        until(lambda: any(e["state"] == "failed" for e in server.events("rollout")))  # the card says it first
        said = [e for e in server.events("rollout") if e["state"] == "failed"]
        assert said[0]["reason"] == card["rollout"]["reason"]
        archive.write_bytes(whole)
        until(lambda: server.card()["version"] == new.version)
        assert server.card()["rollout"] | {"at": ""} == {
            "state": "current", "wanted": new.version, "reason": "", "at": "", "kept": old.version,
        }  # fmt: skip


def test_a_stored_example_that_differs_is_not_served(fleet: Fleet):
    manifest, files = made.parts(created="2026-11-20T00:00:00Z")
    manifest = msgspec.structs.replace(manifest, example={"x": made.CENTRE.tolist(), "prediction": [1.0]})
    write(fleet.place / "wrong", manifest, files)
    with serving(fleet) as server:
        before = server.card()["version"]
        version = fleet.registry.publish("m", open_directory(fleet.place / "wrong"))
        fleet.registry.promote("m", version, "2026-11-20T00:00:00Z", expected=before)
        until(lambda: server.card()["rollout"]["state"] == "failed")
        assert server.card()["version"] == before
        for _ in range(50):  # also while it is tried again
            assert "stored example" in server.card()["rollout"]["reason"]
        good = fleet.publish("m", 2)  # a better one needs no waiting for the next attempt
        fleet.promote("m", good)
        until(lambda: server.card()["version"] == good.version)


def test_a_store_that_is_down_is_said_and_comes_back(fleet: Fleet):
    pointer = fleet.place / "registry/m/channels/production.json"
    with serving(fleet) as server:
        until(lambda: server.card()["rollout"]["state"] == "current")
        away = fleet.place / "away"
        os.replace(pointer, away)
        until(lambda: server.card()["rollout"]["state"] == "unreachable")
        reason = server.card()["rollout"]["reason"]  # by whether it went before a look, or between two reads of one
        assert "production.json" in reason or "m has no channel 'production'" in reason
        assert server.ask({"values": ROWS[0].tolist()}).status_code == 200
        os.replace(away, pointer)  # whole at once: half of it would be another trouble
        until(lambda: server.card()["rollout"]["state"] == "current")
        assert len([e for e in server.events("rollout") if e["state"] == "unreachable"]) == 1


def test_the_version_before_is_kept_so_that_the_way_back_loads_nothing(fleet: Fleet):
    old, new = fleet.first("m"), fleet.publish("m", 2)
    with serving(fleet, poll_s=3600.0) as server:
        fleet.promote("m", new)
        assert server.admin("refresh").json()["version"] == new.version
        assert server.card()["rollout"]["kept"] == old.version
        tampered(fleet.archive("m", old))  # cannot be loaded again
        answer = server.admin("rollback")
        assert answer.status_code == 200, answer.text
        assert answer.json()["version"] == old.version
        assert fleet.registry.channel("m").current.version == old.version
        assert [e["how"] for e in server.events("rollout")] == ["loaded", "kept"]
        refused = server.admin("rollback")
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
        assert "no earlier version" in refused.json()["detail"]


def test_without_a_push_a_server_that_polls_seldom_stays(fleet: Fleet):
    new = fleet.publish("m", 2)
    with serving(fleet, poll_s=3600.0) as server:
        old = server.card()["version"]
        until(lambda: fleet.registry.serving("m", now()) != {})  # said after the first look
        fleet.promote("m", new)
        time.sleep(0.3)
        assert server.card()["version"] == old
        assert server.admin("refresh").json()["rollout"]["state"] == "current"
        assert server.card()["version"] == new.version


def test_admin_calls_need_the_token_that_the_server_was_given(fleet: Fleet):
    with serving(fleet) as server:
        for token in (None, "", "another", "a-toke"):
            answer = server.admin("refresh", token=token)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
        assert server.admin("remove").status_code == 404
        assert server.admin("refresh", "other").status_code == 404
        assert b"a-token" not in b"".join(server.log)
    with serving(fleet, admin_token="") as server:
        answer = server.admin("refresh", token="")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert "ASCRIBE_ADMIN_TOKEN" in answer.json()["detail"]


def rollout_of(fleet: Fleet) -> Rollout:
    """The one inside the running server of a fleet."""
    held = (o for o in gc.get_objects() if type(o) is Rollout)
    opened = (o for o in held if "_registry" in vars(o))  # those of failed starts have none
    return next(o for o in opened if o._registry.uri == fleet.uri)


def test_polling_asks_for_the_tag_alone(fleet: Fleet):
    asked: list[str] = []
    with serving(fleet):
        until(lambda: fleet.registry.serving("m", now()) != {})  # said after the first look, which reads the pointer
        store = rollout_of(fleet)._registry.store
        for name in ("read", "names", "tag"):
            setattr(store, name, _counted(getattr(store, name), name, asked))
        until(lambda: len(asked) > 5)
        assert set(asked) == {"tag"}


def _counted(call: Any, name: str, asked: list[str]) -> Any:
    def counted(*arguments: Any) -> Any:
        asked.append(name)
        return call(*arguments)

    return counted


def test_a_model_dies_with_its_last_lease_and_its_memory_is_given_back(fleet: Fleet, monkeypatch: pytest.MonkeyPatch):
    trims: list[float] = []
    monkeypatch.setattr("ascribe.serve.versions.rollout.memory.trim", lambda: trims.append(time.monotonic()) or True)
    gc.disable()  # nothing may wait for the collector
    try:
        with serving(fleet) as server:
            lease = rollout_of(fleet)._watches[0].slot.lease
            assert lease is not None
            gone_ = weakref.ref(lease.model)
            for k in (2, 3):
                fleet.promote("m", fleet.publish("m", k))
                until(lambda k=k: server.card()["version"].startswith(f"2026110{k + 1}"))
            assert gone_() is not None  # two swaps later the lease still holds it
            assert not trims
            del lease
            assert gone_() is None
            until(lambda: bool(trims))
    finally:
        gc.enable()


def test_models_are_named_once():
    assert specs("a, b@x") == [("a", "production"), ("b", "x")]
    with pytest.raises(InputError, match="named twice"):
        specs(["a", "a@production"])
    with pytest.raises(InputError, match="--model"):
        specs([])


def test_a_running_server_says_what_it_holds_until_it_stops(fleet: Fleet):
    old, new = fleet.first("m"), fleet.publish("m", 2)
    with serving(fleet) as server:
        fleet.promote("m", new)
        until(lambda: server.card()["version"] == new.version)
        until(lambda: list(fleet.registry.serving("m", now()).values()) == [[old.version, new.version]])
    assert fleet.registry.serving("m", now()) == {}


def test_a_registry_that_cannot_be_written_is_served_from(fleet: Fleet):
    (fleet.place / "registry/m/serving").write_text("a file where a folder must be")
    with serving(fleet) as server:
        until(lambda: len(server.events("unannounced")) == 1)
        new = fleet.publish("m", 2)
        fleet.promote("m", new)
        until(lambda: server.card()["version"] == new.version)


def test_a_version_that_failed_a_thousand_times_is_not_fetched_at_every_poll(fleet: Fleet):
    rollout = Rollout(lambda: fleet.registry, [Slot("m", "production")], [], 2.0, Log(lambda _: None))
    watch = rollout._watches[0]
    watch.tries = 1023
    rollout._bring(watch, msgspec.structs.replace(fleet.registry.channel("m").current, version="gone"))
    assert (watch.slot.status.state, watch.tries) == ("failed", 1024)
    assert 30 < watch.retry_s - time.monotonic() < 80
