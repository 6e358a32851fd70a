"""The room alone, with a model of plain functions: leases, deadlines, callers who leave."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import httpx
import numpy as np
import pytest

from ascribe.core.errors import CapabilityError, NotFound
from ascribe.core.features import Feature
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.serve.faults import FAULTS, DeadlineError, InvalidRowsError, UnavailableError, problem_of
from ascribe.serve.messages import AttributionAsked, AttributionResponse, EnergyAsked
from ascribe.serve.observe.log import Log
from ascribe.serve.rest.door import http_door
from ascribe.serve.rows import Row
from ascribe.serve.rpc.door import NAMES, Door, attach
from ascribe.serve.rpc.health import Health
from ascribe.serve.service import Service
from ascribe.serve.settings import Settings
from ascribe.serve.versions.leases import Lease, Versions
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub

ASKED = AttributionAsked(method="kernel_shap")


class Counting:
    """A model that counts its calls and takes `seconds` for each."""

    def __init__(self, seconds: float = 0.0) -> None:
        self.calls, self.seconds = 0, seconds

    def __call__(self, X: np.ndarray) -> np.ndarray:
        self.calls += 1
        time.sleep(self.seconds)
        return X.sum(axis=1)


def lease(predict: Counting, version: str = "1") -> Lease:
    features = (Feature("a"), Feature("b"))
    model = Model(features, predict=predict, background=np.zeros((2, 2)), base_value=0.0, version=version)
    return Lease("m", "production", version, "0" * 64, model, np.zeros((1, 2)))


def room(predict: Counting, **settings: object) -> tuple[Service, Versions]:
    versions = Versions()
    versions.swap(lease(predict))
    return Service(versions, Settings(**settings), ThreadPoolExecutor(1)), versions


def rows(count: int) -> list[Row]:
    return [Row(values=[1.0, float(k)]) for k in range(count)]


def test_nothing_is_served_before_the_model_is_loaded():
    service = Service(Versions(), Settings(), ThreadPoolExecutor(1))
    assert service.live()
    assert not service.ready()
    with pytest.raises(UnavailableError, match="loading"):
        asyncio.run(service.attribute(ASKED, rows(1)))

    async def asked() -> list[httpx.Response]:
        door = http_door(service, Settings(), Log(lambda line: None))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://here") as http:
            posted = await http.post("/v1/attributions", json={"feature_vector": {"values": [1, 2]}})
            return [await http.get("/v2/health/ready"), posted, await http.get("/v1/models")]

    for answer in asyncio.run(asked()):
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"] == "1"
        assert answer.json().get("ready", False) is False


def test_warming_makes_it_ready_and_draining_ends_that():
    predict = Counting()
    service = Service(Versions(), Settings(), ThreadPoolExecutor(1))
    asyncio.run(service.warm(lease(predict)))
    assert predict.calls > 0
    assert service.ready()
    service.drain()
    assert not service.ready()
    assert asyncio.run(service.attribute(ASKED, rows(1))).attributions[0].prediction == 1.0


def test_a_lease_outlives_a_swap():
    service, versions = room(Counting())
    held = versions.lease("m@production", "1")
    versions.swap(lease(Counting(), "2"))
    assert held.version == "1"
    assert asyncio.run(service.attribute(ASKED, rows(1))).version == "2"
    with pytest.raises(NotFound, match="version 2"):
        versions.lease("m", "1")


def test_the_servers_own_deadline_stops_the_work():
    predict = Counting(0.01)
    service, _ = room(predict, timeout_s=0.05)
    with pytest.raises(DeadlineError, match="not done within"):
        asyncio.run(service.attribute(ASKED, rows(1000)))
    time.sleep(0.05)
    assert predict.calls < 100


@pytest.mark.parametrize("door", ["http", "grpc"])
def test_who_hangs_up_is_not_computed_for(door):
    predict, log = Counting(0.01), []
    service, _ = room(predict, max_rows=5000)

    async def over_http() -> None:
        web = http_door(service, Settings(), Log(log.append))
        body = json.dumps(
            {"method": "kernel_shap", "feature_vector": [{"values": [1, k]} for k in range(1000)]}
        ).encode()
        parts = [{"type": "http.request", "body": body, "more_body": False}, {"type": "http.disconnect"}]

        async def receive() -> dict:
            while len(parts) == 1 and not predict.calls:
                await asyncio.sleep(0.01)
            return parts.pop(0)

        async def send(message: dict) -> None:
            pass

        scope = {
            "type": "http", "method": "POST", "path": "/v1/attributions", "headers": [], "query_string": b"",
            "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "root_path": "", "raw_path": b"",
            "server": ("here", 80),
        }  # fmt: skip
        await web(scope, receive, send)

    async def over_grpc() -> None:
        server = grpc.aio.server()
        attach(server, Door(service, Settings(), Log(log.append)), Health(NAMES), reflect=False)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            vectors = [pb.FeatureVector(values=[1, k]) for k in range(1000)]
            call = AttributionServiceStub(channel).GetAttribution(
                pb.AttributionRequest(feature_vector=vectors, method="kernel_shap")
            )
            while not predict.calls:
                await asyncio.sleep(0.01)
            call.cancel()
            while not log:
                await asyncio.sleep(0.01)
        await server.stop(0)

    asyncio.run(over_http() if door == "http" else over_grpc())
    calls = predict.calls
    time.sleep(0.1)
    assert 0 < calls <= predict.calls < 100
    assert predict.calls - calls <= 4
    assert json.loads(log[0])["code"] == "cancelled"


def test_the_loop_stays_free_while_threads_work():
    begun, turned = threading.Event(), threading.Event()

    def waiting(X: np.ndarray) -> np.ndarray:
        begun.set()
        assert turned.wait(60), "the loop did not turn while the model was asked"
        return X.sum(axis=1)

    service, _ = room(waiting)  # type: ignore[arg-type]

    async def asked() -> AttributionResponse:
        work = asyncio.ensure_future(service.attribute(ASKED, rows(10)))
        while not begun.is_set():
            await asyncio.sleep(0.005)
        turned.set()
        return await work

    assert len(asyncio.run(asked()).attributions) == 10


def test_energy_needs_an_energy_model():
    service, _ = room(Counting())
    with pytest.raises(CapabilityError, match="trained without"):
        asyncio.run(service.energy(EnergyAsked(observed=["a"]), rows(1)))


def test_our_own_faults_say_nothing_of_the_inside():
    def fails(X: np.ndarray) -> np.ndarray:
        raise RuntimeError("secret 123.456")

    service, log = room(fails)[0], []  # type: ignore[arg-type]

    async def asked() -> httpx.Response:
        door = http_door(service, Settings(), Log(log.append))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://here") as http:
            body = {"feature_vector": {"values": [1, 2]}, "method": "kernel_shap"}
            return await http.post("/v1/attributions", json=body)

    answer = asyncio.run(asked())
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert "secret" not in answer.text
    assert b"secret" not in log[0]
    assert json.loads(log[0])["cause"].startswith("RuntimeError at test_service.py:")


def test_every_fault_has_a_status_at_both_doors():
    assert set(FAULTS) == {
        "invalid_input", "not_found", "precondition", "too_large", "unavailable", "deadline", "cancelled",
        "unsupported", "internal", "forbidden", "auth", "shed",
    }  # fmt: skip
    assert all(hasattr(grpc.StatusCode, fault.grpc) for fault in FAULTS.values())
    assert problem_of(InvalidRowsError(["why", ""])).violations == (("feature_vector[0]", "why"),)
    assert problem_of(ZeroDivisionError("x")).code == "internal"


def test_a_method_by_name_is_not_exchanged_for_a_faster_tier(monkeypatch):
    service, versions = room(Counting())
    monkeypatch.setattr(service.explaining, "crowd", lambda: 1.0)
    monkeypatch.setattr("ascribe.serve.service.kinds.lowered", lambda model, tier, steps: "fast")
    asked = AttributionAsked(method="kernel_shap", allow_lower_tier=True)
    assert service._kind(versions.lease("m").model, asked, Options(), 1)[1] == ""
