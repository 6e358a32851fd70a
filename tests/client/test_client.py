"""The client against real servers: both protocols, waited for and awaited, give the same typed answers."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import grpc
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from google.protobuf import any_pb2
from google.rpc import code_pb2, error_details_pb2, status_pb2
from grpc_status import rpc_status

import ascribe
from ascribe.client import AsyncClient, Client, Tls, Vector
from ascribe.client.rows import vectors
from ascribe.client.tries import Tries
from ascribe.core.errors import CapabilityError, InputError, NotFound, SchemaError, ServiceError
from ascribe.serve.app import Addresses, running
from ascribe.serve.faults import DeadlineError, ShedError, TooLargeError, UnavailableError
from ascribe.serve.settings import Settings
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import (
    AttributionServiceServicer,
    add_AttributionServiceServicer_to_server,
)
from tests.ports import held_port
from tests.serve import tiny

NAMES = list(tiny.ROW)
ROWS = np.random.default_rng(1).uniform([0.1, 1.0, 2.0], [0.9, 3.5, 15.0], (20, 3))
WAYS = ("http", "http awaited", "grpc", "grpc awaited")


class Awaited:
    """An AsyncClient, waited for, so that the same tests hold for both."""

    def __init__(self, url: str, **options: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._client = self._loop.run_until_complete(self._opened(url, options))

    async def _opened(self, url: str, options: dict[str, Any]) -> AsyncClient:
        return AsyncClient(url, **options)

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._client, name)

        def call(*args: Any, **wishes: Any) -> Any:
            made = verb(*args, **wishes)
            if inspect.isawaitable(made):
                return self._loop.run_until_complete(made)
            return iter(self._loop.run_until_complete(self._all(made)))

        return call

    async def _all(self, made: Any) -> list[Any]:
        return [one async for one in made]

    def close(self) -> None:
        self._loop.run_until_complete(self._client.aclose())
        self._loop.close()


def client_of(way: str, address: str, **options: Any) -> Any:
    scheme = way.split()[0]
    url = address if address.startswith("http") else f"{scheme}://{address}"
    return (Awaited if "awaited" in way else Client)(url, **options)


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    registry, _ = tiny.publish(tmp_path_factory.mktemp("client"))
    with running(registry, tiny.NAME, Settings(max_rows=16), write=lambda line: None) as at:
        yield at


@pytest.fixture(params=WAYS)
def client(request: pytest.FixtureRequest, at: Addresses) -> Iterator[Any]:
    held = client_of(request.param, at.http if request.param.startswith("http") else at.grpc)
    yield held
    held.close()


def test_predictions_attributions_and_energies_are_typed(client):
    told = client.predict(ROWS[:3])
    assert [row.prediction for row in told.predictions] == pytest.approx(tiny.BIAS + ROWS[:3] @ tiny.WEIGHTS, rel=1e-5)
    answer = client.explain(tiny.ROW, tier="exact", measured_w=100.0, ids=["a"])
    row = answer.attributions[0]
    assert (answer.tier, answer.unit, row.id, row.status, row.measured_w) == ("exact", "W", "a", "ok", 100.0)
    assert sum(row.attribution_shares.values()) + row.base_value == pytest.approx(row.prediction)
    groups = client.explain(tiny.ROW, groups={"cpu": ["busy", "ghz"]}, seed=3, budget=8).features
    assert groups == ["cpu", "misses"]
    energy = client.energy(tiny.ROW, [["busy"], ["busy", "ghz"]])
    assert [c.observed for c in energy.energies[0].coalitions] == [["busy"], ["busy", "ghz"]]
    assert len(client.energy(tiny.ROW, ["ghz"]).energies[0].coalitions) == 1


def test_all_ways_give_the_same_answer(at):
    answers = []
    for way in WAYS:
        held = client_of(way, at.http if way.startswith("http") else at.grpc)
        answer = held.explain(ROWS[:2], tier="accurate", request_id="same")
        answer.timings_ms = {}
        answers.append(answer)
        held.close()
    assert answers[0] == answers[1] == answers[2] == answers[3]


@pytest.mark.parametrize(
    "X",
    [
        ROWS[:2], ROWS[:2].tolist(), pd.DataFrame(ROWS[:2], columns=NAMES), pl.DataFrame(ROWS[:2], schema=NAMES),
        pa.table(dict(zip(NAMES, ROWS[:2].T, strict=True))), dict(zip(NAMES, ROWS[:2].T.tolist(), strict=True)),
        [dict(zip(NAMES, row, strict=True)) for row in ROWS[:2]], [Vector(ROWS[0]), Vector(ROWS[1], names=NAMES)],
        dict(zip(reversed(NAMES), ROWS[:2].T[::-1], strict=True)),
    ],
    ids=["array", "list", "pandas", "polars", "arrow", "columns", "mappings", "vectors", "columns of arrays"],
)  # fmt: skip
def test_rows_come_as_callers_have_them(at, X):
    with Client(at.http) as client:
        assert [row.prediction for row in client.predict(X).predictions] == [
            row.prediction for row in client.predict(ROWS[:2]).predictions
        ]


def test_rows_keep_what_belongs_to_them_and_wrong_ones_are_refused_here():
    frame = pd.DataFrame(ROWS[:2], columns=NAMES).assign(node="n1")
    found = vectors(frame, ids=["a", "b"], measured_w=[90, 91.5], features=NAMES, units={"ghz": "GHz"})
    assert found[1] == {
        "names": NAMES, "values": ROWS[1].tolist(), "id": "b", "measured_w": 91.5, "units": ["", "GHz", ""],
    }  # fmt: skip
    for wrong, kind in (
        (lambda: vectors(frame), SchemaError),
        (lambda: vectors(ROWS, ids=["a"]), InputError),
        (lambda: vectors(ROWS, measured_w=[1.0]), InputError),
        (lambda: vectors({"busy": {}}), InputError),
        (lambda: vectors(Path("nowhere.png")), InputError),
        (lambda: vectors(np.zeros((2, 2, 2))), InputError),
        (lambda: vectors(ROWS, units={"ghz": "GHz"}), InputError),
    ):
        with pytest.raises(kind):
            wrong()


def test_refusals_are_exceptions_of_the_one_tree(client):
    for kind, wrong in (
        (NotFound, lambda: client.explain(tiny.ROW, model="other")),
        (CapabilityError, lambda: client.explain(tiny.ROW, tier="balanced")),
        (InputError, lambda: client.explain(tiny.ROW, method="guess")),
        (InputError, lambda: client.explain([1.0])),
        (TooLargeError, lambda: client.predict(ROWS[np.zeros(17, int)])),
        (NotFound, lambda: client.job("0" * 32)),
        (NotFound, lambda: client.attribution("never")),
        (InputError, lambda: client.job("")),
    ):
        with pytest.raises(kind) as caught:
            wrong()
        assert str(caught.value) and "\n" not in str(caught.value)


def test_a_job_from_submission_to_result(client):
    rows = np.concatenate([ROWS] * 3)
    card = client.submit(rows, tier="exact", ids=[str(i) for i in range(60)])
    assert (card.state, card.total) == ("queued", 60)
    assert client.wait(card.id, timeout=120, every_s=0.05).state == "done"
    found = client.result(card.id)
    assert [row.id for row in found.attributions] == [str(i) for i in range(60)]
    assert found.attributions[7] == client.explain(rows[7], tier="exact", ids=["7"]).attributions[0]
    assert [row.id for row in client.result(card.id, 18, 20).attributions] == [str(i) for i in range(18, 38)]
    assert client.cancel(card.id).state == "done"


def test_a_result_before_the_end_is_refused_and_a_wait_can_be_too_long(client):
    rows = np.concatenate([ROWS] * 50)
    card = client.submit(rows, samples=4096, estimator="exact")
    with pytest.raises(CapabilityError, match="of 1000 rows"):
        client.result(card.id)
    with pytest.raises(DeadlineError, match="wait again"):
        client.wait(card.id, timeout=0.0, every_s=0.01)
    assert client.cancel(card.id).state == "cancelled"


def test_a_prediction_now_and_its_attribution_later(client):
    told = client.predict(tiny.ROW, explain="later", tier="exact")
    answer = client.attribution(told.attribution_id, wait_s=10)
    assert answer is not None and answer.tier == "exact"
    assert answer.attributions[0].prediction == told.predictions[0].prediction


def test_a_stream_answers_every_chunk_and_a_bad_one_ends_nothing(client):
    chunks = [ROWS[k : k + 1] for k in range(12)]
    chunks[4], chunks[5] = [[1.0]], [["x"]]
    found = {one.index: one for one in client.stream(chunks, tier="exact")}
    assert sorted(found) == list(range(12))
    assert isinstance(found[4].error, InputError) and isinstance(found[5].error, InputError)
    alone = client.explain(ROWS[7], tier="exact").attributions
    assert found[7].error is None and found[7].answer.attributions == alone


def test_models_are_described(at):
    for way in ("http", "http awaited"):
        held = client_of(way, at.http)
        assert held.models() == [tiny.NAME]
        assert [f["name"] for f in held.card().features] == NAMES
        told = held.explainers(tiny.NAME)
        assert told.outputs[0].methods == ["conditional_shap", "kernel_shap", "permutation_shap", "lime", "occlusion"]
        assert list(told.outputs[0].tiers) == ["accurate", "exact"] and "exact" in told.outputs[0].estimators
        for ask in (
            held.nodes,
            held.status,
            lambda held=held: held.node("n"),
            lambda held=held: held.explain_node("n"),
        ):
            with pytest.raises(NotFound, match="knows no lake"):
                ask()
        held.close()
    with Client("grpc://" + at.grpc) as client, pytest.raises(CapabilityError, match=r"http\(s\)"):
        client.models()


@pytest.fixture
def port() -> Iterator[int]:
    with held_port() as port:
        yield port


@pytest.mark.parametrize("way", WAYS)
def test_nobody_there_is_said_after_the_tries(way, port):
    held = client_of(way, f"{way.split()[0]}://127.0.0.1:{port}".removeprefix("grpc://"), timeout=10, tries=2)
    with pytest.raises(UnavailableError, match=r"cannot be reached \(.*\): is (a server|one) there\?"):
        held.predict(tiny.ROW)
    held.close()


@pytest.mark.parametrize("way", WAYS)
def test_a_server_that_starts_meanwhile_is_found(way, at, port):
    target = at.http.removeprefix("http://") if way.startswith("http") else at.grpc
    held = client_of(way, f"{way.split()[0]}://127.0.0.1:{port}".removeprefix("grpc://"), timeout=20, tries=30)
    stop = threading.Event()

    def open_late() -> None:
        time.sleep(0.3)
        host, _, to = target.rpartition(":")
        with socket.create_server(("127.0.0.1", port)) as listener:
            listener.settimeout(0.1)
            while not stop.is_set():
                try:
                    near, _ = listener.accept()
                except TimeoutError:
                    continue
                far = socket.create_connection((host, int(to)))
                for a, b in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=(a, b), daemon=True).start()

    late = threading.Thread(target=open_late)
    late.start()
    try:
        assert held.predict(tiny.ROW).predictions[0].status == "ok"
    finally:
        held.close()
        stop.set()
        late.join()


def pump(a: socket.socket, b: socket.socket) -> None:
    try:
        while raw := a.recv(1 << 16):
            b.sendall(raw)
    except OSError:
        pass


class Busy(BaseHTTPRequestHandler):
    """Refuses the first calls as `script` says, then answers."""

    protocol_version = "HTTP/1.1"
    script: ClassVar[list[tuple[int, str | None]]] = []
    seen: ClassVar[list[dict[str, str]]] = []
    damaged: ClassVar[bytes] = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.seen.append({name.lower(): value for name, value in self.headers.items()})
        status, again = self.script.pop(0) if self.script else (200, None)
        fields = '"model":"m","version":"v","sha256":"","unit":"W","output":"","request_id":"","timings_ms":{},'
        body = f'{{{fields}"predictions":[]}}' if status == 200 else '{"code":"shed","detail":"too much at once"}'
        told = self.damaged or body.encode()
        self.send_response(status)
        if again:
            self.send_header("Retry-After", again)
        self.send_header("Content-Length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def busy() -> Iterator[tuple[str, type[Busy]]]:
    kind = type("Mine", (Busy,), {"script": [], "seen": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", kind
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("way", ["http", "http awaited"])
def test_a_refusal_that_says_when_is_tried_again_and_no_other(busy, way):
    url, seen = busy
    held = client_of(way, url, timeout=20)
    seen.script = [(429, "0.01"), (503, "0")]
    assert held.predict(tiny.ROW).model == "m" and len(seen.seen) == 3
    for status in (429, 503, 500, 502):
        seen.script, before = [(status, None)], len(seen.seen)
        with pytest.raises(ServiceError):
            held.predict(tiny.ROW)
        assert len(seen.seen) == before + 1
    seen.script = [(429, "30")]
    with pytest.raises(ShedError, match="too much at once") as caught:
        held.predict(tiny.ROW)
    assert caught.value.retry_s == 30
    held.close()


@pytest.mark.parametrize("way", ["http", "http awaited"])
@pytest.mark.parametrize("damaged", [b"<html>", b'{"model": "\xff"}', b'{"code": ' + 9999 * b"["])
def test_an_answer_that_cannot_be_read_is_said(busy, way, damaged):
    url, seen = busy
    seen.damaged = damaged
    held = client_of(way, url)
    with pytest.raises(ServiceError, match="cannot be read"):
        held.predict(tiny.ROW)
    seen.script = [(502, None)]
    with pytest.raises(ServiceError, match="answers 502: is this address a server's"):
        held.predict(tiny.ROW)
    held.close()


def test_credentials_go_with_every_call(busy):
    url, seen = busy
    with Client(url, api_key="k", token="t") as client:
        client.predict(tiny.ROW)
    assert (seen.seen[0]["x-api-key"], seen.seen[0]["authorization"]) == ("k", "Bearer t")


class BusyRpc(AttributionServiceServicer):
    """Refuses twice with a wait, once without, then answers; keeps the metadata and the time that it was given."""

    def __init__(self) -> None:
        self.calls, self.left, self.metadata = 0, 0.0, {}

    def GetPrediction(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.calls += 1
        self.left, self.metadata = context.time_remaining(), dict(context.invocation_metadata())
        if self.calls in (1, 2):
            retry, box = error_details_pb2.RetryInfo(), any_pb2.Any()
            retry.retry_delay.FromMilliseconds(10)
            box.Pack(retry)
            held = status_pb2.Status(code=code_pb2.RESOURCE_EXHAUSTED, message="later", details=[box])
            context.abort_with_status(rpc_status.to_status(held))
        if self.calls == 3:
            context.abort(grpc.StatusCode.UNAVAILABLE, "going away")
        if self.calls == 5:
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "message too large")
        return pb.PredictionResponse(model="m")

    def StartAttributionJob(self, request: Any, context: Any) -> Any:  # noqa: N802
        self.calls += 1
        context.abort(grpc.StatusCode.UNAVAILABLE, "going away")


@pytest.mark.parametrize("way", ["grpc", "grpc awaited"])
def test_grpc_is_tried_again_only_where_it_is_safe(way):
    server = grpc.server(futures.ThreadPoolExecutor(2))
    busy = BusyRpc()
    add_AttributionServiceServicer_to_server(busy, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    held = client_of(way, f"127.0.0.1:{port}", api_key="k", timeout=15)
    try:
        assert held.predict(tiny.ROW).model == "m" and busy.calls == 4
        assert 0 < busy.left < 15.5 and busy.metadata["x-api-key"] == "k"  # the wire rounds a deadline up
        with pytest.raises(TooLargeError):
            held.predict(tiny.ROW)
        assert busy.calls == 5
        with pytest.raises(UnavailableError):
            held.submit(tiny.ROW)
        assert busy.calls == 6
    finally:
        held.close()
        server.stop(None)


@pytest.mark.parametrize("way", WAYS)
def test_a_timeout_is_kept(way):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        address = f"http://127.0.0.1:{port}" if way.startswith("http") else f"127.0.0.1:{port}"
        held = client_of(way, address, timeout=0.3)
        with pytest.raises((DeadlineError, UnavailableError)):
            held.predict(tiny.ROW)
        held.close()


@pytest.mark.parametrize("way", ["http", "http awaited"])
def test_a_timeout_is_kept_where_the_answer_drips(way):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            near, _ = listener.accept()
            with near, contextlib.suppress(OSError):  # who asked has left
                near.recv(1 << 16)
                near.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n")
                for _ in range(390):  # of 400: the answer is never whole
                    near.sendall(b" ")
                    time.sleep(0.1)

        dripping = threading.Thread(target=drip)
        dripping.start()
        held = client_of(way, f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.5)
        start = time.monotonic()
        with pytest.raises(DeadlineError):
            held.predict(tiny.ROW)
        assert time.monotonic() - start < 30
        held.close()
        dripping.join()


def test_a_thousand_tries_have_pauses_too():
    tries = Tries(5000, 1e6)
    tries._made = 2000
    assert tries.pause(OSError()) <= 2


def test_addresses_and_files_that_cannot_be_used_are_said(tmp_path):
    for url in ("127.0.0.1:80", "ftp://x", "http://", "", "grpc://"):
        with pytest.raises(InputError, match="no address of a server"):
            Client(url)
    for options in ({"timeout": 0}, {"tries": 0}):
        with pytest.raises(InputError):
            Client("http://h", **options)
    for url in ("https://h", "grpcs://h"):
        with pytest.raises(InputError, match="PEM files"):
            Client(url, tls=Tls(ca=tmp_path / "none.pem"))


def test_it_is_offered_by_the_package_and_loads_no_server():
    assert ascribe.Client is Client and ascribe.AsyncClient is AsyncClient
    code = "import sys, ascribe; ascribe.Client('http://h'); ascribe.Client('grpc://h'); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert {"httpx", "grpc"} <= loaded
    assert not loaded & {"onnxruntime", "fastapi", "uvicorn", "obstore", "pyarrow", "pandas", "polars", "pydantic"}


def test_the_example_of_the_page_runs(at, capsys):
    page = (Path(__file__).parents[2] / "docs/client.md").read_text()
    code = page.split("```python\n")[1].split("```")[0]
    for url in (at.http, f"grpc://{at.grpc}"):
        exec(code.replace("http://127.0.0.1:8080", url), {})
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("W {'") and sorted(first) == sorted(second)
