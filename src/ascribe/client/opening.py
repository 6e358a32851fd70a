"""The way of a client, by the address of its server."""

from __future__ import annotations

from ascribe.client.options import Options
from ascribe.client.ways import AwaitedWay, Way

__all__ = ["awaiting", "waiting"]


def waiting(options: Options) -> Way:
    """The way of a client that waits: REST or gRPC by the address. Raises MissingExtra, InputError."""
    if options.scheme.startswith("http"):
        from ascribe.client.rest import Rest

        return Rest(options)
    from ascribe.client.rpc import Rpc

    return Rpc(options)


def awaiting(options: Options) -> AwaitedWay:
    """As `waiting`, of a client that is awaited."""
    if options.scheme.startswith("http"):
        from ascribe.client.rest import AsyncRest

        return AsyncRest(options)
    from ascribe.client.rpc import AsyncRpc

    return AsyncRpc(options)
