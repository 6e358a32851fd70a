"""So many inputs of all families, in rounds, with canaries between and memory looked at after each round.

Memory. After a warm-up (the first `WARM` of the inputs, in which caches, pools and everything with a limit fill up) the
resident set is fitted by a line, bytes against inputs. A leak keeps at least one object of a request for each input:
its log entry, scope or exception, 500 bytes or more. So the slope, less two of its standard errors, must be below
`SLOPE_BYTES`; with too few inputs for a line, growth after the warm-up must be below `GROWTH_BYTES`.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.fuzz import grpc_inputs, http_inputs, socket_inputs
from benchmarks.fuzz.asking import AGAIN, Asker, Outcome
from benchmarks.fuzz.canaries import Canaries
from benchmarks.fuzz.server import Server

__all__ = ["FAMILIES", "Told", "family_of", "made", "slope", "soak"]

FAMILIES: dict[str, tuple[int, Any]] = {**http_inputs.FAMILIES, **socket_inputs.FAMILIES, **grpc_inputs.FAMILIES}
THREADS, ROUND, CANARY = 4, 500, 25  # inputs of a round, and to a canary
WARM = 0.4
SLOPE_BYTES, GROWTH_BYTES = 100.0, 48 << 20
LINE = 40  # rounds that a line needs
MOST = 3  # failures of a kind that are kept in full
VARYING = re.compile(r"[0-9a-f]{8,}|0x[0-9a-f]+|[\d.]+")


def family_of(seed: int, number: int) -> str:
    """By weight."""
    rng = random.Random(f"{seed}/{number}")
    return rng.choices(list(FAMILIES), [weight for weight, _ in FAMILIES.values()])[0]


def made(family: str, seed: int, number: int) -> Any:
    """The same input for the same words, whatever was made before."""
    return FAMILIES[family][1](random.Random(f"{family}/{seed}/{number}"))


@dataclass
class Told:
    """What came of it."""

    inputs: int = 0
    statuses: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[dict[str, Any]] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    rss: list[tuple[int, int]] = field(default_factory=list)
    seconds: float = 0.0
    canaries: int = 0
    canaries_again: int = 0
    grpc_again: int = 0

    @property
    def failed(self) -> int:
        return self.kinds.total()

    def fail(self, what: str, **words: Any) -> None:
        kind = VARYING.sub("#", what)[:300]
        self.kinds[kind] += 1
        if self.kinds[kind] <= MOST:
            self.failures.append({"what": what, **words})


def soak(server: Server, inputs: int, seed: int, say: Any = lambda _: None) -> Told:
    """Ends early if the server does."""
    told, canaries, lock = Told(), Canaries(), threading.Lock()
    asker = Asker(server.at["http"], server.at["grpc"])
    for number in range(8):
        canaries.sing(asker, number)
    start = time.perf_counter()

    def one(number: int) -> None:
        family = family_of(seed, number)
        given = made(family, seed, number)
        try:
            outcome = asker.ask(given, family == "frames")
        except OSError as exc:  # nobody takes up
            outcome = Outcome("refused", f"no connection: {exc}")
        if number % CANARY == 0:
            canaries.sing(asker, number // CANARY)
        with lock:
            told.inputs += 1
            told.statuses.setdefault(family, Counter())[outcome.status] += 1
            if outcome.fault:
                told.fail(outcome.fault, family=family, number=number, seed=seed, input=repr(given)[:400])

    with ThreadPoolExecutor(THREADS) as pool:
        for first in range(0, inputs, ROUND):
            seen = len(server.wrong)
            list(pool.map(one, range(first, min(first + ROUND, inputs))))
            for line in server.wrong[seen:]:
                told.fail(f"log: {line}", numbers=[first, min(first + ROUND, inputs)], seed=seed)
            if not server.alive():
                told.fail(
                    f"the server ended with {server.process.returncode}", numbers=[first, first + ROUND], seed=seed
                )
                break
            told.rss.append((told.inputs, server.rss_bytes()))
            say(f"{told.inputs} inputs, {told.failed} failures, RSS {told.rss[-1][1] / 1e6:.0f} MB")
    told.seconds = time.perf_counter() - start
    told.canaries, told.canaries_again = canaries.asked, canaries.again
    for text in canaries.died:
        told.fail(f"a canary changed: {text}", seed=seed)
    told.grpc_again = server.again
    if sum(counts[AGAIN] for counts in told.statuses.values()) and not server.again:
        told.fail("a gRPC connection broke off, though the server did not fall", seed=seed)
    if reason := leak(told.rss):
        told.fail(reason, seed=seed)
    return told


def slope(rss: list[tuple[int, int]]) -> tuple[float, float]:
    """Least squares over what follows the warm-up: bytes an input, and its standard error."""
    tail = np.array(rss[round(WARM * len(rss)) :], float)
    x, y = tail[:, 0] - tail[:, 0].mean(), tail[:, 1] - tail[:, 1].mean()
    found = float(x @ y / max(x @ x, 1.0))
    left = y - found * x
    return found, float(np.sqrt(left @ left / max(len(y) - 2, 1) / max(x @ x, 1.0)))


def leak(rss: list[tuple[int, int]]) -> str:
    """Why memory is not flat; empty where it is."""
    if len(rss) < 3:
        return ""
    if len(rss) < LINE:
        grown = rss[-1][1] - rss[round(WARM * len(rss))][1]
        return f"memory grew by {grown / 1e6:.1f} MB after the warm-up" if grown > GROWTH_BYTES else ""
    found, error = slope(rss)
    return f"memory grows by {found:.0f} +- {error:.0f} bytes an input" if found - 2 * error > SLOPE_BYTES else ""
