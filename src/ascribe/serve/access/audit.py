"""Who changed what, and who was turned away: log lines of the event `audit`, with names and never with secrets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ascribe.serve.access.callers import Caller
from ascribe.serve.faults import problem_of
from ascribe.serve.observe.log import SHORT, Entry, Log

__all__ = ["audited", "no_certificate", "turned_away"]


@contextmanager
def audited(log: Log, action: str, caller: Caller, entry: Entry) -> Iterator[None]:
    """One line once an admin call has ended, whichever way. `outcome`: `ok`, or the word of the fault."""
    outcome = "ok"
    try:
        yield
    except BaseException as exc:
        outcome = problem_of(exc).code
        raise
    finally:
        log.event(
            "audit", action=action[:SHORT], model=entry.model, caller=caller.name, outcome=outcome,
            transport=entry.transport, request_id=entry.request_id,
        )  # fmt: skip


def turned_away(log: Log, entry: Entry, why: str, peer: str, asked: str) -> None:
    """One line of a login that was refused. `peer`: the network address it came from; `asked`: the route or call, which
    is text of somebody unknown, and so no name of a metric.
    """
    log.event(
        "audit", action="login", caller="unknown", outcome="auth", reason=why, peer=peer, transport=entry.transport,
        asked=asked[:SHORT], request_id=entry.request_id,
    )  # fmt: skip


def no_certificate(log: Log, why: str) -> None:
    """One line of a handshake that failed for want of a good client certificate; it has no request yet."""
    log.event("audit", action="login", caller="unknown", outcome="auth", reason=f"certificate: {why}", transport="http")
