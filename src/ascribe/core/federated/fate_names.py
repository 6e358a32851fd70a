"""How FATE calls a party's half: a namespace and a table name.

namespace = role#party#<model id>        table name = model version        both of "<model id>@<model version>"
"""

from __future__ import annotations

from ascribe.core.federated.party import Party

__all__ = ["fate_name"]


def fate_name(party: Party, name: str = "") -> tuple[str, str]:
    """Namespace and table name of the half of `name` (default: the party's own), all of one model.

    >>> from types import SimpleNamespace
    >>> fate_name(SimpleNamespace(name="guest:9999", model="arbiter-10000#model@2020"), "host:10000")
    ('host#10000#arbiter-10000#model', '2020')
    """
    model, _, version = party.model.rpartition("@")
    role, _, own = (name or party.name).partition(":")
    return f"{role}#{own}#{model}", version
