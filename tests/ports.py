"""A port of loopback for a server that comes later, comes again, or never."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held_port() -> Iterator[int]:
    """A port that is bound and not listened on: nobody else is given it, whoever connects is refused, and a server that
    is told its number can open it (with SO_REUSEADDR, which servers set), close it, and open it again.
    """
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
