"""Requests that come together leave as one question to each host, and nobody pays for another's row."""

from __future__ import annotations

import asyncio
import itertools
import threading
from dataclasses import replace

import httpx
import numpy as np
import pytest

from ascribe.core.federated.party import answer, ask
from ascribe.core.federated.records import Ask, Linear, Reply
from ascribe.core.federated.table import Table
from ascribe.serve.address import Address
from ascribe.serve.federated.gathering import Gathering, cut
from ascribe.serve.federated.link import Link, Unanswered
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.wire import party_pb2 as pb

from .servers import Proxy, Rows, bundled, guesting, hosting, looped, proxied
from .splits import split

BANK = "host:bank"


def asks(proxy: Proxy) -> list[int]:
    """Ids of each question that crossed the wire."""
    sent = [pb.AnswerRequest.FromString(raw[5:]) for raw in proxy.payloads("there")]
    return [len(message.ids) for message in sent if message.ids]


def test_64_callers_at_once_are_a_few_exchanges_and_each_gets_its_own(tmp_path, monkeypatch):
    world = split()
    bundle = bundled(world.halves["guest"], tmp_path / "guest")
    gathered, came = threading.Event(), itertools.count(1)
    ask_as_it_is = Gathering.ask

    async def counted(held: Gathering, asked: Ask, request_id: str, limit_s: float) -> Reply:
        if next(came) == 63:
            gathered.set()  # an answer is heard in this loop: not before this question waits, too
        return await ask_as_it_is(held, asked, request_id, limit_s)

    monkeypatch.setattr(Gathering, "ask", counted)
    host = Rows(world.of("bank"), waits=lambda: gathered.wait(60))
    del host.rows["r7"]  # nobody whom the host knows

    async def together(at: str) -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=at, limits=httpx.Limits(max_connections=64)) as http:
            wrong = {"feature_vector": [{"id": "r3", "values": {"a": "no number"}}]}
            bodies = [world.vectors([name]) for name in world.ids[:63]] + [wrong]
            return await asyncio.gather(*(http.post("/v1/predictions", json=body) for body in bodies))

    with hosting(world.halves["bank"], host) as at, proxied(at) as proxy, guesting(bundle, {"bank": proxy.at}) as where:
        found = asyncio.run(together(where.http))
        questions = asks(proxy)
    assert sum(questions) >= 63  # nobody's id is left out, and none is asked about twice
    assert sum(questions) <= 64
    assert len(questions) <= 4, questions  # two at once; then all that waited, and perhaps the last
    assert max(questions) >= 61
    for i, one in enumerate(found[:63]):
        if i == 7:
            assert one.status_code == 400
            assert "2113" in one.text
        else:
            assert one.status_code == 200, one.text
            assert one.json()["predictions"][0]["prediction"] == pytest.approx(world.margin[i], abs=1e-5)
    assert found[63].status_code == 400
    assert "'a' must be a number" in found[63].text or "number" in found[63].text


class Slow:
    """A link that answers as a host with these rows would, after a while, once its gate is open; `most` ids a call."""

    def __init__(self, took_s: float = 0.05, most: int = 100, bad: frozenset[str] = frozenset()) -> None:
        self.host, self.address, self.max_rows, self.by_column = BANK, Address("127.0.0.1", 1), most, False
        self.columns: dict[str, tuple[str, ...]] = {}
        self.bound, self.took_s, self.bad, self.asked = True, took_s, bad, []
        self.ended = self.given_up = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def bind(self, request_id: str, limit_s: float) -> None: ...

    async def close(self) -> None: ...

    async def ask(self, asked: Ask, request_id: str, limit_s: float) -> Reply:
        self.asked.append((asked.ids, request_id))
        try:
            await asyncio.sleep(self.took_s)
            await self.gate.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if self.bad & set(asked.ids):
            raise Unanswered(2129, "refused: too many ids", refused=True)
        self.ended += 1
        world = split()
        rows = world.of("bank")
        return answer(world.halves["bank"], asked, Table.of_rows([rows[i] for i in asked.ids]))


def question(*ids: str) -> Ask:
    return ask(split().halves["guest"], ids)


async def each(held: Gathering, ids: list[str], limit_s: float = 60.0) -> list[Reply | BaseException]:
    asking = (held.ask(question(name), f"q-{name}", limit_s) for name in ids)
    return await asyncio.gather(*asking, return_exceptions=True)


def test_whose_ids_are_refused_fails_alone_and_nothing_answered_is_asked_again():
    link, ids = Slow(0.0, bad=frozenset({"r9"})), [f"r{i}" for i in range(20)]
    found = asyncio.run(each(Gathering(link, 1), ids))
    told = {name: one for name, one in zip(ids, found, strict=True) if isinstance(one, BaseException)}
    assert list(told) == ["r9"]
    assert told["r9"].code == 2129
    answered = [i for asked, _ in link.asked if not link.bad & set(asked) for i in asked]
    assert sorted(answered) == sorted(set(ids) - {"r9"})  # once each
    world = split()
    alone = answer(world.halves["bank"], question("r4"), Table.of_rows([world.of("bank")["r4"]]))
    np.testing.assert_array_equal(found[4].parts["trees"].bits, alone.parts["trees"].bits)


def test_what_is_no_matter_of_ids_fails_all_and_is_not_asked_again():
    link = Slow()

    async def lost(asked: Ask, request_id: str, limit_s: float) -> Reply:
        link.asked.append((asked.ids, request_id))
        await asyncio.sleep(0)
        raise Unanswered(105, "the connection was lost")

    link.ask = lost
    found = asyncio.run(each(Gathering(link, 1), ["r1", "r2", "r3"]))
    assert [one.code for one in found] == [105] * 3
    assert [ids for ids, _ in link.asked] == [("r1",), ("r2", "r3")]


def test_calls_hold_what_a_host_takes_and_a_request_is_never_cut():
    link = Slow(most=4)

    async def run() -> list[Reply]:
        held = Gathering(link, 1)
        sizes = [3, 2, 2, 4, 1]
        return await asyncio.gather(*(held.ask(question(*[f"r{i}" for i in range(n)]), "q", 60.0) for n in sizes))

    found = asyncio.run(run())
    assert [len(one) for one in found] == [3, 2, 2, 4, 1]
    assert [len(ids) for ids, _ in link.asked] == [3, 4, 4, 1]


def test_a_caller_waits_as_long_as_it_said_whoever_is_beside_it():
    link = Slow()
    link.gate.clear()

    async def run() -> list[object]:
        held = Gathering(link, 1)
        first = asyncio.create_task(held.ask(question("r0"), "q0", 60.0))
        while not link.asked:
            await asyncio.sleep(0)
        short = asyncio.create_task(held.ask(question("r1"), "q1", 0.2))
        long = asyncio.create_task(held.ask(question("r2"), "q2", 60.0))
        with pytest.raises(Unanswered, match=r"did not answer within 0\.2 s"):
            await short
        link.gate.set()  # only now the first exchange may end
        return [await first, await long]

    assert [len(one) for one in asyncio.run(run())] == [1, 1]


def test_a_question_that_nobody_waits_for_is_ended():
    link = Slow()
    link.gate.clear()

    async def run() -> None:
        held = Gathering(link, 1)
        first = asyncio.create_task(held.ask(question("r0"), "q0", 60.0))
        behind = asyncio.create_task(held.ask(question("r1"), "q1", 60.0))
        while not link.asked:
            await asyncio.sleep(0)
        behind.cancel()
        first.cancel()
        while not link.given_up:
            await asyncio.sleep(0)
        link.gate.set()
        assert len(await held.ask(question("r2"), "q2", 60.0)) == 1

    asyncio.run(run())
    assert [ids for ids, _ in link.asked] == [("r0",), ("r2",)]
    assert link.ended == 1


def test_questions_keep_their_request_ids_where_they_go_alone():
    link = Slow(0.05)
    asyncio.run(each(Gathering(link, 1), ["r1", "r2", "r3"]))
    assert [name for _, name in link.asked] == ["q-r1", "q-r2:and-1"]


def test_a_cut_of_linear_parts_has_its_rows():
    terms = np.arange(12.0).reshape(3, 2, 2)
    whole = Reply(BANK, "d", np.array([0, 113, 0], np.uint8), {"lr": Linear(terms.sum(2), terms, ("x", "y"))},
                  np.array([0, 1, 2]))  # fmt: skip
    one = cut(whole, 1, 3)
    assert one.code.tolist() == [113, 0]
    assert one.defaulted.tolist() == [1, 2]
    np.testing.assert_array_equal(one.parts["lr"].terms, terms[1:])
    assert one.parts["lr"].columns == ("x", "y")


def test_over_the_wire_an_id_budget_fails_its_own_caller(tmp_path):
    """Two callers' questions leave together; the budget holds one of them."""
    world = split()
    guest, bank = world.halves["guest"], world.halves["bank"]
    parties, waited_for = PartySettings(id_budget=3), threading.Event()
    features = Rows(world.of("bank"), waits=lambda: waited_for.wait(60))
    with hosting(bank, features, parties) as at, looped() as loop:
        held = Gathering(Link(guest, BANK, at, PartySettings()), 1)

        async def run() -> list[object]:
            await held.bind("b", 20.0)
            first = asyncio.create_task(held.ask(question("r0"), "q0", 60.0))
            while not features.asked:
                await asyncio.sleep(0.01)
            rest = [held.ask(question(*ids), "q", 60.0) for ids in (("r1", "r2"), ("r3", "r4", "r5"))]
            together = asyncio.gather(first, *rest, return_exceptions=True)
            await asyncio.sleep(0)
            waited_for.set()  # only now the first exchange may end
            return await together

        found = loop.run(run())
        loop.run(held.close())
    assert [len(one) for one in found[:2]] == [1, 2]
    assert found[2].code == 2129
    assert replace(question("r0"), columns=False) == question("r0")
