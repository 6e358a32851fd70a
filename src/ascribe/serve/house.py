"""All the rooms of one server, put together, whoever brings the requests in: this process's own doors, or a host's."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from ascribe.bundle.registry import Registry
from ascribe.bundle.sessions import cores
from ascribe.core.errors import InputError
from ascribe.serve.access.porch_http import Porch
from ascribe.serve.access.rates import Rates
from ascribe.serve.cards.published import Published
from ascribe.serve.cards.shelf import Shelf
from ascribe.serve.forecasts.room import Forecasting
from ascribe.serve.jobs.longer import longer
from ascribe.serve.live import Sampled
from ascribe.serve.now.opening import opened
from ascribe.serve.page.files import Offers
from ascribe.serve.priority import give_way
from ascribe.serve.rest.door import http_door
from ascribe.serve.rooms import Rooms
from ascribe.serve.rpc.health import Health
from ascribe.serve.service import Service
from ascribe.serve.settings import Settings
from ascribe.serve.standing import ByHandler
from ascribe.serve.telemetry import Telemetry
from ascribe.serve.versions.leases import Lease, Slot, Versions, specs
from ascribe.serve.versions.promoting import Promoting
from ascribe.serve.versions.rollout import Rollout
from ascribe.serve.versions.shadow import Shadow

__all__ = ["House"]


class House(Rooms):
    """`model`: `NAME[@CHANNEL]` of a registry, one or several; `shadow`: the channel whose versions are compared with
    those that answer. Raises as `Rooms`, InputError for no model.
    """

    def __init__(
        self, registry: str, model: str | Sequence[str], hosts: Sequence[str], settings: Settings,
        write: Callable[[bytes], object] | None = None, shadow: str | None = None,
    ) -> None:  # fmt: skip
        versions = Versions(specs(model))
        super().__init__(settings, versions, hosts, write)
        log = self.log
        candidates = _candidates(versions, shadow)

        def registered() -> Registry:
            return Registry(registry, settings.verify_key)

        self._rollout = Rollout(registered, versions.slots, list(candidates.values()), settings.poll_s, log)
        self._beside = Shadow(candidates, settings.shadow_share, log) if shadow else None
        telemetry = Telemetry(settings.lake) if settings.lake else None
        self._sampled = Sampled(telemetry.state, log) if telemetry else None
        self._pool = ThreadPoolExecutor(settings.explain_threads or cores(), "explain", give_way)
        self._predictors = ThreadPoolExecutor(1, "predict")
        self.room = self._service = service = Service(
            versions, settings, self._pool, self._rollout, self._beside, telemetry, self._sampled, self._predictors,
            self.seen.meter, Rates(settings.rate_per_s, settings.burst_s, settings.workers),
        )  # fmt: skip
        self.forecasting = Forecasting(service, settings)
        promoting = Promoting(registered, versions, self._rollout, settings, log)
        self._offers = Offers(lake=telemetry is not None)
        self._shelf = Shelf(Published(registered, versions), promoting, versions, telemetry, settings)
        self.held = longer(service, settings, log)
        follower, self.now = opened(versions, telemetry, settings, log, service.busy, self.seen.meter.registry)
        self._threads = [thread for thread in (self._rollout, self._beside, self._sampled, follower) if thread]

    def app(self, host: str) -> Porch:
        more = (self.forecasting, self.now, self._shelf)
        door = http_door(self.room, self.settings, self.log, self.held, self.seen.view, *more)
        return self._fronted(door, host, self._offers)

    def attach(self, server: ByHandler, words: Health) -> None:
        self._attached(server, words, self.held, self.forecasting)

    async def load(self) -> list[Lease]:
        """Also warm."""
        threading.Thread(target=_import_ahead, daemon=True).start()
        leases = await asyncio.to_thread(lambda: [self._rollout.first(slot) for slot in self._versions.slots])
        await self._service.warm(*leases)
        return leases

    def start(self) -> None:
        for thread in self._threads[:1]:
            thread.start()
        self.held.jobs.start()
        for thread in self._threads[1:]:
            thread.start()

    async def quiet(self) -> None:
        self.room.drain()
        await self.held.jobs.stop()
        for thread in self._threads:
            thread.stop()

    async def close(self) -> None:
        await self.held.stop()
        await self._shelf.close()
        self._pool.shutdown(wait=False, cancel_futures=True)
        for thread in self._threads:
            await asyncio.to_thread(thread.join, self.settings.grace_s)
        await asyncio.to_thread(self.seen.stop)
        for pool in (self._pool, self._predictors):
            await asyncio.to_thread(pool.shutdown)


def _candidates(versions: Versions, shadow: str | None) -> dict[Slot, Slot]:
    """A slot of the shadow channel for each that answers from another one. Raises InputError where there is none."""
    found = {slot: Slot(slot.name, shadow) for slot in versions.slots if shadow and shadow != slot.channel}
    if shadow and not found:
        raise InputError(f"--shadow {shadow} is the channel that answers already: name another one")
    return found


def _import_ahead() -> None:
    """Half a second of imports that the first explanation needs, while the bundle is read."""
    import scipy.stats  # noqa: F401
