"""Spans of a real server, received by a real collector: HTTP, and protobuf as the protocol says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from tests.collector import Collector, collecting

from .. import tiny

ROOT = Path(__file__).parents[3]
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
TRACEPARENT = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
BODY = {"feature_vector": {"values": tiny.ROW}}
RUN = "import sys; from ascribe.serve.app import run; run(*sys.argv[1:])"
BATCH = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import json, threading
from ascribe.serve.observe import tracing
assert tracing.here() is None
with tracing.batch([None]):  # nobody records: nothing happens
    assert tracing.ids() == ("", "")
kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
links = []
for name in ("a", "b"):
    with tracing.server(name, {}, {}):
        links.append(tracing.here())
def work():
    with tracing.batch([*links, None], rows=5), tracing.span("compute"):
        pass
with tracing.server("c", {}, {}):  # whoever happens to start the batch is no parent of it
    work()
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(json.dumps([json.loads(span.to_json()) for span in kept.get_finished_spans()]))
"""

DURATIONS = """
import json, sys, tempfile
from pathlib import Path
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
import grpc, httpx
from ascribe.serve.app import running
from ascribe.serve.settings import Settings
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from tests.serve import tiny
reader = InMemoryMetricReader()
metrics.set_meter_provider(MeterProvider([reader]))
registry, _ = tiny.publish(Path(tempfile.mkdtemp()))
with running(registry, tiny.NAME, Settings(), write=lambda line: None) as at:
    httpx.post(at.http + "/v1/predictions", json={"feature_vector": {"values": tiny.ROW}})
    httpx.get(at.http + "/v2/health/ready")
    with grpc.insecure_channel(at.grpc) as channel:
        rows = [pb.FeatureVector(names=list(tiny.ROW), values=tiny.ROW.values())]
        AttributionServiceStub(channel).GetPrediction(pb.PredictionRequest(feature_vector=rows))
print(reader.get_metrics_data().to_json())
"""


@dataclass
class Traced:
    http: httpx.Client
    stub: AttributionServiceStub
    collector: Collector
    process: subprocess.Popen


def words(span: Any) -> dict[str, Any]:
    return {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    with collecting() as collector:
        registry, _ = tiny.publish(tmp_path_factory.mktemp("traced"))
        told = {
            "OTEL_TRACES_EXPORTER": "otlp", "OTEL_BSP_SCHEDULE_DELAY": "50", "NO_PROXY": "127.0.0.1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.at,
        }  # fmt: skip
        command = [sys.executable, "-c", RUN, registry, tiny.NAME, "127.0.0.1:0", "127.0.0.1:0"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | told) as process:
            assert process.stdout
            ready = json.loads(process.stdout.readline())
            with (
                httpx.Client(base_url=ready["http"]) as http,
                grpc.insecure_channel(ready["grpc"]) as channel,
            ):
                yield Traced(http, AttributionServiceStub(channel), collector, process)
            process.terminate()
            process.communicate(timeout=60)


def test_a_request_is_a_span_under_its_callers_with_its_parts_below(traced):
    answer = traced.http.post("/v1/attributions", json=BODY | {"tier": "exact"}, headers=TRACEPARENT)
    door = traced.collector.named("POST /v1/attributions", TRACE)
    assert door.parent_span_id.hex() == PARENT
    assert answer.headers["traceresponse"] == f"00-{TRACE}-{door.span_id.hex()}-01"
    said = words(door)
    assert said["http.request.method"] == "POST"
    assert said["http.route"] == "/v1/attributions"
    assert said["http.response.status_code"] == 200
    assert (said["ascribe.tier"], said["ascribe.code"], said["ascribe.model"]) == ("exact", "ok", tiny.NAME)
    assert said["ascribe.request_id"] == answer.json()["request_id"]
    parts = [traced.collector.named(name, TRACE) for name in ("decode", "check", "queue", "compute", "encode")]
    for part in parts:
        assert part.parent_span_id == door.span_id
        assert door.start_time_unix_nano <= part.start_time_unix_nano <= part.end_time_unix_nano
        assert part.end_time_unix_nano <= door.end_time_unix_nano
    starts = [part.start_time_unix_nano for part in parts]
    assert starts == sorted(starts)
    lines = map(json.loads, iter(traced.process.stdout.readline, ""))  # type: ignore[union-attr]
    line = next(line for line in lines if line["trace_id"] == TRACE)
    assert line["span_id"] == door.span_id.hex()


def test_grpc_calls_are_spans_too(traced):
    trace = TRACE.replace("0af7", "1af7")
    request = pb.PredictionRequest(feature_vector=[pb.FeatureVector(names=list(tiny.ROW), values=tiny.ROW.values())])
    metadata = [("traceparent", f"00-{trace}-{PARENT}-01")]
    _, call = traced.stub.GetPrediction.with_call(request, metadata=metadata)
    door = traced.collector.named("attribution.v1.AttributionService/GetPrediction", trace)
    assert door.parent_span_id.hex() == PARENT
    assert dict(call.trailing_metadata())["traceresponse"] == f"00-{trace}-{door.span_id.hex()}-01"
    assert words(door)["rpc.response.status_code"] == "OK"
    assert traced.collector.named("compute", trace).parent_span_id == door.span_id
    bad = [("traceparent", f"00-{trace.replace('1af7', '2af7')}-{PARENT}-01")]
    with pytest.raises(grpc.RpcError):
        traced.stub.GetPrediction(pb.PredictionRequest(), metadata=bad)
    door = traced.collector.named("attribution.v1.AttributionService/GetPrediction", trace.replace("1af7", "2af7"))
    assert words(door)["rpc.response.status_code"] == "INVALID_ARGUMENT"
    assert door.status.code == 0  # the caller's fault is no error of this server
    assert words(door)["ascribe.code"] == "invalid_input"


def test_no_feature_value_and_no_health_call_is_traced(traced):
    traced.http.get("/v2/health/ready")
    traced.http.get("/metrics")
    trace = TRACE.replace("0af7", "3af7")
    secret = {"feature_vector": {"values": tiny.ROW | {"busy": 0.123456789}}}
    traced.http.post("/v1/predictions", json=secret, headers={"traceparent": f"00-{trace}-{PARENT}-01"})
    traced.collector.named("POST /v1/predictions", trace)
    everything = str(traced.collector.spans)
    assert "health" not in everything
    assert "/metrics" not in everything
    assert "0.12345" not in everything


def test_a_batch_links_to_its_members_and_is_nobodys_child():
    pytest.importorskip("opentelemetry.sdk", reason="needs the otel extra")
    done = subprocess.run([sys.executable, "-c", BATCH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    spans = json.loads(done.stdout)
    members = {span["context"]["span_id"] for span in spans if span["name"] in ("a", "b")}
    batches = [span for span in spans if span["name"] == "batch"]
    assert len(batches) == 2
    for one in batches:
        assert one["parent_id"] is None
        assert {link["context"]["span_id"] for link in one["links"]} == members
        assert one["attributes"]["ascribe.rows"] == 5
    parents = {span["parent_id"] for span in spans if span["name"] == "compute"}
    assert parents == {one["context"]["span_id"] for one in batches}


def test_durations_go_to_opentelemetrys_metrics_once_each_where_there_are_any():
    pytest.importorskip("opentelemetry.sdk", reason="needs the otel extra")
    done = subprocess.run([sys.executable, "-c", DURATIONS], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    (resource,) = json.loads(done.stdout)["resource_metrics"]
    found = {m["name"]: m for scope in resource["scope_metrics"] for m in scope["metrics"]}
    assert {name: m["unit"] for name, m in found.items()} == {
        "http.server.request.duration": "s", "rpc.server.call.duration": "s",
    }  # fmt: skip
    (web,) = found["http.server.request.duration"]["data"]["data_points"]
    assert web["count"] == 1
    assert web["attributes"] == {
        "http.request.method": "POST", "url.scheme": "http", "http.route": "/v1/predictions",
        "http.response.status_code": 200,
    }  # fmt: skip
    assert web["explicit_bounds"][:3] == [0.005, 0.01, 0.025]
    (rpc,) = found["rpc.server.call.duration"]["data"]["data_points"]
    assert rpc["attributes"]["rpc.response.status_code"] == "OK"


def test_without_an_sdk_the_callers_trace_still_reaches_the_log(served):
    answer = served.http.post("/v1/predictions", json=BODY, headers=TRACEPARENT)
    line = next(json.loads(raw) for raw in reversed(served.log) if b'"request"' in raw)
    assert line["trace_id"] == TRACE
    assert "span_id" not in line
    assert "traceresponse" not in answer.headers


@pytest.mark.parametrize("junk", ["", "00-0-0-0", "zz-" + TRACE, "00-" + "0" * 32 + "-" + PARENT + "-01", "\xff" * 200])
def test_a_broken_traceparent_harms_nothing(served, junk):
    answer = served.http.post("/v1/predictions", json=BODY, headers={"traceparent": junk.encode("latin-1")})
    assert answer.status_code == 200
    line = next(json.loads(raw) for raw in reversed(served.log) if b'"request"' in raw)
    assert "trace_id" not in line


@pytest.mark.parametrize(
    ("word", "blocked", "said"),
    [
        ("jaeger", "none", "OTEL_TRACES_EXPORTER=jaeger is not offered: use otlp, console or none"),
        ("otlp", "opentelemetry.sdk.trace", "ascribe[otel]"),
    ],
)
def test_traces_that_cannot_be_had_stop_the_start(word, blocked, said):
    code = (
        f"import sys; sys.modules[{blocked!r}] = None\n"
        "from ascribe.core.errors import AscribeError\n"
        "from ascribe.serve.observe import tracing\n"
        "from ascribe.serve.settings import from_environment\n"
        "try: tracing.start(from_environment().traces_exporter)\n"
        "except AscribeError as exc: print(exc)\n"
    )
    environment = os.environ | {"OTEL_TRACES_EXPORTER": word}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert said in done.stdout


def test_opentelemetry_is_looked_for_in_one_place():
    source = ROOT / "src" / "ascribe"
    users = [path.name for path in source.rglob("*.py") if "opentelemetry" in path.read_text()]
    assert sorted(users) == ["traced_doors.py", "tracing.py"]
