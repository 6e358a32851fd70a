"""A server as its doors and its way out see it, whatever rooms it has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import grpc

from ascribe.serve.access import auth
from ascribe.serve.access.porch_http import Porch
from ascribe.serve.forecasts.room import Forecasting
from ascribe.serve.jobs.longer import Longer
from ascribe.serve.observe.lines import to_stdout
from ascribe.serve.observe.traced_doors import Asgi
from ascribe.serve.observe.watched import Observed
from ascribe.serve.page.files import Offers, files
from ascribe.serve.page.front import front
from ascribe.serve.room import Room
from ascribe.serve.rpc.door import Door, attach
from ascribe.serve.rpc.health import Health
from ascribe.serve.rpc.oip import attach_oip
from ascribe.serve.settings import Settings
from ascribe.serve.standing import ByHandler
from ascribe.serve.versions.leases import Lease, Versions

__all__ = ["Rooms"]


class Rooms(ABC):
    """`hosts`: where it can be reached; `write` takes log lines (standard output by default). `room`: what the doors
    ask; `held`: what outlives a request.

        load -> start -> ... -> quiet -> close

    Raises ServiceError for hosts that others reach while nobody is asked who they are.
    """

    room: Room
    interceptors: Sequence[grpc.aio.ServerInterceptor] = ()  # more of them, before the porch

    def __init__(
        self, settings: Settings, versions: Versions, hosts: Sequence[str], write: Callable[[bytes], object] | None
    ) -> None:
        self.settings, self._versions = settings, versions
        self.seen = Observed(settings, versions, write or to_stdout)
        self.log = self.seen.log
        auth.check_reach(hosts, settings)
        self.known = auth.opened(settings, self.log)

    @property
    def loaded(self) -> bool:
        return self._versions.loaded

    @abstractmethod
    def app(self, host: str) -> Porch:
        """The HTTP door with everything before it. `host`: where it listens."""

    @abstractmethod
    def attach(self, server: ByHandler, words: Health) -> None:
        """The services of the gRPC door."""

    @abstractmethod
    async def load(self) -> list[Lease]:
        """Every model fetched, verified; ready. Raises NotFound, BundleError, RegistryError."""

    @abstractmethod
    def start(self) -> None:
        """Follow the channels, work jobs off."""

    @abstractmethod
    async def quiet(self) -> None:
        """Not ready any more: requests are answered, nothing new is begun."""

    @abstractmethod
    async def close(self) -> None:
        """After the last request."""

    def _fronted(self, door: Asgi, host: str, offers: Offers) -> Porch:
        """A door with page, metrics, traces and porch."""
        shown = front(self.seen.around(door, host), files(offers=offers))
        return Porch(shown, self.known, self.settings, self.log, lambda: self.room.draining)

    def _attached(self, server: ByHandler, words: Health, held: Longer, forecasting: Forecasting | None = None) -> None:
        settings, log = self.settings, self.log
        attach(server, Door(self.room, settings, log, held, forecasting), words, settings.reflection)
        attach_oip(server, self.room, settings, log, self.seen.view)
