"""The fuzz of `benchmarks.fuzz` at reduced size, and that it would see what it looks for."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest

from benchmarks.fuzz import soak as soaking
from benchmarks.fuzz.asking import Asker
from benchmarks.fuzz.canaries import Canaries
from benchmarks.fuzz.http_inputs import Sent
from benchmarks.fuzz.schema import drive
from benchmarks.fuzz.server import Server, served, told_wrong
from benchmarks.fuzz.soak import FAMILIES, family_of, leak, made, soak

INPUTS, CASES = 3000, 300


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(tmp_path_factory.mktemp("fuzz")) as found:
        yield found


def test_malformed_inputs_give_no_fault_of_ours(server):
    told = soak(server, INPUTS, seed=11)
    assert not told.failed, told.failures
    assert told.inputs == INPUTS and told.canaries > INPUTS // soaking.CANARY
    assert set(told.statuses) == set(FAMILIES)
    http = sum((told.statuses[name] for name in ("json", "infer", "arrow", "jobs", "paths", "packed")), Counter())
    assert min(http[status] for status in ("200", "202", "400", "404", "405", "413", "415")) > 0
    assert min(told.statuses["grpc"][name] for name in ("OK", "INVALID_ARGUMENT", "NOT_FOUND")) > 0
    assert told.statuses["protobuf"]["INVALID_ARGUMENT"] > 0


def test_every_operation_of_the_document_answers_as_it_says(server):
    found = drive(server.at["http"], CASES, 11)
    assert not found["failures"], found["failures"]
    assert found["cases"] >= CASES // 2
    assert {label for label in found["statuses"] if label != "GET /openapi.json"} == {
        f"{verb.upper()} {path}"
        for path, verbs in document(server)["paths"].items()
        for verb in verbs
        if path != "/openapi.json"  # which Schemathesis leaves out
    }
    assert server.alive() and not server.wrong


def document(server: Server) -> dict:
    answer, raw = Asker(server.at["http"], server.at["grpc"]).http(Sent("GET", "/openapi.json", {}))
    assert answer.status == 200
    return json.loads(raw)


@pytest.mark.parametrize("family", list(FAMILIES))
def test_an_input_can_be_made_again_alone(family, monkeypatch):
    once = [made(family, 5, number) for number in range(40)]
    later = time.time() + 3600
    monkeypatch.setattr(time, "time", lambda: later)  # which a gzip's head would hold
    assert once == [made(family, 5, number) for number in range(40)]
    assert len(set(map(repr, once))) > 20
    assert family in {family_of(5, number) for number in range(2000)}


class Bad(BaseHTTPRequestHandler):
    """Answers by its path: a status and a body."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status, _, body = self.path[1:].partition("/")
        if status == "0":
            self.close_connection = True
            return
        self.send_response(int(status))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *words: object) -> None: ...


@pytest.fixture(scope="module")
def bad() -> Iterator[Asker]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Bad) as web:
        threading.Thread(target=web.serve_forever, daemon=True).start()
        yield Asker(f"http://127.0.0.1:{web.server_port}", "127.0.0.1:1")
        web.shutdown()


@pytest.mark.parametrize(
    ("path", "status", "faulty"),
    [
        ("/404/", "404", False),
        ("/500/", "500", True),
        ('/503/{"code":"unavailable","detail":"loading"}', "503", False),
        ('/504/{"code":"deadline","detail":"late"}', "504", False),
        ('/503/{"code":"internal","detail":"x"}', "503", True),
        ('/504/{"code":"deadline","detail":""}', "504", True),
        ("/502/", "502", True),
        ("/0/", "closed", True),
    ],
)
def test_what_is_a_fault(bad, path, status, faulty):
    outcome = bad.ask(Sent("GET", path, {}))
    assert (outcome.status, bool(outcome.fault)) == (status, faulty)


def test_a_canary_that_changes_is_seen(server):
    canaries, asker = Canaries(), Asker(server.at["http"], server.at["grpc"])
    for number in range(16):
        canaries.sing(asker, number)
    assert not canaries.died and len(canaries.first) == 8
    assert not any(isinstance(answer, str) and "Error" in answer for answer in canaries.first.values())
    canaries.first["exact"]["attributions"][0]["prediction"] += 1e-12
    canaries.sing(asker, 0)
    assert len(canaries.died) == 1 and canaries.died[0].startswith("exact")


def test_a_canary_that_a_full_server_sends_away_comes_again(server, monkeypatch):
    canaries, asker = Canaries(), Asker(server.at["http"], server.at["grpc"])
    ask, full = asker.http, json.dumps({"detail": "48 rows wait, about 1 s: come again later"}).encode()
    answers = [(SimpleNamespace(status=429), full)] * 2
    monkeypatch.setattr(asker, "http", lambda sent: answers.pop() if answers else ask(sent))
    canaries.sing(asker, 0)
    assert canaries.again == 2 and not canaries.died and "attributions" in canaries.first["exact"]


def test_lines_of_a_log_that_tell_of_a_fault_are_seen():
    lines = [
        '{"event":"request","verb":"prediction","code":"internal","cause":"KeyError at a.py:1"}',
        '{"event":"request","verb":"prediction","code":"invalid_input"}',
        "Invalid HTTP request received.",
        "Traceback (most recent call last):",
        '  File "a.py", line 1, in f',
        "ValueError: no",
        "Task exception was never retrieved",
    ]
    found = list(told_wrong(iter(lines)))
    assert found == [
        "request prediction: KeyError at a.py:1",
        'Traceback (most recent call last): | File "a.py", line 1, in f | ValueError: no',
        "Task exception was never retrieved",
    ]


def test_memory_that_grows_is_seen():
    flat = [(500 * k, 300_000_000 + 40_000 * (k % 7)) for k in range(200)]
    filling = [(n, rss - max(0, 80 - k) * 500_000) for k, (n, rss) in enumerate(flat)]
    assert not leak(flat) and not leak(filling)
    assert "bytes an input" in leak([(n, rss + 200 * n) for n, rss in flat])
    short = flat[:6]
    assert not leak(short)
    assert "after the warm-up" in leak([*short, (3500, 400_000_000)])


def test_a_server_that_is_gone_ends_the_soak(server, monkeypatch):
    monkeypatch.setattr(soaking, "family_of", lambda seed, number: "lines")
    at = {"http": "http://127.0.0.1:1", "grpc": "127.0.0.1:1"}
    monkeypatch.setattr(Server, "__init__", lambda self: None)
    gone = Server()  # type: ignore[call-arg]
    gone.at, gone.wrong, gone.again, gone.process = at, [], 0, SimpleNamespace(poll=lambda: -11, returncode=-11)
    monkeypatch.setattr(Canaries, "sing", lambda self, asker, number: None)  # or gRPC waits for it
    told = soak(gone, 1000, seed=1)
    assert told.inputs == soaking.ROUND
    assert any("the server ended with" in kind for kind in told.kinds)
    assert told.statuses["lines"]["refused"] == soaking.ROUND
