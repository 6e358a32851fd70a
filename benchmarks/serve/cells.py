"""What is measured: one cell is one server, one door and one verb, at 1, 32 and 256 rows a call.

Each batch is asked in a closed loop (what a call costs the server) and in an open one (how long a caller waits), beside
the same call made in this process in the same run.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc

from ascribe.bench import milliseconds
from ascribe.bundle.runtime import load
from ascribe.core import tiers
from ascribe.core.options import Options
from ascribe.serve import kinds
from benchmarks.load import FAILED, closed_loop, open_loop, settled
from benchmarks.peers.installed import PEERS, version
from benchmarks.serve.doors import Asking, bundle, ours, peer, rows_of

__all__ = ["Cell", "cells", "measured", "rates"]

CALLERS, FLOOD = 8, 8
FAILURES = (*FAILED, grpc.RpcError)
RATES = {  # calls a second of the open loop, by rows of a call
    "predict": {1: 200.0, 32: 100.0, 256: 20.0},
    "fast": {1: 100.0, 32: 30.0, 256: 5.0},
    "explain_trees": {1: 20.0, 32: 2.0, 256: 0.5},
    "balanced": {1: 30.0, 32: 2.0, 256: 0.5},
    "accurate": {1: 0.5},
    "exact": {1: 0.5},
    "explain_kernel": {1: 0.2},
}
ASKED = (("grpc", "predict", 500.0), ("grpc", "fast", 300.0), ("http", "predict", 200.0), ("http", "fast", 200.0))


@dataclass(frozen=True)
class Cell:
    """`who`: ascribe or a peer; `verb`: predict, a tier, or a path of the peer."""

    who: str
    door: str
    verb: str

    @property
    def name(self) -> str:
        return f"{self.who}_{self.door}_{self.verb}"

    def server(self) -> AbstractContextManager[tuple[Asking, int]]:
        return ours() if self.who == "ascribe" else peer(self.who)


def cells() -> list[Cell]:
    """Predictions first: ours by every door, the peers'; then each tier by both doors, beside shap's explainers."""
    found = [Cell("ascribe", door, "predict") for door in ("grpc", "http", "v2")]
    found += [Cell(name, how.body, "predict") for name, how in PEERS.items()]
    offered = [tier for tier in RATES if tier in tiers.offered(load(bundle()))]
    found += [Cell("ascribe", door, tier) for tier in offered for door in ("grpc", "http")]
    return found + [Cell(name, how.body, path) for name, how in PEERS.items() for path in how.explains]


def measured(cell: Cell, seconds: float) -> dict[str, Any]:
    """Raises Absent for a peer that cannot be had."""
    told = {"who": cell.who, "door": cell.door, "verb": cell.verb}
    if cell.who in PEERS:
        told["version"] = version(cell.who)
    with cell.server() as (asking, pid):
        settled()

        async def run() -> dict[str, Any]:
            found = {}
            for rows, rate in RATES[cell.verb].items():
                ask = asking(cell.door, cell.verb, rows)
                await ask()
                slow = max(seconds, 3 / rate)
                found[str(rows)] = {
                    "in_process_ms": _in_process_ms(cell.verb, rows),
                    "closed": await closed_loop(ask, CALLERS if rate >= 1 else 2, slow, pid, FAILURES),
                    "open": await open_loop(ask, rate, slow, FAILURES),
                }
            return found

        return told | {"rows": asyncio.run(run())}


def rates(seconds: float) -> dict[str, Any]:
    """One row a call at the rates that are promised; then predictions while callers saturate the longest tier."""
    with ours() as (asking, _):
        settled()

        async def run() -> dict[str, Any]:
            predict = asking("grpc", "predict", 1)
            await open_loop(predict, 100, 1, FAILURES)  # warm
            found: dict[str, Any] = {}
            for door, verb, rate in ASKED:
                in_process_ms = _in_process_ms(verb, 1)
                found[f"{door} {verb}"] = {
                    **await open_loop(asking(door, verb, 1), rate, seconds, FAILURES),
                    "in_process_ms": in_process_ms,
                }
            found["grpc predict, calm"] = await open_loop(predict, 100, seconds, FAILURES)
            stop, done, refused = asyncio.Event(), 0, 0
            explain = asking("grpc", "accurate", 1)

            async def flood() -> None:
                nonlocal done, refused
                while not stop.is_set():
                    try:
                        await explain()
                        done += 1
                    except FAILURES:  # a full server says so
                        refused += 1
                        await asyncio.sleep(0.1)

            flooding = [asyncio.create_task(flood()) for _ in range(FLOOD)]
            found["grpc predict, explanations saturated"] = await open_loop(predict, 100, seconds, FAILURES)
            stop.set()
            await asyncio.gather(*flooding)
            return {"who": "ascribe", "rates": found, "explained_meanwhile": done, "refused_meanwhile": refused}

        return asyncio.run(run())


def _in_process_ms(verb: str, rows: int) -> float | None:
    """The same rows by the same engine without any server; None for what the peers explain."""
    model = load(bundle())
    if verb == "predict":
        kind = kinds.predicting(model)
    elif verb in tiers.TIERS:
        kind = kinds.explaining(model, "", Options(), verb, 16384)
    else:
        return None
    run: Callable[[], Any] = partial(kind.run, rows_of(rows), lambda: None)
    return milliseconds(run, 3 if verb in ("accurate", "exact") else 20)
