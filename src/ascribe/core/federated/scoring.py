"""A whole request in one process, and a guest as a Model: the transport is an argument."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ascribe.core.arrays import np
from ascribe.core.features import Feature
from ascribe.core.federated.merged import Answer
from ascribe.core.federated.party import Party, ask, local, merge
from ascribe.core.federated.records import HostCall, Reply
from ascribe.core.federated.table import Table
from ascribe.core.model import Model

__all__ = ["as_model", "score"]


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


def as_model(guest: Party, hosts: Mapping[str, HostCall]) -> Model:
    """A guest as a record of capabilities: `routes` and `remote_predict`, of the first output, and never `predict`."""
    calls = {guest.host_named(name): call for name, call in hosts.items()}

    def routes(ids: Sequence[str]) -> Mapping[str, Reply]:
        asked = ask(guest, ids)
        return {party: call(asked) for party, call in calls.items()}

    def remote_predict(X: np.ndarray, replies: Mapping[str, Reply]) -> np.ndarray:
        rows = Table.of_matrix(guest.inputs, X)
        return np.asarray(merge(guest, local(guest, rows), replies).margin[:, 0])

    features = tuple(Feature(name, missing=True) for name in guest.inputs)
    return Model(features, version=guest.model, remote_predict=remote_predict, routes=routes)
