"""A server with doors of its own: ports first, then the model, then ready; and the way out."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from ascribe.serve.access import porch_grpc, porch_http, tls
from ascribe.serve.address import Address, bind, parse
from ascribe.serve.house import House
from ascribe.serve.leaving import leave
from ascribe.serve.observe import memory
from ascribe.serve.observe.log import Log
from ascribe.serve.rooms import Rooms
from ascribe.serve.rpc.binding import bound
from ascribe.serve.rpc.door import NAMES
from ascribe.serve.rpc.health import Health
from ascribe.serve.rpc.readable import Readable
from ascribe.serve.settings import Settings, from_environment
from ascribe.serve.standing import Standing
from ascribe.serve.stopping import until_stopped
from ascribe.serve.versions.leases import Lease

__all__ = ["Addresses", "run", "running", "serve", "stand"]

STARTED_S = 0.005  # between looks whether uvicorn is up
KEEP_ALIVE_S = 75  # of an idle connection: longer than clients and balancers keep one, so that it is they who close


@dataclass(frozen=True)
class Addresses:
    """Where a server listens: `http` as a URL, `grpc` as HOST:PORT; ports are the real ones, also for port 0."""

    http: str
    grpc: str


class _Http(uvicorn.Server):
    """Signals are this file's business, since two servers share one loop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def serve(
    registry: str,
    model: str | Sequence[str],
    http: str = "127.0.0.1:8080",
    grpc_address: str = "127.0.0.1:50051",
    settings: Settings | None = None,
    stop: asyncio.Event | None = None,
    ready: Callable[[Addresses], None] | None = None,
    write: Callable[[bytes], object] | None = None,
    shadow: str | None = None,
    alone: bool = False,
) -> None:
    """Serve `NAME[@CHANNEL]` of a registry, one or several, over HTTP and gRPC until `stop` is set, then drain.

    Both ports are bound before anything is loaded. `ready` is called once both doors answer; `write` takes log lines
    (standard output by default); `shadow` names the channel whose versions are compared with those that answer;
    `alone`: the process is this server's, which may settle its memory. Raises
    ServiceError for an address that cannot be had, InputError for no model, NotFound, BundleError.
    """
    settings = settings or from_environment()
    where, at_grpc = parse(http, "--http"), parse(grpc_address, "--grpc")
    house = House(registry, model, (where.host, at_grpc.host), settings, write, shadow)
    await stand(house, where, at_grpc, stop, ready, alone)


async def stand(
    house: Rooms, where: Address, at_grpc: Address, stop: asyncio.Event | None = None,
    ready: Callable[[Addresses], None] | None = None, alone: bool = False,
) -> None:  # fmt: skip
    """A house with doors at these addresses, as `serve` says."""
    start, stop = time.perf_counter(), stop or asyncio.Event()
    settings, log = house.settings, house.log
    secured = tls.opened(settings, log)
    interceptors = [*house.seen.interceptors, *house.interceptors, porch_grpc.Porch(house.known, log), Readable(log)]
    with bind(where, "--http", settings.workers > 1) as listener:
        words = Health(NAMES)
        rpc_server = Standing(
            lambda address: bound(
                address, "--grpc", settings, secured, interceptors, lambda server: house.attach(server, words),
                settings.workers > 1,
            ), at_grpc, settings.timeout_s, log,
        )  # fmt: skip
        at = Addresses(f"{'https' if secured else 'http'}://{Address(*listener.getsockname()[:2])}", str(rpc_server.at))
        web = _Http(
            uvicorn.Config(
                house.app(where.host),
                http=porch_http.connection(settings),
                ws="none",
                h11_max_incomplete_event_size=settings.max_header_bytes,
                ssl_context_factory=(lambda *_: secured.context()) if secured else None,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=max(1, round(settings.grace_s)),
                server_header=False,
            )
        )
        await words.say(False)
        house.seen.start()
        await rpc_server.start()
        web_task = asyncio.create_task(web.serve(sockets=[listener]))
        try:
            leases = await house.load()
            while not web.started and not web_task.done():
                await asyncio.sleep(STARTED_S)
            if alone:
                memory.set_apart()
            await words.say(True)
            took = round((time.perf_counter() - start) * 1000)
            _say_ready(log, leases, at, took)
            house.start()
            del leases
            if ready:
                ready(at)
            asked = asyncio.create_task(stop.wait())
            await asyncio.wait((asked, web_task), return_when=asyncio.FIRST_COMPLETED)
            log.event("draining")
        finally:
            answered = house.loaded and stop.is_set()
            await leave(house, words, rpc_server, web, web_task, settings.drain_s if answered else 0)
    log.event("stopped")


def run(
    registry: str, model: str | Sequence[str], http: str = "127.0.0.1:8080", grpc: str = "127.0.0.1:50051",
    verify_key: Path | None = None, shadow: str | None = None, lake: str | None = None,
) -> None:  # fmt: skip
    """Serve until SIGTERM or SIGINT; returns when everything in flight is done. `verify_key` and `lake` go before those
    of the environment. Raises as `serve`.
    """
    given = {"verify_key": verify_key, "lake": lake}
    settings = from_environment().model_copy(update={name: value for name, value in given.items() if value is not None})

    until_stopped(
        lambda stop, lines: serve(registry, model, http, grpc, settings, stop, write=lines, shadow=shadow, alone=True)
    )


@contextmanager
def running(
    registry: str,
    model: str | Sequence[str],
    settings: Settings | None = None,
    http: str = "127.0.0.1:0",
    grpc: str = "127.0.0.1:0",
    write: Callable[[bytes], object] | None = None,
    shadow: str | None = None,
) -> Iterator[Addresses]:
    """A server on a thread of this process, for tests and demonstrations; it is stopped on leaving.

    with running("registry", "node-power") as at:
        httpx.get(at.http + "/v2/health/ready")
    """
    stop, up, loops, failures = asyncio.Event(), threading.Event(), [], []
    places: list[Addresses] = []

    def ready(at: Addresses) -> None:
        places.append(at)
        up.set()

    async def main() -> None:
        loops.append(asyncio.get_running_loop())
        await serve(registry, model, http, grpc, settings, stop, ready, write, shadow)

    def thread() -> None:
        try:
            asyncio.run(main())
        except BaseException as exc:  # handed to whoever waits
            failures.append(exc)
        finally:
            up.set()

    worker = threading.Thread(target=thread, name="ascribe-serve")
    worker.start()
    up.wait()
    try:
        if failures:
            raise failures[0]
        yield places[0]
    finally:
        if worker.is_alive():
            loops[0].call_soon_threadsafe(stop.set)
        worker.join()


def _say_ready(log: Log, leases: Sequence[Lease], at: Addresses, took_ms: int) -> None:
    """One line: the first model by itself, all of them where there are several."""
    first, several = leases[0], [f"{lease.name}@{lease.channel} {lease.version}" for lease in leases[1:] and leases]
    words = {"models": several} if several else {}
    log.event(
        "ready", model=first.name, channel=first.channel, version=first.version, http=at.http, grpc=at.grpc,
        start_ms=took_ms, **words,
    )  # fmt: skip
