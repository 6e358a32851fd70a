"""A party: its half of a model, and what it does with a request.

host     answer(host, ask, rows)                -> Reply         stateless; knows no guest feature, weight or score
guest    ask(guest, ids)                        -> Ask           what goes to every host, at once
         local(guest, rows)                     -> Local         meanwhile
         merge(guest, local, replies)           -> Answer        one exchange, whatever the depth and the trees
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256

from ascribe.core.arrays import np
from ascribe.core.errors import InputError, NotFound
from ascribe.core.federated.codes import NETWORK, NO_FEATURES, NOT_LOADED, TOO_EMPTY, WRONG_ANSWER, of_host
from ascribe.core.federated.merged import Answer
from ascribe.core.federated.pipeline import Pipeline
from ascribe.core.federated.records import Ask, Linear, Part, Reply, Routes
from ascribe.core.federated.table import Context, Table

__all__ = ["Local", "Party", "answer", "ask", "local", "merge"]


@dataclass(frozen=True, eq=False)
class Party:
    """`name`: "guest:9999"; `model`: what all halves of one model are called; `info`: what an answer says of the model
    (semantics, origin). `inputs`: columns that the party's rows may have. A host's own decisions: `tells_defaults`,
    whether replies count values that were absent; `minimum_fill`, the share of the model's splits or columns that a row
    must have a value for (131 below it); `shares_columns`, whether the guest may learn parts by column.
    """

    name: str
    pipeline: Pipeline
    model: str = ""
    inputs: tuple[str, ...] = ()
    info: Mapping[str, object] = field(default_factory=dict)
    tells_defaults: bool = False
    minimum_fill: float = 0.0
    shares_columns: bool = False

    @property
    def role(self) -> str:
        return self.name.partition(":")[0]

    @property
    def hosts(self) -> tuple[str, ...]:
        """Full names of the hosts that a guest asks."""
        return self.pipeline.last[1].hosts if self.role == "guest" else ()

    @cached_property
    def digest(self) -> str:
        """The same in all halves of one model, and in no other model's."""
        return sha256(f"{self.model}\n{self.pipeline.digest}".encode()).hexdigest()

    def host_named(self, name: str) -> str:
        """A host's full name, from that or from what follows the role. Raises NotFound."""
        found = [p for p in self.hosts if name in (p, p.partition(":")[2])]
        if len(found) != 1:
            raise NotFound(f"no host '{name}': this model asks {', '.join(self.hosts) or 'none'}")
        return found[0]


@dataclass(frozen=True, eq=False)
class Local:
    """What the guest computes while the hosts do."""

    context: Context
    rows: Table
    parts: Mapping[str, Part]


def answer(host: Party, asked: Ask, rows: Table, found: np.ndarray | None = None) -> Reply:
    """A host's reply to ids whose own rows are `rows`, in the same order; `found (b,)`: False where there is no row.

    Raises NotFound where the guest asks for another model, InputError for another number of rows.
    """
    if asked.digest != host.digest:
        raise NotFound(
            f"the guest asks for another model than {host.name} holds (digest {asked.digest[:12]}, here "
            f"{host.digest[:12]}): load the two halves of one model"
        )
    if len(rows) != len(asked.ids):
        raise InputError(f"{len(rows)} rows for {len(asked.ids)} ids: give one for each, in order")
    context = Context(host.name, len(rows))
    if found is not None:
        context.fail(np.flatnonzero(~found), NO_FEATURES, f"{host.name} has no features for this id")
    parts = host.pipeline.local_inference(context, rows)
    filled = 1 - context.defaulted / np.maximum(context.wanted, 1)
    context.fail(np.flatnonzero(filled < host.minimum_fill), TOO_EMPTY, f"{host.name} has too few features for this id")
    told = {
        name: _cleared(part, context.code != 0, asked.columns and host.shares_columns) for name, part in parts.items()
    }
    return Reply(
        host.name, host.digest, context.code.astype(np.uint8), told, context.defaulted if host.tells_defaults else None
    )


def _cleared(part: Part, failed: np.ndarray, columns: bool) -> Part:
    """Nothing of rows that failed, and no part by column unless both agreed."""
    if isinstance(part, Routes):
        return Routes(part.bits & ~failed[:, None])
    sums = np.where(failed[:, None], 0.0, part.sums)
    if part.terms is None or not columns:
        return Linear(sums)
    return Linear(sums, np.where(failed[:, None, None], 0.0, part.terms), part.columns)


def ask(guest: Party, ids: Sequence[object], columns: bool = False) -> Ask:
    """What every host is sent: ids as text, and nothing else of a row."""
    return Ask(guest.model, guest.digest, tuple(str(i) for i in ids), columns)


def local(guest: Party, rows: Table) -> Local:
    """The guest's own pipeline."""
    context = Context(guest.name, len(rows))
    return Local(context, rows, guest.pipeline.local_inference(context, rows))


def merge(guest: Party, held: Local, replies: Mapping[str, Reply]) -> Answer:
    """The answer, row by row: a host's code becomes the row's, with a 2 before it; a host that is missing fails every
    row. Replies are keyed by full name, and count for that party only. The same `held` can be merged again.
    """
    context = Context(guest.name, len(held.rows))
    context.code, context.reasons = held.context.code.copy(), list(held.context.reasons)
    context.data = held.context.data
    remote, defaulted = {}, {guest.name: held.context.defaulted}
    for host in guest.hosts:
        reply = replies.get(host)
        every = range(len(held.rows))
        if reply is None:
            context.fail(every, NETWORK, f"{host} has not answered")
        elif reply.digest != guest.digest or reply.party != host:
            context.fail(
                every, of_host(NOT_LOADED), f"{host} answered for another model or party: load halves of one model"
            )
        elif len(reply) != len(held.rows):
            context.fail(every, WRONG_ANSWER, f"{host} answered {len(reply)} of {len(held.rows)} rows")
        else:
            for code in np.unique(reply.code[reply.code != 0]):
                context.fail(np.flatnonzero(reply.code == code), of_host(int(code)), f"{host} answered {code}")
            remote[host] = reply.parts
            if reply.defaulted is not None:
                defaulted[host] = reply.defaulted
    merged = guest.pipeline.merge_remote_inference(context, held.parts, remote)
    return Answer(**{**vars(merged), "defaulted": defaulted})
