"""A real collector of spans on loopback: OTLP over HTTP, protobuf as the protocol says."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest


@dataclass
class Collector:
    """What came in: `spans` in their order. `at`: the endpoint that an exporter is told."""

    at: str
    spans: list[Any] = field(default_factory=list)

    def named(self, name: str, trace: str) -> Any:
        return self.wait(lambda s: s.name == name and s.trace_id.hex() == trace)

    def wait(self, fits: Callable[[Any], bool]) -> Any:
        for _ in range(3000):
            if found := [span for span in list(self.spans) if fits(span)]:
                return found[0]
            threading.Event().wait(0.02)
        raise AssertionError(f"no such span among {[s.name for s in self.spans]}")


@contextmanager
def collecting() -> Iterator[Collector]:
    """Spans of `ascribe`, until the caller is done; skips the test without the otel extra."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the otel extra")
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.path == "/v1/traces"
            for resource in ExportTraceServiceRequest.FromString(raw).resource_spans:
                assert {a.key: a.value.string_value for a in resource.resource.attributes}["service.name"] == "ascribe"
                for scope in resource.scope_spans:
                    collector.spans.extend(scope.spans)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    collector = Collector(f"http://127.0.0.1:{listener.server_port}")
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    try:
        yield collector
    finally:
        listener.shutdown()
        listener.server_close()
