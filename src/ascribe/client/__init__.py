"""The client: asks a running server, by REST or gRPC, and waits or awaits.

Nouns: a **call** (one verb, for both protocols), a **way** (REST or gRPC, waiting or awaiting: carries calls),
**tries** (when a call may be sent again), the **client** (verbs over a way).

    rows -> call -> way (tries) -> server -> way -> answer

Imports the wire's words (`serve.messages`, `serve.wire`) and the errors, and nothing of the room behind the doors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ascribe.client.asking import Client
    from ascribe.client.awaiting import AsyncClient
    from ascribe.client.calls import StreamAnswer
    from ascribe.client.options import Tls
    from ascribe.client.rows import Vector

__all__ = ["AsyncClient", "Client", "StreamAnswer", "Tls", "Vector"]

_HOMES = {"AsyncClient": "awaiting", "Client": "asking", "StreamAnswer": "calls", "Tls": "options", "Vector": "rows"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ascribe.client' has no attribute '{name}'; it offers {', '.join(__all__)}")
    from importlib import import_module

    return getattr(import_module(f"ascribe.client.{_HOMES[name]}"), name)
