"""Who asks, as far as the room needs to know: a name for limits and fairness, and what it may do."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["ANYBODY", "SCOPES", "Caller", "current", "entered"]

SCOPES = ("predict", "explain", "metrics", "admin")


@dataclass(frozen=True)
class Caller:
    """`name`: of a key, a certificate or a token's subject, never the secret itself. `scopes`: of `SCOPES`.
    `rate_per_s`: rows a second that it may ask for; None: no limit of its own.
    """

    name: str
    scopes: frozenset[str] = frozenset(("predict", "explain"))
    rate_per_s: float | None = None


ANYBODY = Caller("anybody", frozenset(("predict", "explain", "metrics")))
"""Where no credentials are asked for."""

_CURRENT: ContextVar[Caller] = ContextVar("caller", default=ANYBODY)


def current() -> Caller:
    """Whom the porch let in with the request at hand; ANYBODY outside one."""
    return _CURRENT.get()


def entered(caller: Caller) -> None:
    """Said by the porch, in the task that answers the request."""
    _CURRENT.set(caller)
