"""Explanations that wait until a test lets them go: what must happen meanwhile is seen to happen, not timed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from ascribe.serve.batcher import Batcher

LONGEST_S = 60.0


@dataclass
class Held:
    """`began`: a batch waits; `go`: all may run. `requests`: of each batch that ran or waits, how many rows its
    requests have in all; `first`: rows of the first one that waits.
    """

    began: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)
    requests: list[list[int]] = field(default_factory=list)
    first: int = 0


@contextmanager
def holding(least: int = 1) -> Iterator[Held]:
    """Batches of requests of at least so many rows are handed over, and then wait, in every server of this process."""
    held, run = Held(), Batcher._run

    async def waits(batcher: Batcher, pieces: list[Any]) -> None:
        rows = sum(piece.end - piece.first for piece in pieces)
        held.requests.append([len(piece.ticket.X) for piece in pieces])
        if max(held.requests[-1]) >= least:
            held.first = held.first or rows
            held.began.set()
            assert await asyncio.to_thread(held.go.wait, LONGEST_S)
        await run(batcher, pieces)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Batcher, "_run", waits)
        try:
            yield held
        finally:
            held.go.set()
