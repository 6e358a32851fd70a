"""How a server is asked: who asks, how long it is tried, and what is said when it fails."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from types import SimpleNamespace

import numpy as np
import pytest

from ascribe.core.errors import SourceError
from ascribe.train.settings import PrometheusSettings
from ascribe.train.sources import prometheus
from ascribe.train.sources.prometheus import opened
from ascribe.train.sources.prometheus_client import Client
from tests.ports import held_port

RESULT = b'[{"metric":{"a":"b"},"values":[[10,"1"],[30,"NaN"]]}]'
MATRIX = b'{"status":"success","data":{"resultType":"matrix","result":' + RESULT + b"}}"


@contextmanager
def answering(*answers):
    """A server that gives (status, body) in turn, the last for ever; what it was asked is kept."""
    seen, left = [], list(answers)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            seen.append((self.command, self.path, self.headers.get("Authorization"), body))
            status, reply = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_samples_come_on_the_grid_and_what_is_absent_is_nan():
    with answering((200, MATRIX)) as (base, _):
        (line,) = Client(base).lines("x", 10, 40, 10)
    assert line.labels == {"a": "b"}
    np.testing.assert_array_equal(line.values, [1, np.nan, np.nan, np.nan])


TIME = b'{"status":"success","data":{"resultType":"scalar","result":[60,"60"]}}'


def test_a_server_that_cannot_now_is_asked_again_and_empty_batches_come_meanwhile():
    with answering((503, b"starting"), (502, b""), (429, b""), (200, TIME)) as (base, seen):
        source = opened(f"prometheus+{base}?preset=kepler&start=0&end=30")
        batches = list(source.batches(lambda stream: None))
    assert len(seen) == 5  # its time twice: for the start, and for what is complete
    assert [len(batch.ends) for batch in batches] == [0, 0, 0]
    assert source.idle()


def test_a_server_that_goes_away_after_it_was_heard_is_waited_for():
    """Between an answer and the next it is away for three questions."""
    with answering((200, TIME), *[(500, b"")] * 3, (200, TIME)) as (base, seen):
        source = opened(f"prometheus+{base}?preset=kepler&start=0&end=30")
        idle = [source.idle() for _ in source.batches(lambda stream: None)]
    assert len(seen) == 5
    assert idle == [False, False, False]


def test_a_server_that_never_answers_is_one_line_with_its_reason(monkeypatch):
    monkeypatch.setattr(prometheus, "time", SimpleNamespace(monotonic=count().__next__))  # a second a look
    monkeypatch.setattr(prometheus, "FIRST_PAUSE_S", 0.0)
    with answering((503, b'{"status":"error","errorType":"timeout","error":"query\\ntimed out"}')) as (base, seen):
        with pytest.raises(SourceError, match=r"answers 503 \(query timed out\): is the server up") as caught:
            list(opened(f"prometheus+{base}?preset=kepler").batches(lambda stream: None))
        assert len(seen) == prometheus.FIRST_PATIENCE_S
    assert "\n" not in str(caught.value)


def test_a_refusal_is_not_tried_again():
    with answering((401, b"Unauthorized")) as (base, seen):
        with pytest.raises(SourceError, match=r"refused x \(401\): Unauthorized"):
            Client(base).lines("x", 10, 40, 10)
        assert len(seen) == 1


def test_nobody_there_is_one_line():
    says = r"does not answer .*is the server up, and the address right"
    with held_port() as port, pytest.raises(SourceError, match=says):
        Client(f"http://127.0.0.1:{port}").lines("x", 10, 40, 10)


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"status":"success","data":{"result":3}}'])
def test_a_server_of_another_kind_is_told_apart(body):
    with answering((200, body)) as (base, _), pytest.raises(SourceError, match="Prometheus"):
        Client(base).lines("x", 10, 40, 10)


def test_a_long_query_goes_in_the_body():
    with answering((200, MATRIX)) as (base, seen):
        Client(base).lines("x" * 2000, 10, 40, 10)
        Client(base).lines("x", 10, 40, 10)
    (long, path, _, body), (short, *_) = seen
    assert (long, path, short) == ("POST", "/api/v1/query_range", "GET")
    assert body.startswith(b"query=xxx")


def test_who_asks_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("ASCRIBE_PROMETHEUS_TOKEN", "t0k3n")
    with answering((403, b"no")) as (base, seen):
        source = opened(f"prometheus+{base}/prom/?preset=kepler")
        with pytest.raises(SourceError) as caught:
            list(source.batches(lambda stream: None))
        assert seen[0][1].startswith("/prom/api/v1/query?")
        assert seen[0][2] == "Bearer t0k3n"
    assert "t0k3n" not in f"{caught.value}{PrometheusSettings()!r}{source._client!r}"
    monkeypatch.delenv("ASCRIBE_PROMETHEUS_TOKEN")
    monkeypatch.setenv("ASCRIBE_PROMETHEUS_USER", "me")
    monkeypatch.setenv("ASCRIBE_PROMETHEUS_PASSWORD", "pass")
    with answering((403, b"no")) as (base, seen):
        with pytest.raises(SourceError):
            list(opened(f"prometheus+{base}?preset=kepler").batches(lambda stream: None))
        assert seen[0][2] == "Basic bWU6cGFzcw=="


def test_leaving_ends_the_waiting_for_a_silent_server():
    with held_port() as port:
        source = opened(f"prometheus+http://127.0.0.1:{port}?preset=kepler")
        source.close()
        assert list(source.batches(lambda stream: None)) == []
