"""The service inside a host: an application with a lifespan, and Ray Serve's replicas where Ray is installed.

pip install 'ascribe[ray]' && pytest tests/serve/test_on_ray.py
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from ascribe.core.errors import MissingExtra, ServiceError
from ascribe.serve.access.keys import line, new_key
from ascribe.serve.asgi import Application
from ascribe.serve.faults import UnavailableError
from ascribe.serve.settings import Settings
from tests.ports import held_port
from tests.waiting import until

from . import tiny
from .held import holding

RAY = importlib.util.find_spec("ray") is not None
needs_ray = pytest.mark.skipif(not RAY, reason="Ray is not installed: pip install 'ascribe[ray]'")
BODY = {"feature_vector": [{"id": "a", "values": tiny.ROW}], "tier": "exact", "request_id": "r"}
SLOW = {"feature_vector": [{"values": tiny.ROW}] * 256, "estimator": "exact", "samples": 4096}


def told(answer: httpx.Response) -> dict[str, Any]:
    """All of an answer but how long it took."""
    assert answer.status_code == 200, answer.text
    return {name: word for name, word in answer.json().items() if name != "timings_ms"}


@contextmanager
def hosted(application: Application) -> Iterator[tuple[httpx.Client, uvicorn.Server]]:
    """The application on a server that is not ours, which runs its lifespan."""
    server = uvicorn.Server(uvicorn.Config(application, port=0, lifespan="on", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1] if server.started else 0
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            yield http, server
    finally:
        server.should_exit = True
        thread.join()


def test_a_host_opens_the_rooms_and_drains_them(served, tmp_path):
    registry, _ = tiny.publish(tmp_path)
    log: list[bytes] = []
    application = Application(registry, tiny.NAME, Settings(allow_anonymous=True), log.append)
    with pytest.raises(UnavailableError):
        application.check()
    with hosted(application) as (http, server), ThreadPoolExecutor(1) as pool, holding(least=2) as held:
        application.check()
        assert http.get("/v2/health/ready").json()["ready"] is True
        assert told(http.post("/v1/attributions", json=BODY)) == told(served.http.post("/v1/attributions", json=BODY))
        job = http.post("/v1/jobs", json=BODY).json()["id"]
        while (card := http.get(f"/v1/jobs/{job}").json())["state"] != "done":
            assert card["state"] in ("queued", "running"), card
        slow = pool.submit(http.post, "/v1/attributions", json=SLOW | {"samples": 64})
        assert http.get("/metrics").status_code == 404  # not shown by itself where others may reach it
        assert held.began.wait(60)
        server.should_exit = True
        until(lambda: not server.servers[0].is_serving())
        assert not slow.done()
        held.go.set()
        assert slow.result().status_code == 200
    application.check()  # closed as it was told to: no reason to put another in its place
    events = [json.loads(one)["event"] for one in log]
    assert [e for e in events if e in ("ready", "draining", "stopped")] == ["ready", "draining", "stopped"]


def test_what_cannot_be_loaded_fails_the_lifespan_and_leaves_nothing_running(tmp_path):
    registry, _ = tiny.publish(tmp_path)
    application = Application(registry, "other", Settings(allow_anonymous=True), lambda line: None)
    before = {thread.name for thread in threading.enumerate()}
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        said.append(message)

    asyncio.run(application({"type": "lifespan"}, receive, send))
    assert [message["type"] for message in said] == ["lifespan.startup.failed"] and "other" in said[0]["message"]
    with pytest.raises(UnavailableError):
        application.check()
    assert {thread.name for thread in threading.enumerate()} <= before

    said.clear()
    asyncio.run(application({"type": "http", "path": "/v2"}, receive, send))
    assert said[0]["status"] == 503


def test_what_a_host_cannot_keep_is_refused(tmp_path):
    with pytest.raises(ServiceError, match="credentials"):
        Application("registry", tiny.NAME, Settings())
    with pytest.raises(ServiceError, match="certificate"):
        Application("registry", tiny.NAME, Settings(client_ca=tmp_path / "ca.pem", tls_cert=tmp_path / "cert.pem"))


def test_serving_does_not_load_ray():
    code = "import sys, ascribe.serve, ascribe.serve.app, ascribe.serve.asgi; print('ray' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.skipif(RAY, reason="Ray is installed")
def test_without_ray_the_module_says_what_to_install():
    with pytest.raises(MissingExtra, match=r"ascribe\[ray\]"):
        importlib.import_module("ascribe.serve.on_ray")


KEY = new_key()


@pytest.fixture(scope="module")
def on_ray(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[httpx.Client, Any]]:
    """Two replicas behind Ray's proxy, with keys."""
    import ray
    from ray import serve

    from ascribe.serve.on_ray import Args, app

    folder: Path = tmp_path_factory.mktemp("ray")
    registry, _ = tiny.publish(folder)
    (folder / "keys.toml").write_text(line("caller", KEY, ["predict", "explain", "metrics"]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ASCRIBE_API_KEYS", str(folder / "keys.toml"))
        patch.setenv("ASCRIBE_MAX_ROWS", "256")
        patch.setenv("ASCRIBE_JOBS", str(folder / "jobs"))
        patch.setenv("ASCRIBE_POLL_S", "0.2")
        patch.setenv("ASCRIBE_MAX_WAIT_S", "1000")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=80 << 20)
        try:
            with held_port() as port:  # Ray does not say which port it took for 0
                serve.start(http_options={"host": "127.0.0.1", "port": port})
                serve.run(app(Args(registry=registry, model=tiny.NAME, replicas=2)), name="ascribe", route_prefix="/")
                with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, headers={"x-api-key": KEY}) as http:
                    yield http, serve
        finally:
            serve.shutdown()
            ray.shutdown()


@needs_ray
def test_replicas_answer_as_a_server_of_ours(on_ray, served):
    http, serve = on_ray
    assert http.get("/v2/health/ready").json()["ready"] is True
    ours = told(served.http.post("/v1/attributions", json=BODY))
    for _ in range(8):
        assert told(http.post("/v1/attributions", json=BODY)) == ours
    assert http.post("/v1/attributions", json=BODY, headers={"x-api-key": "no"}).status_code == 401
    assert http.post("/v1/attributions", content=b"{", headers={"content-type": "application/json"}).status_code == 400
    assert http.post("/v1/attributions", json={"feature_vector": [{"values": tiny.ROW}] * 257}).status_code == 413
    assert serve.status().applications["ascribe"].status == "RUNNING"


@needs_ray
def test_replicas_share_jobs(on_ray):
    http, _ = on_ray
    jobs = [http.post("/v1/jobs", json=BODY).json()["id"] for _ in range(4)]
    until(lambda: all(http.get(f"/v1/jobs/{job}").json()["state"] == "done" for job in jobs))


@needs_ray
def test_what_runs_is_answered_when_the_application_is_taken_away(on_ray):
    http, serve = on_ray
    with ThreadPoolExecutor(4) as pool:
        slow = [pool.submit(http.post, "/v1/attributions", json=SLOW) for _ in range(4)]
        time.sleep(0.3)
        assert not any(one.done() for one in slow)
        serve.delete("ascribe")
        assert [one.result().status_code for one in slow] == [200] * 4
    assert http.get("/v2/health/ready").status_code == 404
