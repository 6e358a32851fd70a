"""HOST:PORT, and sockets that are surely ours."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass

from ascribe.core.errors import ServiceError

__all__ = ["Address", "bind", "parse", "probe", "reserve"]

BACKLOG = 1024


@dataclass(frozen=True)
class Address:
    """A place to listen; port 0 lets the system choose.

    >>> str(Address("::1", 80))
    '[::1]:80'
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str, flag: str) -> Address:
    """`HOST:PORT` or `[IPV6]:PORT`. Raises ServiceError naming the flag.

    >>> parse("127.0.0.1:8080", "--http").port
    8080
    """
    host, colon, port = text.rpartition(":")
    host = host[1:-1] if host.startswith("[") and host.endswith("]") else "" if ":" in host else host
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 1 << 16):
        raise ServiceError(f"'{text}' is no address: write {flag} HOST:PORT, such as {flag} 127.0.0.1:8080")
    return Address(host, int(port))


def bind(address: Address, flag: str, shared: bool = False) -> socket.socket:
    """A listening socket; `shared` with other processes of ours. Raises ServiceError for a port in use or forbidden, or
    a host that is not this machine's.
    """
    listener = reserve(address, flag, shared)
    listener.listen(BACKLOG)
    return listener


def reserve(address: Address, flag: str, shared: bool = True) -> socket.socket:
    """A bound socket that does not listen: with `shared`, other sockets that say so too get the connections. Raises as
    `bind`.
    """
    where = f"port {address.port} on {address.host}"
    try:
        family, kind, proto, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, proto)
    except OSError as exc:
        raise ServiceError(f"'{address.host}' is no host of this machine: choose another with {flag}") from exc
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        found.bind(place)
    except OSError as exc:
        found.close()
        if exc.errno == errno.EADDRINUSE:
            raise ServiceError(f"{where} is in use: choose another with {flag}") from exc
        if exc.errno == errno.EACCES:
            raise ServiceError(f"{where} needs more rights: choose one above 1023 with {flag}") from exc
        raise ServiceError(f"{where} cannot be bound ({exc.strerror}): choose another with {flag}") from exc
    return found


def probe(address: Address, flag: str) -> None:
    """Whether an address can be bound, asked before a library that would not say why. Raises as `bind`."""
    bind(address, flag).close()
