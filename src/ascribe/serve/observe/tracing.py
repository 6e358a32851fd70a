"""Spans of OpenTelemetry: the door's, and under it decode, queue, check, compute, encode; one for each batch.

Without an SDK nothing is recorded, and a caller's W3C `traceparent` still reaches the log. An SDK comes from `start`
(`OTEL_TRACES_EXPORTER=otlp`), or from whoever runs the process, such as `opentelemetry-instrument`. A batch is of many
requests: its span has links to them, and no parent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from opentelemetry import metrics, propagate, trace
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode

from ascribe.core.errors import MissingExtra, ServiceError

__all__ = [
    "batch",
    "headers",
    "here",
    "ids",
    "parts",
    "rpc_recorded",
    "server",
    "span",
    "start",
    "tell",
    "web_recorded",
]

SCOPE = "ascribe"
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)  # as the conventions advise
QUIET: dict[str, Any] = {
    "record_exception": False,
    "set_status_on_exception": False,
}  # an error's text may quote values
NAMES = {"explain": "compute", "predict": "compute", "energy": "compute"}

_meter = metrics.get_meter(SCOPE)
_web_s = _meter.create_histogram(
    "http.server.request.duration", "s", "Duration of HTTP server requests", explicit_bucket_boundaries_advisory=SECONDS
)
_rpc_s = _meter.create_histogram(
    "rpc.server.call.duration", "s", "Duration of calls", explicit_bucket_boundaries_advisory=SECONDS
)


def start(exporter: str) -> Callable[[], None]:
    """Record from now on, and send as the `OTEL_*` variables say; returns what ends it. `exporter`: `none`, `otlp` or
    `console`. Raises ServiceError for another word, MissingExtra without the SDK or an exporter.
    """
    if exporter not in ("none", "otlp", "console"):
        raise ServiceError(f"OTEL_TRACES_EXPORTER={exporter[:40]} is not offered: use otlp, console or none")
    if exporter == "none":
        return lambda: None
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, ConsoleSpanExporter
    except ImportError as exc:
        raise MissingExtra("traces need OpenTelemetry's SDK: pip install 'ascribe[otel]'") from exc
    sender = ConsoleSpanExporter() if exporter == "console" else _otlp()
    held = Resource.create()  # as the variables say
    if str(held.attributes.get("service.name", "")).startswith("unknown_service"):
        held = held.merge(Resource({"service.name": SCOPE}))
    provider = TracerProvider(resource=held)
    provider.add_span_processor(BatchSpanProcessor(sender))
    trace.set_tracer_provider(provider)
    return provider.shutdown


def _otlp() -> Any:
    """Whichever exporter is installed."""
    for protocol in ("http", "grpc"):
        try:
            found = import_module(f"opentelemetry.exporter.otlp.proto.{protocol}.trace_exporter")
        except ImportError:
            continue
        return found.OTLPSpanExporter()
    raise MissingExtra("OTEL_TRACES_EXPORTER=otlp needs an exporter: pip install 'ascribe[otel]'")


@contextmanager
def server(name: str, carrier: Mapping[str, str], attributes: Mapping[str, Any]) -> Iterator[Span]:
    """The door's span, a child of what the caller's `traceparent` says. Whether it failed is for the
    door to say."""
    if not carrier and isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        yield trace.INVALID_SPAN  # nobody records, and there is nothing to pass on
        return
    parent = propagate.extract(carrier)
    with _tracer().start_as_current_span(name, parent, SpanKind.SERVER, attributes, **QUIET) as opened:
        yield opened


@contextmanager
def span(name: str) -> Iterator[None]:
    """A part of what is done here."""
    if not trace.get_current_span().is_recording():
        yield
        return
    with _tracer().start_as_current_span(name, **QUIET):
        yield


def here() -> SpanContext | None:
    """What a batch links to: the request at hand. None where it is not recorded."""
    held = trace.get_current_span()
    return held.get_span_context() if held.is_recording() else None


@contextmanager
def batch(links: Sequence[SpanContext | None], rows: int = 0) -> Iterator[None]:
    """The computation of several requests at once, on whatever thread; `links` are what `here` gave for each."""
    found = [Link(link) for link in links if link is not None]
    if not found:
        yield
        return
    root = trace.set_span_in_context(trace.INVALID_SPAN)
    with _tracer().start_as_current_span("batch", root, links=found, **QUIET) as opened:
        opened.set_attribute("ascribe.rows", rows)
        yield


def parts(timings_ms: Mapping[str, float]) -> None:
    """Spans of what was timed elsewhere, under the span at hand: in the order of `timings_ms`, ending now."""
    if not trace.get_current_span().is_recording():
        return
    end_ns = time.time_ns()
    at_ns = end_ns - int(timings_ms.get("total", sum(timings_ms.values())) * 1e6)
    tracer = _tracer()
    for name, ms in timings_ms.items():
        if name != "total":
            began = tracer.start_span(NAMES.get(name, name), start_time=at_ns)
            at_ns += int(ms * 1e6)
            began.end(min(at_ns, end_ns))


def tell(request_id: str, model: str, version: str, tier: str, code: str, rows: int) -> None:
    """What the log says of a request, on its span."""
    held = trace.get_current_span()
    if held.is_recording():
        words = {"request_id": request_id, "model": model, "version": version, "tier": tier, "code": code}
        held.set_attributes({f"ascribe.{name}": word for name, word in words.items() if word} | {"ascribe.rows": rows})
        if code == "internal":
            held.set_status(Status(StatusCode.ERROR))


def ids() -> tuple[str, str]:
    """Trace and span at hand in hexadecimal; empty where there is none, the span also where it is the caller's."""
    span = trace.get_current_span()
    held = span.get_span_context()
    if not held.is_valid:
        return "", ""
    return trace.format_trace_id(held.trace_id), trace.format_span_id(held.span_id) if span.is_recording() else ""


def headers() -> dict[str, str]:
    """W3C headers for a call onward: `traceparent`, and `tracestate` where there is one."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier


def web_recorded(seconds: float, attributes: Mapping[str, Any]) -> None:
    """`http.server.request.duration`, to the process' OpenTelemetry metrics if it has any."""
    _web_s.record(seconds, dict(attributes))


def rpc_recorded(seconds: float, attributes: Mapping[str, Any]) -> None:
    """`rpc.server.call.duration`, likewise."""
    _rpc_s.record(seconds, dict(attributes))


def _tracer() -> trace.Tracer:
    return trace.get_tracer(SCOPE)
