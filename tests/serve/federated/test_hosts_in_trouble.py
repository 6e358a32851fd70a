"""A host that is down, slow, broken or answers something else: the guest says which policy applied, and never hangs."""

from __future__ import annotations

import asyncio
import itertools
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from ascribe.core.errors import InputError, SourceError
from ascribe.core.federated.party import answer, ask, local, merge
from ascribe.core.federated.records import Reply, Routes
from ascribe.core.federated.table import Table
from ascribe.serve.federated import host_room, wire
from ascribe.serve.federated.link import Link
from ascribe.serve.federated.scored import Asked, Scored, Scorer
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.wire import party_pb2 as pb
from tests.ports import held_port
from tests.train.adapters.fate import made, real

from .servers import Rows, Turns, crooked, hosting, looped, proxied
from .worlds import BANK, ids, mine, pair, scores, three

PATIENT = PartySettings(timeout_s=60.0, connect_s=20.0)
SHORT = PartySettings(timeout_s=0.5, connect_s=20.0)  # with a host that does not answer
BRIEF = PartySettings(timeout_s=60.0, connect_s=0.3)  # where nobody listens


def scored(at: str, names: list[str], policy: str = "fail", parties: PartySettings = PATIENT, **asked: Any) -> Scored:
    guest, _ = pair()
    with looped() as loop:
        scorer = Scorer(guest, [Link(guest, BANK, at, parties)], parties, None)
        start = time.monotonic()
        found = loop.run(scorer.score(names, mine(names), Asked("q1", policy, **asked)))
        assert time.monotonic() - start < parties.timeout_s + 20  # nothing hangs
        loop.run(scorer.close())
    return found


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens."""
    with held_port() as port:
        yield f"127.0.0.1:{port}"


def described(raw: bytes) -> bytes:
    guest, host = pair()
    return pb.DescribeResponse(
        party=host.name, digest=guest.digest, forms=[pb.BITMAP, pb.JSON], max_rows=4096
    ).SerializeToString()


def honest(raw: bytes) -> pb.AnswerResponse:
    _, host = pair()
    message = pb.AnswerRequest.FromString(raw)
    asked, form = wire.read_ask(message, 4096)
    reply = answer(host, asked, Table.of_rows([real.table("host")[n] for n in asked.ids]))
    return wire.reply_message(host, reply, asked, message.request_id, form)


async def never(raw: bytes) -> bytes:
    await asyncio.sleep(60)
    return b""


def other_ids(raw: bytes) -> bytes:
    """The true answer to a question about the ids turned round."""
    message = pb.AnswerRequest.FromString(raw)
    turned = list(message.ids)[::-1]
    del message.ids[:]
    message.ids.extend(turned)
    return honest(message.SerializeToString()).SerializeToString()


def earlier(held: list[bytes]) -> Callable[[bytes], bytes]:
    """The first answer, over and over: a replay."""

    def call(raw: bytes) -> bytes:
        held.append(honest(raw).SerializeToString())
        return held[0]

    return call


def cut(raw: bytes) -> bytes:
    return honest(raw).SerializeToString()[:-1]


def wrong_party(raw: bytes) -> bytes:
    message = honest(raw)
    message.party = "host:10001"
    return message.SerializeToString()


def raises(raw: bytes) -> bytes:
    raise RuntimeError("row 17 has income 1200")


CROOKED: dict[str, tuple[Callable[[bytes], Any], Callable[[bytes], Any], int, str]] = {
    "slow": (described, never, 105, "did not answer within 0.5 s"),
    "slow at binding": (never, never, 105, "did not answer within 0.5 s"),
    "other ids": (described, other_ids, 136, "answered another question, or for other ids"),
    "cut": (described, cut, 136, "bytes, not|cannot be read"),
    "nothing": (described, lambda _: b"", 136, "is of ''"),
    "noise": (described, lambda _: b"\xff\xff\xff", 136, "cannot be read"),
    "for another": (described, wrong_party, 136, "is of 'host:10001'"),
    "raises": (described, raises, 2110, "failed"),
    "another protocol": (lambda _: b"\xff", never, 136, "does not speak this protocol"),
    "another host": (
        lambda _: pb.DescribeResponse(party="host:1", digest=pair()[0].digest).SerializeToString(), never, 2104,
        "is not host:10000",
    ),
    "no form": (
        lambda _: pb.DescribeResponse(party=BANK, digest=pair()[0].digest).SerializeToString(), never, 136,
        "answers in no form",
    ),
}  # fmt: skip


@pytest.mark.parametrize("how", CROOKED)
def test_a_host_that_does_not_answer_fails_every_row_and_says_so(how):
    describe, call, code, text = CROOKED[how]
    with crooked(describe, call) as at:
        found = scored(at, ["133", "273"], parties=SHORT if how.startswith("slow") else PATIENT)
    assert found.policy == "fail"
    assert found.failures[BANK].code == code
    assert np.isnan(found.answer.margin).all()
    for i in range(2):
        assert found.answer.code[i] == code
        assert found.answer.reasons[i].startswith("policy fail: ")
    assert re.search(text, found.answer.reasons[0])
    assert "income" not in found.answer.reasons[0]


def test_a_replayed_answer_is_refused():
    with crooked(described, earlier([])) as at, looped() as loop:
        guest, _ = pair()
        scorer = Scorer(guest, [Link(guest, BANK, at, PATIENT)], PATIENT, None)
        first = loop.run(scorer.score(["133"], mine(["133"]), Asked("q1")))
        second = loop.run(scorer.score(["133"], mine(["133"]), Asked("q2")))
        loop.run(scorer.close())
    assert first.answer.code.tolist() == [0]
    assert second.answer.code.tolist() == [136]


@pytest.mark.parametrize("policy", ["fail", "bounds"])
def test_a_host_that_is_down(policy, nobody):
    found = scored(nobody, ["133", "273", "0"], policy, BRIEF)
    assert found.failures[BANK].code == 105
    assert "cannot be reached" in found.answer.reasons[0]
    assert found.answer.reasons[0].startswith(f"policy {policy}: ")
    assert np.isnan(found.answer.margin).all()
    if policy == "bounds":  # the intervals that are recorded for these rows
        recorded = real.expected("secureboost", "expected_shapley")["ids"]
        for i, name in enumerate(("133", "273", "0")):
            np.testing.assert_allclose(
                [found.lower[i, 0], found.upper[i, 0]], recorded[name]["interval"], rtol=0, atol=1e-9
            )


def test_a_policy_that_is_not_known_is_refused(nobody):
    with pytest.raises(InputError, match="use fail or bounds"):
        scored(nobody, ["133"], "guess")


def test_no_time_is_spent_on_a_caller_who_has_none():
    with crooked(described, never) as at:
        start = time.monotonic()
        found = scored(at, ["133"], within_s=0.2)
        assert time.monotonic() - start < 30
    assert "within 0.18 s" in found.answer.reasons[0]


def test_rows_that_a_host_does_not_have_fail_alone_or_have_bounds():
    _, host = pair()
    names = ids()[:20]
    held = {name: row for name, row in real.table("host").items() if name not in names[:3]}
    with hosting(host, Rows(held)) as at:
        failed, bounded = (scored(at, names, policy) for policy in ("fail", "bounds"))
    for found in (failed, bounded):
        margin = found.answer.margin[:, 0]
        recorded = np.array([scores()[name][0] for name in names])
        good = found.answer.code == 0
        assert good[3:].all()
        np.testing.assert_allclose(margin[good], recorded[good], rtol=0, atol=1e-9)
        assert set(found.answer.code[~good].tolist()) == {2113}
    assert (failed.answer.code[:3] == 2113).all()
    assert (bounded.lower[:, 0] <= recorded + 1e-12).all()
    assert (recorded <= bounded.upper[:, 0] + 1e-12).all()
    assert (bounded.lower[3:] == bounded.upper[3:]).all()


def test_a_place_of_features_that_fails_is_116_of_every_row_and_no_more_is_told():
    _, host = pair()
    with hosting(host, Rows({}, fails=SourceError("db at 10.0.0.7 is down"))) as at:
        found = scored(at, ["133"])
    assert found.answer.code.tolist() == [2116]
    assert "10.0.0.7" not in found.answer.reasons[0]
    over = threading.Event()
    with hosting(host, Rows(real.table("host"), waits=over.wait), PartySettings(source_s=0.1)) as at:
        found = scored(at, ["133"])
        over.set()
    assert found.answer.code.tolist() == [2116]


def test_bounds_are_what_some_answer_of_the_missing_host_reaches_and_none_exceeds(tmp_path, nobody):
    """Against every answer that the host could give: 2^k of them."""
    world = three(tmp_path, seed=12, count=12, depth=3, trees=2)
    names = list(world.rows)
    one, two = world.hosts
    width = world.guest.pipeline.last[1].width(two)
    assert 1 <= width <= 6
    held = local(world.guest, Table.of_rows(list(world.of(made.GUEST).values())))
    question = Asked("q1", "bounds")
    with hosting(world.hosts[one], Rows(world.of(one))) as at, looped() as loop:
        links = [Link(world.guest, one, at, PATIENT), Link(world.guest, two, nobody, BRIEF)]
        scorer = Scorer(world.guest, links, PATIENT, None)
        found = loop.run(scorer.score(names, held.rows, question))
        loop.run(scorer.close())
    component = world.guest.pipeline.last[0]
    first = answer(world.hosts[one], ask(world.guest, names), Table.of_rows(list(world.of(one).values())))
    margins = []
    for bits in itertools.product((False, True), repeat=width):
        routes = Routes(np.tile(np.array(bits), (len(names), 1)))
        second = Reply(two, world.guest.digest, np.zeros(len(names), np.uint8), {component: routes})
        margins.append(merge(world.guest, held, {one: first, two: second}).margin[:, 0])
    lowest, highest = np.min(margins, axis=0), np.max(margins, axis=0)
    np.testing.assert_allclose(found.lower[:, 0], lowest, rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.upper[:, 0], highest, rtol=0, atol=1e-12)
    exact = np.isclose(lowest, highest, atol=1e-12)
    assert exact.any()
    assert not exact.all()
    assert (found.answer.code == 0).tolist() == exact.tolist()
    np.testing.assert_allclose(found.answer.margin[exact, 0], world.margin[exact], rtol=0, atol=1e-12)


def test_a_host_that_is_busy_is_asked_again_when_it_says_and_no_sooner(monkeypatch):
    _, host = pair()
    features, turns = Rows(real.table("host")), []
    monkeypatch.setattr(host_room, "Rates", lambda *rate: turns.append(Turns(*rate)) or turns[0])
    with hosting(host, features, rate_per_s=2.0, burst_s=1.0) as at, looped() as loop:
        guest = pair()[0]
        scorer = Scorer(guest, [Link(guest, BANK, at, PATIENT)], PATIENT, None)
        found = [loop.run(scorer.score([n], mine([n]), Asked(f"q{n}"))) for n in ("133", "273", "0")]
        loop.run(scorer.close())
    assert [f.answer.code.tolist() for f in found] == [[0]] * 3
    assert turns[0].told == [True, True, False, True]  # the bucket holds two rows; the third waits for its turn
    assert found[2].timings_ms["remote"] > 490
    assert features.asked == [["133"], ["273"], ["0"]]


def test_a_question_that_was_under_way_is_not_asked_again():
    """The connection breaks while the host works: it may have answered, so nothing is sent twice by itself."""
    seen, proxies = [], []

    async def breaks(raw: bytes) -> bytes:
        seen.append(raw)
        proxies[0].cut()
        await asyncio.sleep(60)
        return b""

    with crooked(described, breaks) as at, proxied(at) as proxy:
        proxies.append(proxy)
        start = time.monotonic()
        found = scored(proxy.at, ["133"])
        assert time.monotonic() - start < 30  # as soon as the connection breaks, not at the deadline
    assert len(seen) == 1
    assert found.answer.code.tolist() == [105]
    assert "was lost: it is not asked again by itself" in found.answer.reasons[0]


def test_a_host_that_comes_later_is_bound_then(nobody):
    guest, host = pair()
    with looped() as loop:
        scorer = Scorer(guest, [Link(guest, BANK, nobody, PATIENT)], PATIENT, None)
        first = loop.run(scorer.score(["133"], mine(["133"]), Asked("q1", within_s=0.4)))
        with hosting(host, Rows(real.table("host")), listen=nobody):
            second = loop.run(scorer.score(["133"], mine(["133"]), Asked("q2")))
        loop.run(scorer.close())
    assert first.answer.code.tolist() == [105]
    assert second.answer.margin[0, 0] == pytest.approx(scores()["133"][0], abs=1e-9)


def test_a_host_with_another_model_is_named_with_what_to_do(tmp_path):
    world = three(tmp_path)
    other = world.hosts[made.HOST]
    with hosting(other, Rows({})) as at:
        found = scored(at, ["133"])
    assert found.answer.code.tolist() == [2104]
    assert "load the two halves of one model" in found.answer.reasons[0]


def test_different_ids_of_a_guest_are_counted():
    _, host = pair()
    with hosting(host, Rows(real.table("host")), PartySettings(id_budget=2)) as at:
        two, same, third = (scored(at, names) for names in (["133", "273"], ["133"], ["0"]))
    assert two.answer.code.tolist() == [0, 0]
    assert same.answer.code.tolist() == [0]
    assert third.answer.code.tolist() == [2129]
