"""The server of a guest: the rooms of one server around a room that asks hosts, behind the usual doors and
FATE-Serving's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from ascribe.bundle.archive import Bundle
from ascribe.bundle.manifest import digest
from ascribe.bundle.registry import Registry
from ascribe.core.errors import InputError
from ascribe.serve.access.porch_http import Porch
from ascribe.serve.address import parse
from ascribe.serve.app import Addresses, stand
from ascribe.serve.federated import fate_rest, fate_rpc
from ascribe.serve.federated.bringing import Bringing
from ascribe.serve.federated.fate import FateRoom
from ascribe.serve.federated.guest_room import GuestRoom
from ascribe.serve.federated.held import GuestLease
from ascribe.serve.federated.opening import open_guest
from ascribe.serve.federated.partial import checked
from ascribe.serve.federated.publishing import Publishing
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.federated.stated import Reading, read_policy
from ascribe.serve.jobs.longer import longer
from ascribe.serve.page.files import Offers
from ascribe.serve.rest.door import http_door
from ascribe.serve.rooms import Rooms
from ascribe.serve.rpc.health import Health
from ascribe.serve.settings import Settings
from ascribe.serve.standing import ByHandler
from ascribe.serve.versions.leases import Lease, Versions, specs
from ascribe.serve.versions.rollout import Rollout

__all__ = ["GuestHouse", "serve"]

AGAIN_S = 5.0  # between attempts to bind hosts that were down when the guest started


class GuestHouse(Rooms):
    """The rooms of one model: of `bundle` under a `name`, or (bundle None) of the channel NAME[@CHANNEL] of
    `registry`, followed. `hosts`: NAME -> HOST:PORT; `policy`: where a caller states none; `background`: rows for the
    cover of a model that has none; `service_id`: the one that FATE-Serving's clients must name; `by_column`: hosts
    whose columns play one by one.

    Raises InputError, BundleError, ServiceError.
    """

    def __init__(
        self, bundle: Bundle | None, name: str, hosts: Mapping[str, str], listen: Sequence[str], settings: Settings,
        parties: PartySettings, policy: str = "fail", skip_local: bool = False, background: Path | None = None,
        service_id: str = "", write: Callable[[bytes], object] | None = None, registry: str = "",
        by_column: Sequence[str] = (),
    ) -> None:  # fmt: skip
        models = specs(name) if bundle is None else [(name, "production")]
        if len(models) > 1:
            raise InputError("a guest serves one model: start another guest for another one")
        versions = Versions(models)
        super().__init__(settings, versions, listen, write)
        self._bundle, self._slot = bundle, versions.slots[0]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._bringing = Bringing(hosts, parties, by_column, background, self.log, self._running)
        self._rollout = None if bundle else Rollout(
            lambda: Registry(registry, settings.verify_key), [self._slot], [], settings.poll_s, self.log, self._bringing
        )  # fmt: skip
        if bundle is not None:
            open_guest(bundle, hosts, parties, by_column)  # what is wrong with it is said before anything listens
        self.room = room = GuestRoom(
            versions, settings, checked(policy), skip_local, Publishing(parties), self.seen.meter, self._rollout
        )  # fmt: skip
        self.held = longer(room, settings, self.log)
        self.interceptors = [Reading()]
        self._fate = FateRoom(room, service_id, policy)
        self._binding: asyncio.Task[None] | None = None

    def app(self, host: str) -> Porch:
        door = http_door(self.room, self.settings, self.log, self.held, self.seen.view)
        fate_rest.add(door, self._fate, self.settings, self.log)
        return self._fronted(read_policy(door), host, Offers(lake=False, guest=True))

    def attach(self, server: ByHandler, words: Health) -> None:
        self._attached(server, words, self.held)
        fate_rpc.attach(server, self._fate, self.settings, self.log)

    async def load(self) -> list[Lease]:
        """Ready, whether or not the hosts are: what a caller gets without them is the policy's matter. Raises NotFound,
        BundleError, RegistryError.
        """
        self._loop = asyncio.get_running_loop()
        lease: Lease
        if self._bundle is not None:
            manifest = self._bundle.manifest
            lease = self._bringing.opened(
                self._bundle, self._slot.name, self._slot.channel, manifest.version(), digest(manifest.encode())
            )
        else:
            assert self._rollout is not None
            lease = await asyncio.to_thread(self._rollout.first, self._slot)
        assert isinstance(lease, GuestLease)
        await self._bringing.agreed(lease)
        self._versions.swap(lease)
        return [lease]

    def start(self) -> None:
        """Also bind what was not there yet."""
        self._binding = asyncio.create_task(self._bind_on())
        if self._rollout is not None:
            self._rollout.start()
        self.held.jobs.start()

    async def quiet(self) -> None:
        self.room.drain()
        if self._binding:
            self._binding.cancel()
            with suppress(asyncio.CancelledError):
                await self._binding
        await self.held.jobs.stop()
        if self._rollout is not None:
            self._rollout.stop()

    async def close(self) -> None:
        await self.held.stop()
        if self._rollout is not None:
            await asyncio.to_thread(self._rollout.join, self.settings.grace_s)
        for lease in (self._slot.lease, self._slot.before):
            for link in lease.guest.links if isinstance(lease, GuestLease) else ():
                await link.close()
        await asyncio.to_thread(self.seen.stop)

    def _running(self) -> asyncio.AbstractEventLoop:
        assert self._loop is not None
        return self._loop

    async def _bind_on(self) -> None:
        """Until the version that answers has all it can have; later ones come with it."""
        while isinstance(lease := self._slot.lease, GuestLease) and await self._bringing.agreed(lease):
            await asyncio.sleep(AGAIN_S)


async def serve(
    house: GuestHouse, http: str, grpc_address: str, stop: asyncio.Event | None = None,
    ready: Callable[[Addresses], None] | None = None, alone: bool = False,
) -> None:  # fmt: skip
    """Answer callers until `stop` is set, then drain; as `app.serve`."""
    await stand(house, parse(http, "--http"), parse(grpc_address, "--grpc"), stop, ready, alone)
