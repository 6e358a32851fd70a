"""Several processes on one address: shared out, watched, drained together."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from ascribe.serve import workers
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from tests.ports import held_port
from tests.waiting import until

from . import tiny
from .observe.reading import total

ROWS = [{"values": tiny.ROW}]


class House:
    """The supervisor and what its workers logged."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process, self.events = process, []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                self.events.append(json.loads(line))

    def ready(self) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == "ready"]

    def workers(self) -> list[int]:
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in path.read_text().split()]


@contextmanager
def house(folder: Path, count: int = 2, **more: str) -> Iterator[House]:
    registry, _ = tiny.publish(folder)
    command = [sys.executable, "-m", "ascribe", "serve", "--registry", registry, "--model", tiny.NAME, "--workers",
               str(count), "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]  # fmt: skip
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, env=os.environ | more, **pipes) as process:
        held = House(process)
        try:
            until(lambda: len(held.ready()) == count or process.poll() is not None)
            assert len(held.ready()) == count
            yield held
        finally:
            process.terminate()
            process.wait(60)


def test_connections_are_shared_out_a_dead_worker_is_replaced_and_all_end_together(tmp_path):
    with house(tmp_path) as held:
        first, second = held.ready()
        assert (first["http"], first["grpc"]) == (second["http"], second["grpc"])
        for _ in range(40):
            with httpx.Client(base_url=first["http"]) as http:
                assert http.post("/v1/attributions", json={"feature_vector": ROWS}).status_code == 200
        for _ in range(10):
            options = [("grpc.use_local_subchannel_pool", 1)]
            with grpc.insecure_channel(first["grpc"], options) as channel:
                ask = pb.AttributionRequest(feature_vector=[pb.FeatureVector(values=list(tiny.ROW.values()))])
                assert len(AttributionServiceStub(channel).GetAttribution(ask, timeout=60).attributions) == 1
        before = held.workers()
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        until(lambda: len(held.ready()) == 3)
        assert before[0] not in held.workers()
        assert httpx.get(first["http"] + "/v2/health/ready").status_code == 200
        pids = held.workers()
        assert len(pids) == 2
        held.process.send_signal(signal.SIGTERM)
        assert held.process.wait(60) == 0
        until(lambda: [event["event"] for event in held.events].count("stopped") == 2)  # the pipe is read beside us
        assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def test_one_worker_shows_the_metrics_of_all_at_their_own_address_and_again_after_it_died(tmp_path):
    with held_port() as port, house(tmp_path, ASCRIBE_METRICS_HTTP=f"127.0.0.1:{port}") as held:
        own = f"http://127.0.0.1:{port}/metrics"
        http = held.ready()[0]["http"]
        for _ in range(10):
            assert httpx.get(http + "/metrics").status_code == 404
            reply = httpx.post(http + "/v1/predictions", json={"feature_vector": ROWS})
            assert reply.status_code == 200
        until(lambda: total(httpx.get(own).text, "attribution_requests_total") == 10)
        os.kill(held.workers()[0], signal.SIGKILL)
        until(lambda: [event["event"] for event in held.events].count("metrics") == 2)
        assert httpx.get(own).status_code == 200


@pytest.mark.parametrize(
    ("more", "text"),
    [(["--model", "nothing"], "no model 'nothing'"), (["--model", tiny.NAME, "--http", "nowhere"], "is no address")],
)
def test_what_cannot_start_stops_all_and_says_why(tmp_path, more, text):
    registry, _ = tiny.publish(tmp_path)
    command = [sys.executable, "-m", "ascribe", "serve", "--registry", registry, "--workers", "2", "--grpc",
               "127.0.0.1:0", *(["--http", "127.0.0.1:0"] if "--http" not in more else []), *more]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 2
    assert text in done.stderr


def test_a_worker_that_died_a_thousand_times_is_still_started_again():
    worker = workers._Worker([sys.executable, "-c", "raise SystemExit(1)"], dict(os.environ))
    worker.deaths = 1023
    assert worker.process is not None
    worker.process.wait(60)
    worker.at = time.monotonic()  # however slowly this machine starts a process
    assert worker.watched() is None
    assert worker.deaths == 1024
    assert 0 < worker.at - time.monotonic() <= workers.SLOWEST_S


def test_no_worker_outlives_a_parent_that_fails(monkeypatch):
    started: list[subprocess.Popen[bytes]] = []

    def start(self: workers._Worker) -> None:
        self.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        started.append(self.process)

    def watched(self: workers._Worker) -> int | None:
        raise OSError("no room for another process")

    monkeypatch.setattr(workers._Worker, "start", start)
    monkeypatch.setattr(workers._Worker, "watched", watched)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(OSError, match="no room"):
        workers.supervise(2, "127.0.0.1:0", "127.0.0.1:0", [], {}, lambda _: None)
    assert [process.poll() for process in started] == [-signal.SIGTERM] * 2
