"""Both servers over real sockets: the recorded answers, one exchange a batch counted on the wire, bytes that leave."""

from __future__ import annotations

import struct
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from ascribe.core.federated.party import answer, local, merge
from ascribe.core.federated.table import Table
from ascribe.serve.federated import wire
from ascribe.serve.federated.features import open_features
from ascribe.serve.federated.link import Link
from ascribe.serve.federated.scored import Asked, Scorer
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.wire import party_pb2 as pb
from tests.train.adapters.fate import made, real

from .servers import Rows, crooked, hosting, looped, proxied
from .worlds import BANK, ids, mine, pair, scores, three


def test_a_thousand_rows_are_one_exchange_of_a_bit_each(tmp_path):
    guest, host = pair()
    names = (ids() * 2)[:1000]
    with hosting(host, Rows(real.table("host"))) as at, proxied(at) as proxy, looped() as loop:
        scorer = Scorer(guest, [Link(guest, BANK, proxy.at, PartySettings())], PartySettings(), None)
        found = loop.run(scorer.score(names, mine(names), Asked("q1")))
        again = loop.run(scorer.score(names[:10], mine(names[:10]), Asked("q2")))
        loop.run(scorer.close())
    recorded = np.array([scores()[name] for name in names])
    np.testing.assert_allclose(found.answer.margin[:, 0], recorded[:, 0], rtol=0, atol=1e-9)
    assert (again.answer.margin == found.answer.margin[:10]).all()
    assert proxy.calls() == 3  # what both hold, once; then one for each batch
    sent = [pb.AnswerRequest.FromString(raw[5:]) for raw in proxy.payloads("there")][1:]
    assert [len(m.ids) for m in sent] == [1000, 10]
    answers = [pb.AnswerResponse.FromString(raw[5:]) for raw in proxy.payloads("back")][1:]
    assert len(answers[0].parts[0].routes.bits) == 1875  # 15 splits x 1,000 rows / 8
    assert answers[0].ByteSize() < 1875 + 160


def test_every_byte_that_leaves_the_host_is_a_header_or_a_route():
    """The same routes from other values give the same bytes; and all of DATA is accounted for, field by field."""
    guest, host = pair()
    names = ids()[:50]
    values = {name: {c: float(v) for c, v in real.table("host")[name].items()} for name in names}
    moved = {name: dict(row) for name, row in values.items()}
    cuts = host.pipeline.last[1].splits
    for row in moved.values():  # each value moved half-way to the next threshold below: no split sees it
        for j, column in enumerate(cuts.columns):
            below = cuts.threshold[(cuts.feature == j) & (cuts.threshold + cuts.epsilon < row[column])]
            row[column] = (row[column] + below.max()) / 2 if len(below) and len(below) else row[column] - 1.0
    assert all(moved[n] != values[n] for n in names)
    streams = []
    for rows in (values, moved):
        with hosting(host, Rows(rows)) as at, proxied(at) as proxy, looped() as loop:
            scorer = Scorer(guest, [Link(guest, BANK, proxy.at, PartySettings())], PartySettings(), None)
            loop.run(scorer.score([*names, "nobody"], mine([*names, names[0]]), Asked("q1")))
            loop.run(scorer.close())
        streams.append(proxy)
    first, second = (proxy.payloads("back") for proxy in streams)
    assert first == second
    message = pb.AnswerResponse.FromString(first[-1][5:])
    told = {f.name for f, _ in message.ListFields()}
    assert told == {"party", "digest", "question", "rows", "failed", "codes", "parts"}
    assert {f.name for f, _ in message.parts[0].ListFields()} == {"component", "routes"}
    assert {f.name for f, _ in message.parts[0].routes.ListFields()} == {"splits", "bits"}
    rebuilt = pb.AnswerResponse(
        party=host.name, digest=guest.digest, question=message.question, rows=51, failed=[50], codes=b"\x71",
        parts=[pb.Part(component="secureboost_0", routes=pb.Routes(splits=15, bits=message.parts[0].routes.bits))],
    )  # fmt: skip
    assert rebuilt.SerializeToString() == first[-1][5:]
    whole = b"".join(bytes(raw) for raw in streams[0].back)
    for number in {*cuts.threshold.tolist(), *(v for row in values.values() for v in row.values())}:
        if number not in (0.0, 1.0):
            for form in ("<d", ">d", "<f", ">f"):
                assert struct.pack(form, number) not in whole
            assert repr(number).encode() not in whole


def test_bytes_that_leave_the_guest_hold_ids_and_no_value():
    guest, host = pair()
    names = ids()[:5]
    with hosting(host, Rows(real.table("host"))) as at, proxied(at) as proxy, looped() as loop:
        scorer = Scorer(guest, [Link(guest, BANK, proxy.at, PartySettings())], PartySettings(), None)
        loop.run(scorer.score(names, mine(names), Asked("q1")))
        loop.run(scorer.close())
    message = pb.AnswerRequest.FromString(proxy.payloads("there")[-1][5:])
    told = {f.name: v for f, v in message.ListFields()}
    assert told == {"model": guest.model, "digest": guest.digest, "request_id": "q1", "ids": names, "form": pb.BITMAP}


@pytest.mark.parametrize("form", ["bitmap", "json"])
def test_several_hosts_are_asked_at_once_and_answer_as_one_party_would(tmp_path, form):
    world = three(tmp_path)
    names, parties = list(world.rows), PartySettings(form=form)
    both = threading.Barrier(2, timeout=60)  # a host that is asked before the other has answered breaks it
    first, second = (Rows(world.of(name), waits=both.wait) for name in world.hosts)
    one, two = world.hosts.values()
    with hosting(one, first) as a, hosting(two, second) as b, looped() as loop:
        links = [Link(world.guest, host, at, parties) for host, at in zip(world.hosts, (a, b), strict=True)]
        scorer = Scorer(world.guest, links, parties, None)
        rows = Table.of_rows(list(world.of("guest:9999").values()))
        loop.run(scorer.score(names[:1], Table.of_rows([{}]), Asked("q0")))
        found = loop.run(scorer.score(names, rows, Asked("q1")))
        loop.run(scorer.close())
    np.testing.assert_allclose(found.answer.margin[:, 0], world.margin, rtol=0, atol=1e-12)
    assert first.asked == second.asked == [names[:1], names]


def test_the_form_falls_back_to_what_the_host_writes(tmp_path):
    """A host that knows JSON alone."""
    guest, host = pair()

    def describe(raw: bytes) -> bytes:
        return pb.DescribeResponse(party=host.name, digest=guest.digest, forms=[pb.JSON]).SerializeToString()

    def answered(raw: bytes) -> bytes:
        asked, form = wire.read_ask(pb.AnswerRequest.FromString(raw), 10)
        assert form == "json"
        reply = answer(host, asked, Table.of_rows([real.table("host")[n] for n in asked.ids]))
        return wire.reply_message(host, reply, asked, "q1", form).SerializeToString()

    with crooked(describe, answered) as at, looped() as loop:
        scorer = Scorer(guest, [Link(guest, BANK, at, PartySettings())], PartySettings(), None)
        found = loop.run(scorer.score(["133"], mine(["133"]), Asked("q1")))
        loop.run(scorer.close())
    assert found.answer.margin[0, 0] == pytest.approx(scores()["133"][0], abs=1e-9)


def test_skip_local_asks_nobody_where_no_walk_meets_a_host_and_answers_the_same(tmp_path):
    leaf, host = made.Node(weight=1.5), made.Node(made.HOST, 0, 0.2, 1, 0, 3, 4)
    tree = [made.Node(made.GUEST, 0, 0.1, 1, 0, 1, 2), leaf, host, made.Node(weight=-1.0), made.Node(weight=0.25)]
    other = [made.Node(made.GUEST, 1, 0.9, 1, 0, 1, 2), leaf, made.Node(made.OTHER, 1, 0.0, 1, 0, 3, 4), *tree[3:]]
    world = three(tmp_path, count=60, given=[tree, other])
    names, table = list(world.rows), list(world.of("guest:9999").values())
    held = {name: Rows(world.of(name)) for name in world.hosts}
    one, two = world.hosts.values()
    skipped = 0
    with hosting(one, held[one.name]) as a, hosting(two, held[two.name]) as b, looped() as loop:
        links = [
            Link(world.guest, host, at, PartySettings()) for host, at in zip(world.hosts, (a, b), strict=True)
            if host in world.guest.hosts
        ]  # fmt: skip
        scorer = Scorer(world.guest, links, PartySettings(), None)
        for name, row, margin in zip(names, table, world.margin, strict=True):
            found = loop.run(scorer.score([name], Table.of_rows([row]), Asked("q", skip_local=True)))
            assert found.answer.margin[0, 0] == pytest.approx(margin, abs=1e-12)
            skipped += not found.asked
            whole = merge(world.guest, local(world.guest, Table.of_rows([row])), {})
            assert (whole.code != 0).all()  # without the option it would need every host
        loop.run(scorer.close())
    asked = {name: len(rows.asked) for name, rows in held.items()}
    assert skipped == sum(met == (False, False) for met in meets(table)) > 0
    assert asked == {made.HOST: sum(a for a, _ in meets(table)), made.OTHER: sum(b for _, b in meets(table))}


def meets(table: list[dict[str, float]]) -> list[tuple[bool, bool]]:
    """By the two thresholds of the guest's roots: an absent value goes right, to the host."""
    return [(not row.get("g0", 9) <= 0.1 + 1e-8, not row.get("g1", 9) <= 0.9 + 1e-8) for row in table]


def test_parquet_features_and_ids_with_zeros_in_front(tmp_path):
    guest, host = pair()
    rows = real.table("host")["133"]
    table = pa.table({"id": ["007", "7"], **{c: [float(v), float(v) + 9] for c, v in rows.items()}})
    pyarrow.parquet.write_table(table, tmp_path / "f.parquet")
    features = open_features(str(tmp_path / "f.parquet"), host.inputs, 1.0)
    with hosting(host, features) as at, looped() as loop:
        scorer = Scorer(guest, [Link(guest, BANK, at, PartySettings())], PartySettings(), None)
        found = loop.run(scorer.score(["007"], mine(["133"]), Asked("q1")))
        loop.run(scorer.close())
    assert found.answer.margin[0, 0] == pytest.approx(scores()["133"][0], abs=1e-9)
