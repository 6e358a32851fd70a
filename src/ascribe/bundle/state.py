"""Small blobs between the wings: what the offline side knows and the service must answer in one look-up.

    nodes/<node>          the latest vector of a node
    series/<name>         the newest steps of a series that is forecast, mended
    recent/<time>-<who>   the last rows of all nodes (`bundle/recent.py`)
    ingest/<group>        rows, lag, quarantine of a consumer group
    quarantine/<group>    the newest rows that a consumer group turned away, with reasons
    runs/<name>/<run>     a pipeline run and its stages
    drift/<name>/<time>   how far production's rows now lie from those before
    live/<name>/<server>  a sample of the rows that a server answered
    features/<version>    feature definitions; features/current names the one in force

Each is one JSON object, written as a whole; a reader sees the old one or the new one.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

import msgspec

from ascribe.bundle.store import Store, open_store
from ascribe.bundle.unreadable import UNREADABLE
from ascribe.core.errors import NotFound, RegistryError

__all__ = ["State", "beside", "part_of"]


def beside(lake: str) -> str:
    """Where the state of a lake lies: beside its table.

    >>> beside("s3://telemetry/lake/")
    's3://telemetry/lake_state'
    """
    return lake.rstrip("/") + "_state"


class State:
    """JSON blobs under names; a name's parts are separated by '/' and may hold any text."""

    def __init__(self, uri: str) -> None:
        self._store: Store = open_store(uri)
        self.uri = uri

    def put(self, value: Any, *name: str) -> None:
        """Write or replace. Raises RegistryError if the place cannot be written."""
        self._store.put(_path(name), msgspec.json.encode(value))

    def get(self, *name: str, kind: Any = Any) -> Any:
        """As an object of a `kind`. Raises NotFound, RegistryError for what is no JSON, or none of that kind."""
        raw = self._store.read(_path(name))
        try:
            return msgspec.json.decode(raw, type=kind)
        except UNREADABLE as exc:
            raise RegistryError(f"{'/'.join(name)} of {self.uri} is no JSON ({exc}): remove it") from exc

    def find(self, *name: str) -> Any | None:
        """As `get`; None where there is nothing."""
        try:
            return self.get(*name)
        except NotFound:
            return None

    def remove(self, *name: str) -> None:
        """Remove a blob; none there is no error. Raises RegistryError."""
        self._store.remove(_path(name))

    def names(self, *prefix: str, after: str = "") -> list[str]:
        """Last parts of all names directly below a prefix, sorted; only those that sort after a text of plain letters
        and digits.
        """
        start = "".join(part_of(p) + "/" for p in prefix)
        below = start.rstrip("/")
        paths = self._store.names_after(below, start + after) if after else self._store.names(below)
        found = (path[len(start) :] for path in paths)
        return sorted(_text(rest.removesuffix(".json")) for rest in found if "/" not in rest)


def part_of(text: str) -> str:
    """Any text as a file name: object stores decode '%' themselves, so '=' stands for it.

    >>> part_of("rack 1/node.2")
    'rack=201=2Fnode=2E2'
    """
    return quote(text, safe="").replace(".", "%2E").replace("%", "=") or "=="


def _text(part: str) -> str:
    return unquote(part.replace("=", "%")) if part != "==" else ""


def _path(name: tuple[str, ...]) -> str:
    return "/".join(part_of(p) for p in name) + ".json"
