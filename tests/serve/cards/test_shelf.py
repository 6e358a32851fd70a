"""Versions, channels, verdicts, drift, runs and bad rows over HTTP, and a promotion that the gate judges."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.feather
import pytest

from ascribe.bundle.archive import entry, open_directory, write
from ascribe.bundle.gate.verdict import judge_and_promote
from ascribe.bundle.registry import Registry
from ascribe.bundle.state import State, beside
from ascribe.serve.access.keys import line, new_key
from ascribe.serve.app import running
from ascribe.serve.settings import Settings
from ascribe.serve.versions import promoting
from tests.waiting import until

from .. import tiny

TOKEN = "open sesame"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}
LATER = "2026-11-02T00:00:00+00:00"
PATIENCE_S = 300.0  # of the server, too: what is judged for longer is answered before its end


def with_rows(folder: Path, created: str, off: float = 0.0, **changes: Any) -> Path:
    """A bundle of `tiny` with held-out rows, whose measured watts the model misses by `off` and noise."""
    tiny.publish(folder, created=created)
    held = open_directory(folder / "bundle")
    rng = np.random.default_rng(1)
    X = tiny._rows()
    y = tiny.BIAS + X @ tiny.WEIGHTS + off + rng.normal(0, 0.5, len(X))
    out = io.BytesIO()
    columns = dict(zip(tiny.ROW, X.T, strict=True)) | {"power": y}
    pyarrow.feather.write_feather(pa.table(columns), out, compression="uncompressed")
    roles = held.manifest.roles | {"holdout": "holdout.arrow"}
    files = {name: held.fetch(name) for name in held.manifest.files} | {"holdout.arrow": out.getvalue()}
    manifest = msgspec.structs.replace(
        held.manifest, roles=roles, files={name: entry(bytes_) for name, bytes_ in files.items()}, **changes
    )
    place = folder / "with_rows"
    write(place, manifest, files)
    return place


@dataclass
class Shop:
    http: httpx.Client
    registry: Registry
    first: str
    second: str
    lake: State
    log: list[bytes]

    def versions(self, **said: Any) -> dict[str, Any]:
        answer = self.http.get(f"/v1/models/{tiny.NAME}/versions", params=said)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def promote(self, version: str, **headers: str) -> httpx.Response:
        return self.http.post(f"/v1/admin/models/{tiny.NAME}/promote", json={"version": version}, headers=headers)

    def events(self, name: str) -> list[dict[str, Any]]:
        return [event for event in map(json.loads, self.log) if event["event"] == name]


@contextmanager
def opened(folder: Path, **more: Any) -> Iterator[Shop]:
    """Two versions with held-out rows, the first in production by the gate; a lake's state; an admin token."""
    registry = Registry(str(folder / "shop"))
    first = registry.publish(tiny.NAME, open_directory(with_rows(folder / "a", tiny.AT, metrics={"mae": 0.4})))
    assert judge_and_promote(registry, tiny.NAME, first, "2026-11-01T01:00:00Z").accepted
    second = registry.publish(tiny.NAME, open_directory(with_rows(folder / "b", LATER)))
    lake, log = str(folder / "lake"), []
    settings = Settings(**{"admin_token": TOKEN, "lake": lake, "poll_s": 30, "timeout_s": PATIENCE_S} | more)
    with (
        running(registry.uri, tiny.NAME, settings, write=log.append) as at,
        httpx.Client(base_url=at.http, timeout=PATIENCE_S) as http,
    ):
        yield Shop(http, registry, first, second, State(beside(lake)), log)


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with opened(tmp_path) as held:
        yield held


def test_versions_say_where_they_come_from_and_what_the_gate_said(shop):
    told = shop.versions()
    assert [v["version"] for v in told["versions"]] == [shop.second, shop.first]
    held = told["versions"][1]
    assert held["channels"] == ["production"]
    assert (held["family"], held["unit"], held["features"]) == ("linear", "W", 3)
    assert held["metrics"] == {"mae": 0.4}
    assert held["lineage"]["rows"] == {"train": 64}
    assert held["verdicts"][0]["accepted"]
    assert any("add up" in reason for reason in held["verdicts"][0]["reasons"])
    (channel,) = told["channels"]
    assert (channel["version"], channel["served"], channel["back_to"]) == (shop.first, shop.first, "")
    assert [move["action"] for move in channel["history"]] == ["promote"]
    assert told["left_out"] == 0


def test_the_newest_versions_and_those_of_channels_are_shown(shop):
    told = shop.versions(limit=1)
    assert [v["version"] for v in told["versions"]] == [shop.second, shop.first]  # production is shown in any case
    assert shop.http.get(f"/v1/models/{tiny.NAME}/versions", params={"limit": "no"}).status_code == 400
    assert shop.http.get("/v1/models/nobody/versions").status_code == 404


def test_a_version_that_was_changed_is_told_beside_the_others(shop):
    shop.registry.store.put(f"{tiny.NAME}/versions/{shop.second}.zip", b"other bytes")
    broken, whole = shop.versions()["versions"]
    assert "publish it again" in broken["problem"]
    assert whole["family"] == "linear"


def test_a_quantised_version_names_what_it_was_made_from(shop, tmp_path):
    origin = shop.registry.fetch(tiny.NAME, shop.second).manifest
    about = {
        "precision": "int8-static",
        "version": "before-tiers-were-measured",
        "predict_sha256": origin.files["predict.onnx"].sha256,
    }
    report = {"bytes": [100, 400], "ms": {"1": [0.1, 0.2]}, "error": {"share": 0.004}}
    made = with_rows(
        tmp_path / "q", "2026-11-04T00:00:00+00:00", origin={"quantised": about}, metrics={"quantisation": report}
    )
    version = shop.registry.publish(tiny.NAME, open_directory(made))
    told = shop.versions()["versions"][0]
    assert told["version"] == version
    assert told["variant"] == {
        "precision": "int8-static", "made_from": shop.second, "here": True, "bytes": [100, 400],
        "ms": {"1": [0.1, 0.2]}, "error_share": 0.004,
    }  # fmt: skip


def test_a_promotion_is_judged_served_audited_and_in_the_history(shop):
    done = shop.promote(shop.second, **ADMIN)
    assert done.status_code == 200, done.text
    card = done.json()
    assert (card["state"], card["serving"], card["by"]) == ("promoted", shop.second, "admin-token")
    assert shop.http.get(f"/v1/models/{tiny.NAME}").json()["version"] == shop.second
    told = shop.versions()
    (channel,) = told["channels"]
    assert channel["back_to"] == shop.first
    assert channel["history"][0]["by"] == "admin-token"
    assert channel["history"][0]["reasons"] == card["reasons"]
    assert told["versions"][0]["verdicts"][0]["against"] == shop.first
    assert told["promotions"][0]["version"] == shop.second
    (audit,) = [event for event in shop.events("audit") if event["action"] == "promote"]
    assert (audit["caller"], audit["outcome"], audit["model"]) == ("admin-token", "ok", tiny.NAME)
    assert shop.events("promotion")[0]["state"] == "promoted"
    back = shop.http.post(f"/v1/admin/models/{tiny.NAME}/rollback", headers=ADMIN)
    assert back.json()["version"] == shop.first
    assert shop.versions()["channels"][0]["history"][0] | {"at": ""} == {
        "action": "rollback", "version": shop.first, "at": "", "by": "admin-token",
        "reasons": [f"rolled back from {shop.second}"],
    }  # fmt: skip


def test_what_the_gate_refuses_stays_out_and_says_why(shop, tmp_path):
    worse = shop.registry.publish(
        tiny.NAME, open_directory(with_rows(tmp_path / "c", "2026-11-03T00:00:00+00:00", off=30.0))
    )
    card = shop.promote(worse, **ADMIN).json()
    assert card["state"] == "refused"
    assert card["reasons"]
    assert shop.versions()["channels"][0]["version"] == shop.first
    assert shop.versions()["versions"][0]["verdicts"][0]["accepted"] is False


def test_who_may_not_promotes_nothing(shop):
    assert shop.promote(shop.second).status_code == 403
    assert shop.promote(shop.second, Authorization="Bearer wrong").status_code == 403
    assert shop.promote("no-such-version", **ADMIN).status_code == 404
    bare = shop.http.post(f"/v1/admin/models/{tiny.NAME}/promote", json={"force": True}, headers=ADMIN)
    assert bare.status_code == 400
    assert "version" in bare.text
    assert shop.versions()["channels"][0]["version"] == shop.first
    outcomes = [event["outcome"] for event in shop.events("audit") if event["action"] == "promote"]
    assert outcomes == ["forbidden", "forbidden", "not_found"]


def test_a_caller_learns_what_it_may_do(shop):
    anybody, admin = (shop.http.get("/v1/caller", headers=h).json() for h in ({}, ADMIN))
    assert (anybody["admin"], anybody["lake"], anybody["scopes"]) == (False, True, ["explain", "metrics", "predict"])
    assert (admin["admin"], admin["name"], admin["max_rows"]) == (True, "admin-token", 4096)


def test_runs_with_stages_and_progress(shop):
    assert shop.http.get("/v1/runs").json() == {"runs": []}
    stage = {"key": "k", "folder": "/secret/place", "seconds": 2.5, "fresh": True, "result": {"rows": 9, "at": "/x/y"}}
    run = {
        "run": "r2", "name": tiny.NAME, "lake": "/secret/lake", "registry": "/secret", "channel": "production",
        "plan": "p", "code": "c", "lake_version": 3, "why": ["1000 new rows"], "status": "running",
        "started": "2026-11-02T00:00:00Z", "planned": ["snapshot", "train", "judge", "promote"],
        "stages": {"snapshot": stage},
    }  # fmt: skip
    shop.lake.put(run, "runs", tiny.NAME, "2")
    shop.lake.put(
        run | {"run": "r1", "started": "2026-11-01T00:00:00Z", "status": "failed", "error": "no disk"},
        "runs",
        tiny.NAME,
        "1",
    )
    shop.lake.put(["no", "run"], "runs", tiny.NAME, "0")
    answer = shop.http.get("/v1/runs", params={"model": tiny.NAME})
    new, old = answer.json()["runs"]
    assert [(s["name"], s["state"]) for s in new["stages"]] == [
        ("snapshot", "done"), ("train", "running"), ("judge", "waiting"), ("promote", "waiting"),
    ]  # fmt: skip
    assert (new["progress"], new["stages"][0]["result"]) == (0.25, {"rows": 9})
    assert (old["status"], old["error"], old["stages"][1]["state"]) == ("failed", "no disk", "waiting")
    assert "secret" not in answer.text
    assert len(shop.http.get("/v1/runs", params={"limit": 1}).json()["runs"]) == 1


def test_bad_rows_of_all_readers_the_newest_first(shop):
    assert shop.http.get("/v1/quarantine").json() == {"rows": [], "counts": {}}
    row = {"kind": "row", "reason": "impossible percentage in cpu (250 percent)", "at_us": 5, "node": "<b>n</b>"}
    shop.lake.put({"rows": [row, row | {"at_us": 1}]}, "quarantine", "one")
    shop.lake.put({"rows": [row | {"at_us": 3, "payload": "{}"}]}, "quarantine", "two")
    shop.lake.put({"rows": [{"kind": 3}]}, "quarantine", "broken")
    shop.lake.put({"rows": 7, "reasons": {"impossible percentage in cpu": 2}}, "ingest", "one")
    told = shop.http.get("/v1/quarantine").json()
    assert [(row["reader"], row["at_us"]) for row in told["rows"]] == [("one", 5), ("two", 3), ("one", 1)]
    assert told["counts"] == {"one": {"impossible percentage in cpu": 2}}
    assert len(shop.http.get("/v1/quarantine", params={"limit": 2}).json()["rows"]) == 2


def test_rows_and_vectors_are_for_who_may_explain(tmp_path):
    scopes = {"watcher": "metrics", "operator": "admin", "predictor": "predict", "explainer": "explain"}
    given = {name: new_key() for name in scopes}
    keys = tmp_path / "keys.toml"
    keys.write_text("\n".join(line(name, given[name], [scope]) for name, scope in scopes.items()))
    with opened(tmp_path, api_keys=keys) as shop:
        shop.lake.put({"rows": [{"kind": "row", "reason": "x", "at_us": 5, "payload": "{}"}]}, "quarantine", "one")
        vector = {"id": "r", "node": "n", "timestamp_us": 1, "features": tiny.ROW, "power_w": None}
        shop.lake.put(vector, "nodes", "n")

        def codes(path: str, names: Iterable[str] = given) -> list[int]:
            return [shop.http.get(path, headers={"x-api-key": given[name]}).status_code for name in names]

        for path in ("/v1/nodes", "/v1/nodes/n", "/v1/nodes/n/attribution", "/v1/quarantine?limit=1"):
            assert codes(path) == [403, 403, 403, 200], path
        for path in (
            "status",
            "runs",
            "caller",
            "models",
            *(f"models/{tiny.NAME}{p}" for p in ("", "/versions", "/drift")),
        ):
            assert codes(f"/v1/{path}") == [200] * 4, path
        for path in ("now", "events", "nodes/n/history", "nodes/n/moment", "nodes/n/energy", "nodes/n/change"):
            assert codes(f"/v1/{path}", list(given)[:3]) == [403] * 3, path
        assert codes("/v1/series") == [403, 403, 200, 403]


def test_the_last_look_at_drift(shop):
    place = f"/v1/models/{tiny.NAME}/drift"
    assert shop.http.get(place).json() == {"model": tiny.NAME, "report": None, "looks": []}
    column = {
        "name": "busy", "unit": "1", "psi": 0.3, "ks": 0.2, "p": 0.01, "outside": 0.1, "mean_before": 0.5,
        "mean_now": 0.6, "weight": 0.7, "edges": [0, 1], "shares_before": [1.0], "shares_now": [1.0],
    }  # fmt: skip
    report = {
        "model": tiny.NAME, "version": shop.first, "at": "2026-11-02", "before": "held out", "now": "live",
        "rows_before": 60, "rows_now": 70, "left_out": 0, "inputs": [column], "predictions": column,
        "attributions": [], "errors": None, "energy": 0.1, "energy_p": 0.001, "blocks": 20, "tier": "",
        "thresholds": {"watch": 0.1}, "word": "drifted", "reasons": ["busy drifted"],
    }  # fmt: skip
    shop.lake.put(report, "drift", tiny.NAME, "2026-11-02")
    told = shop.http.get(place).json()
    assert (told["report"]["word"], told["report"]["inputs"][0]["psi"]) == ("drifted", 0.3)
    assert told["looks"] == ["2026-11-02"]


def test_a_server_without_a_lake(served):
    assert served.http.get(f"/v1/models/{tiny.NAME}/drift").json()["report"] is None
    assert served.http.get("/v1/runs").status_code == 404
    assert "--lake" in served.http.get("/v1/quarantine").json()["detail"]
    assert served.http.get("/v1/caller").json()["lake"] is False
    assert (
        served.http.post(f"/v1/admin/models/{tiny.NAME}/promote", json={"version": served.version}).status_code == 404
    )


def test_a_promotion_goes_on_after_its_caller_was_answered(tmp_path, monkeypatch):
    may = threading.Event()

    def slow(*args: Any, **more: Any) -> Any:
        may.wait(30)
        return judge_and_promote(*args, **more)

    monkeypatch.setattr(promoting, "judge_and_promote", slow)
    with opened(tmp_path, timeout_s=0.2) as shop:
        first = shop.promote(shop.second, **ADMIN)
        assert (first.status_code, first.json()["state"]) == (202, "judging")
        assert first.headers["location"] == f"/v1/models/{tiny.NAME}/versions"
        assert shop.promote(shop.second, **ADMIN).status_code == 429
        may.set()
        until(lambda: shop.versions()["promotions"][0]["state"] != "judging")
        assert shop.versions()["promotions"][0]["state"] == "promoted"
        assert shop.versions()["channels"][0]["version"] == shop.second
