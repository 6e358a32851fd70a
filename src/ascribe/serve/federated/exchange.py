"""All hosts at once, under one deadline; and which of them a request needs at all."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from ascribe.core.federated.components.boosted_trees import BoostedTrees
from ascribe.core.federated.party import Local, Party
from ascribe.core.federated.records import Ask, Reply, Routes
from ascribe.serve.federated.link import HostLink, Unanswered

__all__ = ["Failure", "exchanged", "met", "unasked"]


@dataclass(frozen=True)
class Failure:
    """Why a host gave no reply: a code as a client sees it, and one line."""

    host: str
    code: int
    text: str


async def exchanged(
    links: Iterable[HostLink], asked: Ask, request_id: str, limit_s: float
) -> tuple[dict[str, Reply], dict[str, Failure]]:
    """Replies and failures by host: every link is in one of them within `limit_s` seconds. Whoever cancels this cancels
    the calls.
    """
    replies: dict[str, Reply] = {}
    failures: dict[str, Failure] = {}

    async def one(link: HostLink) -> None:
        try:
            replies[link.host] = await link.ask(asked, request_id, limit_s)
        except Unanswered as exc:
            failures[link.host] = Failure(link.host, exc.code, exc.text)

    async with asyncio.TaskGroup() as group:
        for link in links:
            group.create_task(one(link))
    return replies, failures


def met(guest: Party, held: Local) -> tuple[str, ...]:
    """Hosts with a split that the walk of some row may meet, whatever the hosts say: the guest's own ways are known, at
    other parties' splits both are open. Every host of a model that is not of trees.
    """
    name, trees = guest.pipeline.last
    if not isinstance(trees, BoostedTrees):
        return guest.hosts
    structure, local = trees.structure, held.parts[name]
    assert isinstance(local, Routes)
    own = structure.splits_of(guest.name)
    left = np.zeros((len(held.rows), len(structure.owner)), bool)
    left[:, own] = local.bits
    open_ = np.ones(len(structure.owner), bool)
    open_[own] = False
    seen = np.zeros_like(left)
    seen[:, structure.start[:-1]] = True
    for level in structure.levels:
        n = level[~structure.leaf[level]]
        seen[:, structure.left[n]] = seen[:, n] & (left[:, n] | open_[n])
        seen[:, structure.right[n]] = seen[:, n] & (~left[:, n] | open_[n])
    return tuple(host for host in guest.hosts if seen[:, structure.splits_of(host)].any())


def unasked(guest: Party, hosts: Iterable[str], rows: int) -> Mapping[str, Reply]:
    """What stands for the replies of hosts of trees that were not asked: no walk reads them."""
    reporters = guest.pipeline.reporters.items()
    return {
        host: Reply(
            host, guest.digest, np.zeros(rows, np.uint8),
            {name: Routes(np.zeros((rows, trees.width(host)), bool)) for name, trees in reporters},
        )
        for host in hosts
    }  # fmt: skip
