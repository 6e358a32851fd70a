"""A service that answers as `ascribe serve` does about now, with numbers and names that a test chooses.

    watts(node, k) = base + sum over groups of (a sine of its own), measured = that + a small known rest

For what a real service cannot be brought to do on demand: hostile names, a hundred nodes at any pace, a restart with
the stream open, refusals. The page's own files come through the same `front` as in the service.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import math
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from ascribe.serve.page.files import files
from ascribe.serve.page.front import front

GROUPS = ("cpu", "memory", "disk", "idle states")
ERRORS = (0.42, 0.25, 0.11, 0.3)
BASE_W = 92.0
STEP_US = 2_000_000
MODEL = "node-power"
VERSION = "20261101T000000Z-abcdef012345"


@dataclass
class Service:
    """`nodes`, `groups`: names; `every_s`: between moments of each node; `token`: what callers must bear, if any;
    `events`: whether there is a stream."""

    nodes: tuple[str, ...] = ("rack 1/node-1", "rack 1/node-2", "rack 2/node-1")
    groups: tuple[str, ...] = GROUPS
    every_s: float = 0.5
    token: str = ""
    events: bool = True
    warnings: dict[str, list[str]] = field(default_factory=dict)
    stale: frozenset[str] = frozenset()
    heard: list[str] = field(default_factory=list)

    def moment(self, node: str, t_us: int) -> dict[str, Any]:
        at = self.nodes.index(node)
        turn = t_us / STEP_US
        sizes = (14.0, 6.0, 3.0, 4.0)
        groups = {
            g: sizes[k % 4] * (0.35 + 0.6 * math.sin(turn / (19 + 7 * k) + at + 2 * k)) * (-1 if k == 3 else 1)
            for k, g in enumerate(self.groups)
        }
        prediction = BASE_W + sum(groups.values())
        rest = 1.3 * math.sin(turn / 5 + at)
        return {
            "model": MODEL, "channel": "production", "output": "power", "version": VERSION, "unit": "W",
            "node": node, "timestamp_us": t_us, "measured_w": prediction + rest, "prediction_w": prediction,
            "base_w": BASE_W, "unexplained_w": rest, "groups": groups,
            "stderr_w": {g: ERRORS[k % 4] for k, g in enumerate(self.groups)},
            "status": "ok", "reason": "", "warnings": self.warnings.get(node, []), "stale": node in self.stale,
        }  # fmt: skip

    def times(self, start_us: int, end_us: int, points: int) -> list[int]:
        first = -(-start_us // STEP_US)
        held = range(first, end_us // STEP_US + 1)
        step = max(1, -(-len(held) // max(points, 1)))
        return [k * STEP_US for k in held[::step]]


def now_us() -> int:
    return int(time.time() * 1e6) // STEP_US * STEP_US


def application(service: Service) -> Any:
    """The doors of now, and the page before them."""

    def window(request: Request) -> tuple[int, int]:
        said = request.query_params.get
        end = int(said("to", now_us()))
        return int(said("from", end - 900_000_000)), end

    groups_of = {g: [f"{g} counter"] for g in service.groups}

    def said(request: Request, english: str, chinese: str) -> str:
        return chinese if request.query_params.get("language") == "zh" else english

    async def now(request: Request) -> Response:
        end = now_us()
        told = []
        for node in service.nodes:
            spark = [service.moment(node, t)["prediction_w"] for t in service.times(end - 120_000_000, end, 60)]
            told.append(service.moment(node, end) | {"spark": spark})
        head = {
            "model": MODEL, "channel": "production", "version": VERSION, "output": "power", "unit": "W", "tier": "fast",
            "groups": service.groups, "groups_of": groups_of, "bound": False, "not_followed": 0,
        }  # fmt: skip
        return JSONResponse(head | {"nodes": told})

    async def history(request: Request) -> Response:
        start, end = window(request)
        node = request.path_params["node"]
        moments = [service.moment(node, t) for t in service.times(start, end, int(request.query_params["points"]))]
        column = lambda name: [m[name] for m in moments]  # noqa: E731
        each = lambda name: {g: [m[name][g] for m in moments] for g in service.groups}  # noqa: E731
        return JSONResponse({
            "t_us": column("timestamp_us"), "measured_w": column("measured_w"), "prediction_w": column("prediction_w"),
            "unexplained_w": column("unexplained_w"), "base_w": BASE_W, "bases_w": column("base_w"),
            "groups": each("groups"), "stderr_w": each("stderr_w"), "status": column("status"),
            "mean_s": [0.0] * len(moments), "groups_of": groups_of, "versions": [[0, VERSION]], "unit": "W",
        })  # fmt: skip

    async def energy(request: Request) -> Response:
        start, end = window(request)
        times = service.times(start, end, 10**9)
        moments = [service.moment(request.path_params["node"], t) for t in times]

        def kwh(values: list[float]) -> float:
            return sum((a + b) / 2 for a, b in itertools.pairwise(values)) * STEP_US / 1e6 / 3.6e6

        measured, predicted = (kwh([m[name] for m in moments]) for name in ("measured_w", "prediction_w"))
        return JSONResponse({
            "measured_kwh": measured, "prediction_kwh": predicted, "base_kwh": kwh([BASE_W] * len(times)),
            "groups": {g: kwh([m["groups"][g] for m in moments]) for g in service.groups},
            "unexplained_kwh": measured - predicted, "covered_s": (times[-1] - times[0]) / 1e6,
            "measured_s": (times[-1] - times[0]) / 1e6, "span_s": (end - start) / 1e6, "gap_s": 30.0,
        })  # fmt: skip

    async def change(request: Request) -> Response:
        ends = [service.moment(request.path_params["node"], t) for t in window(request)]
        groups = {g: ends[1]["groups"][g] - ends[0]["groups"][g] for g in service.groups}
        return JSONResponse({
            "start": ends[0], "end": ends[1], "groups": groups, "unit": "W", "base_change_w": 0.0,
            "prediction_change_w": ends[1]["prediction_w"] - ends[0]["prediction_w"],
            "features": [
                {"name": f"{g} counter", "group": g, "unit": "count", "from_value": 1.0, "to_value": 2.0,
                 "change_w": value, "stderr_w": 0.4}
                for g, value in groups.items()
            ],
            "stderr_w": dict.fromkeys(service.groups, 0.4), "sentence": said(request, "It moved.", "它变了。"),
        })  # fmt: skip

    async def moment(request: Request) -> Response:
        at = int(request.query_params.get("at", now_us()))
        found = service.moment(request.path_params["node"], at)
        features = [
            {"name": f"{g} counter", "group": g, "unit": "count", "value": 12345.678, "share_w": share, "stderr_w": 0.4}
            for g, share in found["groups"].items()
        ]
        sentence = said(request, "It draws what it draws.", "它就是这样。")
        return JSONResponse(found | {"features": features, "mean_s": 0.0, "sentence": sentence})

    async def events(request: Request) -> Response:
        service.heard.append(request.headers.get("last-event-id", ""))

        async def told() -> AsyncIterator[bytes]:
            count = 0
            while True:
                for node in service.nodes:
                    count += 1
                    data = json.dumps(service.moment(node, now_us()))
                    yield f"id: {count}\nevent: moment\ndata: {data}\n\n".encode()
                yield b": heartbeat\n\n"
                await asyncio.sleep(service.every_s)

        return StreamingResponse(told(), media_type="text/event-stream")

    async def models(request: Request) -> Response:
        return JSONResponse({"models": [MODEL]})

    async def model(request: Request) -> Response:
        return JSONResponse({"name": MODEL, "layout": "table", "offers": ["predict"], "forecast": None})

    app = Starlette(
        routes=[
            Route("/v1/now", now), Route("/v1/models", models), Route("/v1/models/{name}", model),
            *([Route("/v1/events", events)] if service.events else []),
            Route("/v1/nodes/{node:path}/history", history), Route("/v1/nodes/{node:path}/energy", energy),
            Route("/v1/nodes/{node:path}/change", change), Route("/v1/nodes/{node:path}/moment", moment),
        ]
    )  # fmt: skip

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        given = dict(scope["headers"]).get(b"authorization", b"").decode() if scope["type"] == "http" else ""
        if scope["type"] == "http" and service.token and given != f"Bearer {service.token}":
            said = {"title": "Unauthorized", "detail": "who asks is not known", "code": "unauthenticated"}
            await JSONResponse(said, 401, media_type="application/problem+json")(scope, receive, send)
            return
        await app(scope, receive, send)

    return front(guarded, files())


@contextmanager
def feigning(service: Service, port: int = 0) -> Iterator[str]:
    """Served on loopback until the caller is done; yields the address."""
    config = uvicorn.Config(
        application(service), port=port, log_level="critical", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the feigned service did not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
