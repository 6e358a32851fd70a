"""The server of a guest: the rooms of one server around a room that asks hosts, behind the usual doors and
FATE-Serving's."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc

from ascribe.bundle.archive import Bundle
from ascribe.core.errors import InputError
from ascribe.serve import auth, oip_rpc, porch_http, rest, rpc
from ascribe.serve.address import parse
from ascribe.serve.app import Addresses, stand
from ascribe.serve.federated import fate_rest, fate_rpc
from ascribe.serve.federated.fate import FateRoom
from ascribe.serve.federated.guest_room import GuestRoom
from ascribe.serve.federated.link import Unanswered
from ascribe.serve.federated.opening import NO_COVER, Guest, lease_of, open_guest, prepared
from ascribe.serve.federated.partial import checked
from ascribe.serve.federated.publishing import Publishing
from ascribe.serve.federated.scored import Scorer
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.federated.stated import Reading, read_policy
from ascribe.serve.lines import to_stdout
from ascribe.serve.longer import longer
from ascribe.serve.observed import Observed
from ascribe.serve.settings import Settings
from ascribe.serve.standing import ByHandler
from ascribe.serve.versions import Lease, Versions

__all__ = ["GuestHouse", "serve"]

AGAIN_S = 5.0  # between attempts to bind hosts that were down when the guest started


class GuestHouse:
    """As `house.House`, of one bundle. `hosts`: NAME -> HOST:PORT; `policy`: where a caller states none; `background`:
    rows for the cover of a model that has none; `service_id`: the one that FATE-Serving's clients must name.

    Raises InputError, BundleError, ServiceError.
    """

    def __init__(
        self, bundle: Bundle, name: str, hosts: Mapping[str, str], listen: Sequence[str], settings: Settings,
        parties: PartySettings, policy: str = "fail", skip_local: bool = False, background: Path | None = None,
        service_id: str = "", write: Callable[[bytes], object] | None = None,
    ) -> None:  # fmt: skip
        self.settings, self._parties, self._bundle, self._name = settings, parties, bundle, name
        self._guest: Guest = open_guest(bundle, hosts, parties)
        self._background, self._service_id, self._policy = background, service_id, checked(policy)
        self._versions = Versions([(name, "production")])
        self.seen = Observed(settings, self._versions, write or to_stdout)
        self.log = self.seen.log
        auth.check_reach(listen, settings)
        self.known = auth.opened(settings, self.log)
        self.service: Any = GuestRoom(
            self._versions,
            settings,
            policy,
            skip_local,
            Publishing(self._guest.party, list(self._guest.names.values()), parties),
            self.seen.meter,
        )
        self.held = longer(self.service, settings, self.log)
        self.interceptors: list[grpc.aio.ServerInterceptor] = [Reading()]
        self._fate = FateRoom(self.service, self._versions, service_id, policy)
        self._binding: asyncio.Task[None] | None = None

    @property
    def loaded(self) -> bool:
        return self._versions.loaded

    def app(self, host: str) -> Any:
        """The HTTP door with everything before it. `host`: where it listens."""
        inner = rest.door(self.service, self.settings, self.log, self.held, self.seen.view)
        fate_rest.add(inner, self._fate, self.settings, self.log)
        return porch_http.Porch(
            self.seen.around(read_policy(inner), host), self.known, self.settings, self.log,
            lambda: bool(self.service.draining),
        )  # fmt: skip

    def attach(self, server: ByHandler, words: rpc.Health) -> None:
        """The services of the gRPC door."""
        rpc.attach(server, rpc.Door(self.service, self.settings, self.log, self.held), words, self.settings.reflection)
        oip_rpc.attach(server, oip_rpc.Door(self.service, self.settings, self.log, self.seen.view))
        fate_rpc.attach(server, self._fate, self.settings, self.log)

    async def load(self) -> list[Lease]:
        """Ready, whether or not the hosts are: what a caller gets without them is the policy's matter."""
        lease = lease_of(self._bundle, self._guest, self._name, asyncio.get_running_loop(), self._parties)
        self._versions.swap(lease)
        scorer = Scorer(self._guest.party, self._guest.links, self._parties, None, NO_COVER)
        await self._bind(scorer)
        self.service.scorer = scorer
        return [lease]

    def start(self) -> None:
        """Bind what was not there yet, work jobs off."""
        self._binding = asyncio.create_task(self._bind_on())
        self.held.jobs.start()

    async def quiet(self) -> None:
        self.service.drain()
        if self._binding:
            self._binding.cancel()
            with suppress(asyncio.CancelledError):
                await self._binding
        await self.held.jobs.stop()

    async def close(self) -> None:
        await self.held.stop()
        for link in self._guest.links:
            await link.close()
        await asyncio.to_thread(self.seen.stop)

    async def _bind(self, scorer: Scorer) -> bool:
        """Whether every host holds its half and the model can be explained, as far as it ever can be."""
        done = True
        for link in self._guest.links:
            if not link.bound:
                try:
                    await link.bind(f"bind-{self._name}"[:128], self._parties.timeout_s)
                    self.log.event("host_bound", host=link.host, address=str(link.address), max_rows=link.max_rows)
                except Unanswered as exc:
                    self.log.event("host_not_bound", host=link.host, reason=exc.text)
                    done = False
        if done and scorer.explainer is None:
            try:
                scorer.explainer = await prepared(self._guest, self._parties, self._background)
            except InputError as exc:
                self.log.event("not_explained", reason=str(exc))
                return False
        return done

    async def _bind_on(self) -> None:
        while not await self._bind(self.service.scorer):
            await asyncio.sleep(AGAIN_S)


async def serve(
    house: GuestHouse, http: str, grpc_address: str, stop: asyncio.Event | None = None,
    ready: Callable[[Addresses], None] | None = None, alone: bool = False,
) -> None:  # fmt: skip
    """Answer callers until `stop` is set, then drain; as `app.serve`."""
    any_house: Any = house
    await stand(any_house, parse(http, "--http"), parse(grpc_address, "--grpc"), stop, ready, alone)
