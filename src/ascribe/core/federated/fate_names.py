"""How FATE calls a party's half: a namespace and a table name.

namespace = role#party#<model id>        table name = model version        both of "<model id>@<model version>"
"""

from __future__ import annotations

__all__ = ["fate_name"]


def fate_name(party: str, model: str) -> tuple[str, str]:
    """Namespace and table name of the half of `party`, both of one `model`.

    >>> fate_name("host:10000", "arbiter-10000#model@2020")
    ('host#10000#arbiter-10000#model', '2020')
    """
    name, _, version = model.rpartition("@")
    role, _, own = party.partition(":")
    return f"{role}#{own}#{name}", version
