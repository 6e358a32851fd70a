"""The server of a host: one gRPC door, until it is told to stop; of one half, or of a channel's versions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from ascribe.bundle.registry import Registry
from ascribe.core.errors import InputError, ServiceError
from ascribe.core.federated.party import Party
from ascribe.serve.access import auth, porch_grpc, tls
from ascribe.serve.address import parse
from ascribe.serve.federated import fate_host
from ascribe.serve.federated.features import Features
from ascribe.serve.federated.halves import Bringing, Halves, consenting, half_of
from ascribe.serve.federated.host_door import SERVICE, attach
from ascribe.serve.federated.host_room import HostRoom
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.observe.lines import to_stdout
from ascribe.serve.observe.watched import Observed
from ascribe.serve.rpc.binding import bound
from ascribe.serve.rpc.health import Health
from ascribe.serve.rpc.readable import Readable
from ascribe.serve.settings import Settings
from ascribe.serve.standing import ByHandler, Standing
from ascribe.serve.versions.leases import Versions, specs
from ascribe.serve.versions.rollout import Rollout

__all__ = ["follow", "serve"]

FLAG = "--listen"


async def serve(
    host: Party, features: Features, listen: str, settings: Settings, parties: PartySettings,
    stop: asyncio.Event | None = None, ready: Callable[[str], None] | None = None,
    write: Callable[[bytes], object] | None = None, name: str = "",
) -> None:  # fmt: skip
    """Answer guests of `host`'s model at `listen` (HOST:PORT) until `stop` is set. `ready` gets the real address;
    `name`: what metrics call the model.

    Raises InputError for the guest's half of a model, ServiceError for an address that cannot be had, for TLS that
    cannot be used, and where others reach it while nobody is asked who they are.
    """
    if host.role != "host":
        raise InputError(f"this bundle is the half of {host.name}: a host serves the half of a host")
    versions = Versions([(name or "model", "production")])
    versions.swap(half_of(consenting(host, parties.share_columns), features, name or "model"))
    await _stand(versions, None, listen, settings, parties, stop, ready, write)


async def follow(
    registry: str, model: str, opened: Callable[[Party], Features], listen: str, settings: Settings,
    parties: PartySettings, stop: asyncio.Event | None = None, ready: Callable[[str], None] | None = None,
    write: Callable[[bytes], object] | None = None,
) -> None:  # fmt: skip
    """As `serve`, of the channel `model` (NAME[@CHANNEL]) of a registry. The version before goes on answering those who
    ask for it. `opened`: where a version's columns are.

    Raises as `serve`, and NotFound, BundleError, RegistryError.
    """
    models = specs(model)
    if len(models) > 1:
        raise InputError("a host serves one model: start another host for another one")
    await _stand(
        Versions(models), lambda: Registry(registry, settings.verify_key), listen, settings, parties, stop, ready,
        write, Bringing(opened, parties.share_columns),
    )  # fmt: skip


async def _stand(
    versions: Versions, registry: Callable[[], Registry] | None, listen: str, settings: Settings,
    parties: PartySettings, stop: asyncio.Event | None, ready: Callable[[str], None] | None,
    write: Callable[[bytes], object] | None, bringing: Bringing | None = None,
) -> None:  # fmt: skip
    start, stop, where = time.perf_counter(), stop or asyncio.Event(), parse(listen, FLAG)
    seen = Observed(settings, versions, write or to_stdout)
    log = seen.log
    auth.check_reach([where.host], settings)
    known, secured = auth.opened(settings, log), tls.opened(settings, log)
    if parties.known and not auth.configured(settings):
        raise ServiceError("ASCRIBE_PARTY_GUESTS names guests, but nobody is asked who they are: set ASCRIBE_CLIENT_CA")
    rollout = None
    if registry is not None:
        rollout = Rollout(registry, versions.slots, [], settings.poll_s, log, bringing)
        versions.swap(await asyncio.to_thread(rollout.first, versions.slots[0]))
    halves = Halves(versions)
    room, words = HostRoom(halves, settings, parties, log, seen.meter), Health([SERVICE])
    host = halves.current.half

    interceptors = [*seen.interceptors, porch_grpc.Porch(known, log), Readable(log)]

    def doors(server: ByHandler) -> None:
        attach(server, room, log, words)
        fate_host.attach(server, room, log)

    server = Standing(
        lambda address: bound(address, FLAG, settings, secured, interceptors, doors), where, settings.timeout_s, log
    )
    try:
        seen.start()
        if rollout is not None:
            rollout.start()
        await words.say(True)
        await server.start()
        log.event(
            "ready", party=host.name, model=host.model, digest=host.digest[:12], grpc=str(server.at),
            version=halves.current.version, mutual_tls=bool(secured and settings.client_ca),
            start_ms=round((time.perf_counter() - start) * 1000),
        )  # fmt: skip
        if ready:
            ready(str(server.at))
        await stop.wait()
        log.event("draining")
        await words.say(False)
        await asyncio.sleep(settings.drain_s)
    finally:
        room.draining = True
        if rollout is not None:
            rollout.stop()
        await server.stop(settings.grace_s)
        if rollout is not None:
            await asyncio.to_thread(rollout.join, settings.grace_s)
        room.close()
        await asyncio.to_thread(seen.stop)
    log.event("stopped")
