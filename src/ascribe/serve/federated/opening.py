"""From a guest's bundle and the addresses of its hosts to what scores and explains."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.bundle.federated.half import open_party
from ascribe.core.errors import InputError, NotFound
from ascribe.core.federated.components.boosted_trees import BoostedTrees
from ascribe.core.federated.explaining import Explainer, with_cover
from ascribe.core.federated.merged import Answer
from ascribe.core.federated.party import Party, ask, local
from ascribe.core.federated.records import Reply
from ascribe.core.federated.table import Table
from ascribe.serve.federated.exchange import exchanged
from ascribe.serve.federated.fate_link import SCHEME, FateLink
from ascribe.serve.federated.features.file import read_rows
from ascribe.serve.federated.gathering import Gathering
from ascribe.serve.federated.link import HostLink, Link
from ascribe.serve.federated.partial import settled
from ascribe.serve.federated.settings import PartySettings

__all__ = ["NO_COVER", "Guest", "open_guest", "prepared"]

NO_COVER = (
    "this model says nothing of how often its branches are taken, so it is not explained: name rows of the guest whose "
    "ids the hosts know with --background FILE"
)


@dataclass(frozen=True, eq=False)
class Guest:
    """`links`: one a host; `names`: what hosts are called in answers, by full name."""

    party: Party
    links: Sequence[HostLink]
    names: Mapping[str, str]


def open_guest(
    bundle: Bundle, hosts: Mapping[str, str], parties: PartySettings, by_column: Sequence[str] = ()
) -> Guest:  # fmt: skip
    """`hosts`: NAME -> HOST:PORT; NAME is a host's full name, what follows its role, or any name for an only host.
    `by_column`: names of those whose parts are asked for column by column.

    Raises InputError for a host that is not named or named twice, BundleError, ServiceError.
    """
    party = open_party(bundle, "guest")
    at: dict[str, tuple[str, str]] = {}
    for name, address in hosts.items():
        full = _full(party, name)
        if full in at:
            raise InputError(f"{full} is given two addresses: name each host once")
        at[full] = (name, address)
    if missing := [host for host in party.hosts if host not in at]:
        raise InputError(f"no address for {', '.join(missing)}: --host NAME=HOST:PORT, once for each host")
    split = {_full(party, name) for name in by_column}
    links = [
        Gathering(_link(party, full, at[full][1], parties, full in split), parties.at_once) for full in party.hosts
    ]
    return Guest(party, links, {full: at[full][0] for full in party.hosts})


def _link(party: Party, host: str, place: str, parties: PartySettings, by_column: bool) -> HostLink:
    if not place.startswith(SCHEME):
        return Link(party, host, place, parties, by_column)
    if by_column:
        raise InputError(f"{host} is a host of FATE-Serving, which tells no parts by column: ask it without")
    return FateLink(party, host, place, parties)


def _full(party: Party, name: str) -> str:
    try:
        return party.host_named(name)
    except NotFound:
        if len(party.hosts) == 1 and ":" not in name:
            return party.hosts[0]
        raise


async def prepared(guest: Guest, parties: PartySettings, background: Path | None) -> Explainer | None:
    """What explains, ready to be called; None where the model has no cover and no background was named. The background
    is one exchange, or as many as it needs: ids that nobody asked about. Raises InputError where it cannot be had, and
    for a host whose columns are asked for and not told yet.
    """
    party, (name, component) = guest.party, guest.party.pipeline.last
    if early := [link.host for link in guest.links if link.by_column and not link.bound]:
        raise InputError(f"{early[0]} has not told its columns: values by column wait for it")
    if isinstance(component, BoostedTrees):
        assert component.leaves is not None
        if component.leaves.cover is None:
            if background is None:
                return None
            party = await _covered(guest, parties, background)
    told = {link.host: link.columns[name] for link in guest.links if link.by_column and name in link.columns}
    explainer = Explainer(party, guest.names, told)
    if isinstance(component, BoostedTrees):
        await asyncio.to_thread(lambda: explainer.values)
    return explainer


async def _covered(guest: Guest, parties: PartySettings, background: Path) -> Party:
    """On threads but for the questions: a version that comes holds up nobody whom the one before answers."""
    ids, rows = await asyncio.to_thread(read_rows, background, guest.party.inputs)
    most = min(link.max_rows for link in guest.links) if guest.links else parties.max_rows
    found: list[Answer] = []
    for k in range(0, len(ids), most):
        part = rows.having({name: held[k : k + most] for name, held in rows.columns.items()})
        part = replace(part, length=len(ids[k : k + most]))
        asked = ask(guest.party, ids[k : k + most])
        replies, failures = await exchanged(guest.links, asked, uuid.uuid4().hex, parties.timeout_s)
        if failures:
            raise InputError(f"the background has no answer: {next(iter(failures.values())).text}")
        found.append(await asyncio.to_thread(_answered, guest.party, part, replies))
    if not found:
        raise InputError(f"{background} has no rows: there is nothing to count")
    return await asyncio.to_thread(lambda: with_cover(guest.party, _joined(found)))


def _answered(party: Party, rows: Table, replies: Mapping[str, Reply]) -> Answer:
    return settled(party, local(party, rows), replies, {}, "fail").answer


def _joined(parts: Sequence[Answer]) -> Answer:
    first = parts[0]
    left = [part.left for part in parts if part.left is not None]
    return replace(first, code=np.concatenate([part.code for part in parts]), left=np.concatenate(left))
