"""A gRPC server at an address: bound, limited, not yet started."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import grpc

from ascribe.core.errors import ServiceError
from ascribe.serve.access.tls import Tls
from ascribe.serve.address import Address, probe
from ascribe.serve.settings import Settings
from ascribe.serve.standing import ByHandler

__all__ = ["bound", "connection_age_ms"]

AGE_SHARE = 0.5  # of the drain, give or take a tenth: who connects in its first part is moved as well


def bound(
    address: Address, flag: str, settings: Settings, secured: Tls | None,
    interceptors: Sequence[grpc.aio.ServerInterceptor], attach: Callable[[ByHandler], None], shared: bool = False,
) -> tuple[grpc.aio.Server, Address]:  # fmt: skip
    """The server and where it really is. `shared`: with other processes; `flag`: how the address was named. Raises
    ServiceError for one that cannot be had.
    """
    server = grpc.aio.server(
        interceptors=interceptors,
        options=[
            ("grpc.so_reuseport", int(shared)),  # or a second server would share the port in silence
            ("grpc.max_receive_message_length", settings.max_body_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.server_handshake_timeout_ms", round(settings.header_s * 1000)),
            *(("grpc.max_connection_age_ms", age) for age in connection_age_ms(settings)),
        ],
    )
    attach(ByHandler(server))
    if not shared:
        probe(address, flag)
    try:
        if secured:
            return server, Address(address.host, server.add_secure_port(str(address), secured.credentials()))
        return server, Address(address.host, server.add_insecure_port(str(address)))
    except RuntimeError as exc:
        raise ServiceError(f"{address} cannot be bound: choose another address with {flag}") from exc


def connection_age_ms(settings: Settings) -> list[int]:
    """The age at which a gRPC connection is told to end (GOAWAY) while its server still takes calls; streams on it go
    on. None without a drain. There is no other way to say so to one connection, or later.
    """
    return [round(settings.drain_s * AGE_SHARE * 1000)] if settings.drain_s else []
