"""Held-out rows of a guest with what its hosts answered about them: by these the gate judges a half that needs others.

    digest of the model   ids (b,)   X (b, n) the guest's own columns   y (b,) the truth, or nothing
    for each host: code (b,), and bits (b, k) packed, or its linear parts (b, m)

The bits are those that a request about these ids brings: a guest that keeps them knows no more than one that asked.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.bundle.npz import arrays
from ascribe.core.errors import BundleError, InputError
from ascribe.core.federated.components.boosted_trees import BoostedTrees
from ascribe.core.federated.merged import Answer
from ascribe.core.federated.party import Party, local, merge
from ascribe.core.federated.records import Linear, Part, Reply, Routes, pack, unpack
from ascribe.core.federated.table import Table

__all__ = ["ROLE", "Replies", "check_truth", "merged", "read_replies", "written"]

ROLE = "replies"


@dataclass(frozen=True, eq=False)
class Replies:
    """See above. `hosts`: each host's reply to `ids`, by full name."""

    ids: tuple[str, ...]
    X: np.ndarray
    hosts: Mapping[str, Reply]
    y: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)


def merged(guest: Party, held: Replies) -> Answer:
    """Scores of the rows, without asking anybody."""
    return merge(guest, local(guest, Table.of_matrix(guest.inputs, held.X)), held.hosts)


def check_truth(guest: Party, y: np.ndarray | None) -> None:
    """Raises InputError for a truth that is none of the guest's classes, which are numbered from 0."""
    component = guest.pipeline.last[1]
    if y is None or component.link not in ("logistic", "softmax"):
        return
    classes = max(len(component.labels), 2)
    if wrong := sorted(set(y[~np.isin(y, np.arange(classes))].tolist())):
        raise InputError(f"the truth of a row is {wrong[0]:g}: write the {classes} classes as 0 to {classes - 1}")


def written(guest: Party, held: Replies) -> bytes:
    """As an npz without pickles. Raises InputError where a host of the guest has not answered, or for other rows."""
    b = len(held)
    if held.X.shape != (b, len(guest.inputs)) or (held.y is not None and held.y.shape != (b,)):
        raise InputError(f"{b} ids with rows of shape {held.X.shape}: give each row the guest's columns")
    check_truth(guest, held.y)
    out: dict[str, np.ndarray] = {"ids": np.array(held.ids, dtype=str), "X": held.X.astype(float)}
    out["digest"] = np.array(guest.digest)
    if held.y is not None:
        out["y"] = held.y.astype(float)
    name = guest.pipeline.last[0]
    for i, host in enumerate(guest.hosts):
        reply = held.hosts.get(host)
        if reply is None or reply.digest != guest.digest or len(reply) != b:
            raise InputError(f"{host} has not answered about these {b} rows for this model")
        part = reply.parts[name]
        out[f"{i}.code"] = reply.code.astype(np.uint8)
        out[f"{i}.part"] = pack(part.bits) if isinstance(part, Routes) else part.sums
    made = io.BytesIO()
    np.savez_compressed(made, **out)  # type: ignore[arg-type]
    return made.getvalue()


def read_replies(bundle: Bundle, guest: Party) -> Replies | None:
    """None where the bundle keeps none. Raises BundleError for ones that are not of this model."""
    if not bundle.has(ROLE):
        return None
    told = arrays(bundle, ROLE, ("ids", "X", "digest"))
    try:
        if str(told["digest"]) != guest.digest:
            raise InputError("they are of another model")
        ids, X = tuple(told["ids"].tolist()), told["X"].astype(float)
        y = told["y"].astype(float) if "y" in told else None
        if X.shape != (len(ids), len(guest.inputs)) or (y is not None and y.shape != (len(ids),)):
            raise InputError("rows of another model")
        check_truth(guest, y)
        name, component = guest.pipeline.last
        hosts = {}
        for i, host in enumerate(guest.hosts):
            part: Part
            if isinstance(component, BoostedTrees):
                part = Routes(unpack(told[f"{i}.part"], component.width(host)))
            else:
                part = Linear(told[f"{i}.part"].astype(float))
            hosts[host] = Reply(host, guest.digest, told[f"{i}.code"].astype(np.uint8), {name: part})
            if len(hosts[host]) != len(ids):
                raise InputError("replies to other rows")
    except (KeyError, ValueError, TypeError, AttributeError) as exc:
        raise BundleError(f"{bundle.origin} keeps replies that cannot be read ({exc}): write it again") from exc
    return Replies(ids, X, hosts, y)
