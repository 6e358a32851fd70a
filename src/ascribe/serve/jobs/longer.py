"""What outlives a request: jobs, and attributions that come later; with the place that both lie in."""

from __future__ import annotations

from dataclasses import dataclass

from ascribe.serve.jobs.later import Later
from ascribe.serve.jobs.place import Place
from ascribe.serve.jobs.room import Jobs
from ascribe.serve.observe.log import Log
from ascribe.serve.room import Room
from ascribe.serve.settings import Settings

__all__ = ["Longer", "longer"]


@dataclass(frozen=True)
class Longer:
    """Started once the models are loaded, stopped before the service is."""

    place: Place
    jobs: Jobs
    later: Later

    async def stop(self) -> None:
        await self.jobs.stop()
        await self.later.stop()
        self.place.close()


def longer(service: Room, settings: Settings, log: Log) -> Longer:
    """Both on the paths of `service`. Raises RegistryError for a place that cannot be opened."""
    place = Place(settings.jobs or (str(settings.shared / "jobs") if settings.shared else None))
    if place.shared:
        place.store()
    return Longer(
        place,
        Jobs(place, settings, service.attribute, service.version, log),
        Later(place, settings, service.predict, service.attribute, log),
    )
