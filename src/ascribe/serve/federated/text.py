"""Routes as JSON text: a list with FATE-Serving's object for each row, {"tree": {"node": true = left}}."""

from __future__ import annotations

import msgspec

from ascribe.bundle.unreadable import UNREADABLE
from ascribe.core.errors import InputError
from ascribe.core.federated.fate_routes import heard, told
from ascribe.core.federated.records import Routes
from ascribe.core.federated.structure import Structure

__all__ = ["read_routes", "written_routes"]

_rows = msgspec.json.Decoder(list[dict[str, dict[str, bool]]])


def written_routes(structure: Structure, party: str, routes: Routes) -> bytes:
    return msgspec.json.encode(told(structure, party, routes))


def read_routes(structure: Structure, party: str, raw: bytes, rows: int) -> Routes:
    """A row that lacks a split is not `known`. Raises InputError for what is no such list of `rows`."""
    try:
        held = _rows.decode(raw)
    except UNREADABLE as exc:
        raise InputError(
            f"the routes of {party} cannot be read as JSON ({exc}): its server is of another kind"
        ) from exc
    if len(held) != rows:
        raise InputError(f"{party} answered {len(held)} of {rows} rows: ask it again")
    return heard(structure, party, held)
