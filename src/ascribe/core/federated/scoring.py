"""A whole request in one process: the transport is an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ascribe.core.federated.merged import Answer
from ascribe.core.federated.party import Party, ask, local, merge
from ascribe.core.federated.records import HostCall
from ascribe.core.federated.table import Table

__all__ = ["score"]


def score(
    guest: Party, rows: Table, ids: Sequence[object], hosts: Mapping[str, HostCall], columns: bool = False
) -> Answer:
    """Rows of the guest, with the ids that hosts know them by: each host is called once, then all is merged.

    `hosts`: by full name or by what follows the role. Raises NotFound for a name that the model does not ask.
    """
    asked = ask(guest, ids, columns)
    calls = {guest.host_named(name): call for name, call in hosts.items()}
    replies = {party: call(asked) for party, call in calls.items()}
    return merge(guest, local(guest, rows), replies)
