"""A request on the guest, from ids and rows to scores and what explains them.

ask every host at once -> the guest's own half meanwhile -> one merge -> the explanation, from what is already there

With `skip_local` the guest looks first whether the walk of any row can meet a host's split, and asks only hosts of
which that is so: such a host learns that it matters to one of the rows (docs/federated.md).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from ascribe.core.attribution import Attribution
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.federated.codes import NETWORK, OK
from ascribe.core.federated.explaining import Explainer
from ascribe.core.federated.merged import Answer
from ascribe.core.federated.party import Party, ask, local
from ascribe.core.federated.records import Ask, Reply
from ascribe.core.federated.table import Table
from ascribe.serve.faults import TooLargeError
from ascribe.serve.federated import partial
from ascribe.serve.federated.exchange import Failure, exchanged, met, unasked
from ascribe.serve.federated.link import HostLink
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.federated.wire import ID_LIMIT
from ascribe.serve.observe.log import staged

__all__ = ["Asked", "Scored", "Scorer"]

LARGE_ROWS = 128  # computed on a thread above, so that other requests go on
SHARE = 0.9  # of a caller's time that an exchange may take: the merge needs some

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """How to answer. `policy`: fail or bounds; `output`: which margin is explained, by number."""

    request_id: str
    policy: str = "fail"
    explain: bool = False
    output: int = 0
    skip_local: bool = False
    within_s: float | None = None


@dataclass(frozen=True, eq=False)
class Scored:
    """`answer`, `lower`, `upper`, `lacks`: see `partial`. `explained`: of one output, where asked. `asked`: hosts that
    ids went to. `warnings (b,)`: what a caller should know of a row that was answered. `timings_ms`: remote (the
    exchange), local (the guest's half, meanwhile), merge, explain, total.
    """

    answer: Answer
    policy: str
    asked: tuple[str, ...]
    failures: Mapping[str, Failure]
    explained: Attribution | None = None
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None
    warnings: tuple[str, ...] = ()
    timings_ms: Mapping[str, float] = field(default_factory=dict)
    lacks: np.ndarray | None = None


class Scorer:
    """A guest and its links. `explainer`: None where the model has no cover; `why` then says so."""

    def __init__(
        self,
        guest: Party,
        links: Sequence[HostLink],
        parties: PartySettings,
        explainer: Explainer | None,
        why: str = "",
    ) -> None:
        self.guest, self.links, self._parties, self.explainer, self._why = guest, links, parties, explainer, why

    @property
    def max_rows(self) -> int:
        """Of one exchange: the least that any party takes."""
        return min((self._parties.max_rows, *(link.max_rows for link in self.links)))

    def explains(self) -> Explainer:
        """Raises CapabilityError where there is nothing to explain with."""
        if self.explainer is None:
            raise CapabilityError(self._why)
        return self.explainer

    async def score(self, ids: Sequence[str], rows: Table, asked: Asked) -> Scored:
        """At most one exchange with each host, whatever the rows. Raises InputError, TooLargeError, CapabilityError."""
        partial.checked(asked.policy)
        explainer = self.explains() if asked.explain else None
        if len(ids) != len(rows):
            raise InputError(f"{len(ids)} ids for {len(rows)} rows: give each row its id")
        if bad := [i for i, name in enumerate(ids) if not 0 < len(name) <= ID_LIMIT]:
            raise InputError(f"id of row {bad[0]} is empty or longer than {ID_LIMIT} characters: hosts find rows by it")
        if len(ids) > self.max_rows:
            raise TooLargeError(f"{len(ids)} rows, the limit of this model's parties is {self.max_rows}: send less")
        limit_s = min(self._parties.timeout_s, SHARE * asked.within_s if asked.within_s else self._parties.timeout_s)
        watch, b = _Watch(), len(ids)
        question = ask(self.guest, ids)
        skip = asked.skip_local and not asked.explain  # routes off the path count in an explanation
        if skip:
            with watch("local"):
                held = await _run(b, lambda: local(self.guest, rows))
            wanted = met(self.guest, held)
            replies, failures = await self._exchanged(wanted, question, asked.request_id, limit_s, watch)
            replies |= unasked(self.guest, [h for h in self.guest.hosts if h not in wanted], b)
        else:
            wanted = self.guest.hosts
            under_way = asyncio.create_task(self._exchanged(wanted, question, asked.request_id, limit_s, watch))
            try:
                await asyncio.sleep(0)  # the questions leave before this party's own work begins
                with watch("local"):
                    held = await _run(b, lambda: local(self.guest, rows))
                replies, failures = await under_way
            finally:
                under_way.cancel()
        with watch("merge"):
            made = await _run(b, lambda: partial.settled(self.guest, held, replies, failures, asked.policy))
        explained = None
        if explainer is not None:
            with watch("explain"):
                explained = await _run(b, lambda: _explained(explainer, made, asked.output))
        policy = asked.policy if failures or (made.answer.code != OK).any() else ""
        return Scored(
            made.answer, policy, wanted, failures, explained, made.lower, made.upper,
            _warnings(made.answer, self.guest), watch.told(), made.lacks,
        )  # fmt: skip

    async def _exchanged(
        self, wanted: Sequence[str], question: Ask, request_id: str, limit_s: float, watch: _Watch
    ) -> tuple[dict[str, Reply], dict[str, Failure]]:
        links = [link for link in self.links if link.host in wanted]
        with watch("remote"):
            return await exchanged(links, question, request_id, limit_s)

    async def close(self) -> None:
        await asyncio.gather(*(link.close() for link in self.links))


class _Watch:
    """Seconds of each part of one request, also told to whoever counts."""

    def __init__(self) -> None:
        self._start, self._spent = time.perf_counter(), dict[str, float]()

    def __call__(self, name: str) -> _Part:
        return _Part(self._spent, name)

    def told(self) -> dict[str, float]:
        return {n: s * 1000 for n, s in {**self._spent, "total": time.perf_counter() - self._start}.items()}


class _Part:
    def __init__(self, spent: dict[str, float], name: str) -> None:
        self._spent, self._name = spent, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._spent[self._name] = took = time.perf_counter() - self._start
        staged(self._name, took)


async def _run(rows: int, call: Callable[[], T]) -> T:
    return call() if rows < LARGE_ROWS else await asyncio.to_thread(call)


def _explained(explainer: Explainer, made: partial.Partial, output: int) -> Attribution:
    """A row that lacks a host's routes is not explained, even where its score is known."""
    answer = made.answer
    lacking = made.open & (answer.code == OK)
    if lacking.any():
        both = zip(lacking, answer.reasons, strict=True)
        reasons = tuple("a host's routes are missing" if gone else why for gone, why in both)
        answer = replace(answer, code=np.where(lacking, NETWORK, answer.code), reasons=reasons)
    return explainer(answer, output)


def _warnings(answer: Answer, guest: Party) -> tuple[str, ...]:
    """Of each row: values that were absent, by party (a host's only if it tells)."""
    out = []
    for i in range(len(answer)):
        told = [f"{int(n[i])} of {party} without a value" for party, n in answer.defaulted.items() if n[i]]
        out.append("; ".join(told) if answer.code[i] == OK else "")
    return tuple(out)
