"""Messages between parties: what goes in comes out, sizes are exact, and whatever was tampered with is refused."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.errors import InputError
from ascribe.core.federated.party import answer, ask
from ascribe.core.federated.records import Ask, Reply
from ascribe.core.federated.table import Table
from ascribe.serve.faults import TooLargeError
from ascribe.serve.federated import wire
from ascribe.serve.wire import party_pb2 as pb
from tests.train.adapters.fate import real

from .worlds import ids, pair


def exchange(rows: int, form: str = "bitmap", lost: tuple[int, ...] = ()) -> tuple[Ask, Reply, bytes]:
    guest, host = pair()
    names = (ids() * 3)[:rows]
    asked = ask(guest, names)
    found = np.ones(rows, bool)
    found[list(lost)] = False
    reply = answer(host, asked, Table.of_rows([real.table("host")[n] for n in names]), found)
    return asked, reply, wire.reply_message(host, reply, asked, "q1", form).SerializeToString()


@pytest.mark.parametrize("form", ["bitmap", "json"])
@pytest.mark.parametrize("rows", [1, 2, 7, 8, 569, 1000])
def test_a_reply_comes_out_as_it_went_in(rows, form):
    asked, reply, raw = exchange(rows, form, (0,) if rows > 1 else ())
    found = wire.read_reply(pair()[0], "host:10000", raw, asked, "q1")
    assert found.code.tolist() == reply.code.tolist()
    np.testing.assert_array_equal(found.parts["secureboost_0"].bits, reply.parts["secureboost_0"].bits)
    assert found.parts["secureboost_0"].known is None or found.parts["secureboost_0"].known.all()
    assert found.defaulted is None


@pytest.mark.parametrize("rows", [1, 10, 1000])
def test_routes_are_one_bit_a_split_and_row_and_the_rest_is_a_header(rows):
    _, _, raw = exchange(rows)
    message = pb.AnswerResponse.FromString(raw)
    (part,) = message.parts
    assert len(part.routes.bits) == -(-rows * 15 // 8)
    without = len(raw) - len(part.routes.bits)
    assert without < 160  # party, two digests, numbers: whatever the rows
    text = len(exchange(rows, "json")[2])
    assert text > 40 * len(part.routes.bits)


def test_asks_are_read_as_they_are_written_and_hold_ids_alone():
    guest, _ = pair()
    asked = ask(guest, ["133", "ü", "7"])
    message = wire.ask_message(asked, "q1", "json")
    assert wire.read_ask(pb.AnswerRequest.FromString(message.SerializeToString()), 10) == (asked, "json")
    assert {f.name for f, _ in message.ListFields()} <= {"model", "digest", "request_id", "ids", "form"}


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        (lambda m: m.ids.extend(["x"] * 10), TooLargeError, "limit of this host is 10"),
        (lambda m: m.ClearField("ids"), InputError, "no ids"),
        (lambda m: m.ids.append(""), InputError, "id 3 is empty"),
        (lambda m: m.ids.append("x" * 257), InputError, "longer than 256"),
        (lambda m: setattr(m, "request_id", "a b"), InputError, "request_id"),
        (lambda m: setattr(m, "form", 9), InputError, "form 9"),
    ],
    ids=["many", "none", "empty", "long", "request id", "form"],
)
def test_a_question_that_cannot_be_answered_is_refused(change, kind, text):
    message = wire.ask_message(ask(pair()[0], ["1", "2", "3"]), "q1", "bitmap")
    change(message)
    with pytest.raises(kind, match=text):
        wire.read_ask(message, 10)


def other_split(m):
    m.parts[0].routes.splits = 16


TAMPERED = {
    "party": (lambda m: setattr(m, "party", "host:1"), "is of 'host:1'"),
    "digest": (lambda m: setattr(m, "digest", "0" * 64), "another model"),
    "question": (lambda m: setattr(m, "question", b"0" * 32), "for other ids"),
    "rows": (lambda m: setattr(m, "rows", 8), "answered 8 of 9"),
    "row that is not there": (lambda m: (m.failed.append(9), setattr(m, "codes", b"\x71")), "failed rows"),
    "code 0": (lambda m: (m.failed.append(1), setattr(m, "codes", b"\x00")), "failed rows"),
    "codes too few": (lambda m: m.failed.extend([1, 2]), "failed rows"),
    "a row twice": (lambda m: (m.failed.extend([1, 1]), setattr(m, "codes", b"qq")), "failed rows"),
    "a byte more": (lambda m: setattr(m.parts[0].routes, "bits", m.parts[0].routes.bits + b"\0"), "18 bytes, not 17"),
    "a byte less": (lambda m: setattr(m.parts[0].routes, "bits", m.parts[0].routes.bits[:-1]), "16 bytes, not 17"),
    "bits behind": (lambda m: setattr(m.parts[0].routes, "bits", b"\xff" * 17), "behind the last"),
    "splits": (other_split, "for 16 splits, the model has 15|for 16 splits, not 15"),
    "two forms": (lambda m: setattr(m.parts[0].routes, "json", b"[]"), "two forms"),
    "component": (lambda m: setattr(m.parts[0], "component", "other"), "components"),
    "no part": (lambda m: m.ClearField("parts"), "components"),
    "a part twice": (lambda m: m.parts.append(m.parts[0]), "components"),
    "linear": (lambda m: m.parts[0].linear.SetInParent(), "no routes"),
    "defaults": (lambda m: m.defaulted.append(1), "another number of rows"),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_tampered_with_is_refused_in_one_line(what):
    change, text = TAMPERED[what]
    asked, _, raw = exchange(9)
    message = pb.AnswerResponse.FromString(raw)
    change(message)
    with pytest.raises(InputError, match=text) as caught:
        wire.read_reply(pair()[0], "host:10000", message.SerializeToString(), asked, "q1")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "request_id"),
    [(lambda a: Ask(a.model, a.digest, a.ids[::-1]), "q1"), (lambda a: a, "q2")],
    ids=["ids in another order", "another request"],
)
def test_an_answer_to_another_question_is_refused(asked, request_id):
    own, _, raw = exchange(9)
    with pytest.raises(InputError, match="another question, or for other ids"):
        wire.read_reply(pair()[0], "host:10000", raw, asked(own), request_id)


@pytest.mark.parametrize("form", ["bitmap", "json"])
def test_whatever_bytes_come_they_are_an_answer_or_refused_in_one_line(form):
    """Two thousand mutations of a real answer: flipped, cut, doubled, random."""
    asked, reply, raw = exchange(9, form)
    rng, refused = random.Random(3), list[str]()
    for _ in range(2000):
        held = bytearray(raw)
        how = rng.randrange(4)
        if how == 0:
            held[rng.randrange(len(held))] ^= 1 << rng.randrange(8)
        elif how == 1:
            del held[rng.randrange(len(held)) :]
        elif how == 2:
            at = rng.randrange(len(held))
            held[at:at] = rng.randbytes(rng.randrange(1, 9))
        else:
            held = bytearray(rng.randbytes(rng.randrange(200)))
        try:
            found = wire.read_reply(pair()[0], "host:10000", bytes(held), asked, "q1")
        except InputError as exc:
            refused.append(str(exc))
        else:
            assert len(found) == 9
            assert found.parts["secureboost_0"].bits.shape == reply.parts["secureboost_0"].bits.shape
    assert len(refused) > 1000
    assert not [text for text in refused if "\n" in text or len(text) > 500]


def test_json_that_lacks_a_split_fails_its_row_alone():
    asked, _, raw = exchange(3, "json")
    message = pb.AnswerResponse.FromString(raw)
    message.parts[0].routes.json = (
        message.parts[0].routes.json.replace(b"true", b"false").replace(b'"0":{', b'"9":{', 1)
    )
    found = wire.read_reply(pair()[0], "host:10000", message.SerializeToString(), asked, "q1")
    assert found.parts["secureboost_0"].known.tolist() == [False, True, True]


def test_the_linear_part_is_doubles_and_columns_only_where_asked():
    guest, host = real.party("heterolr", "guest"), real.party("heterolr", "host")
    asked = ask(guest, ["a", "b"], columns=True)
    rows = Table.of_rows([{"x300": 1.5}, {"x301": -2}])
    reply = answer(host, asked, rows)
    message = wire.reply_message(host, reply, asked, "q1", "bitmap")
    (part,) = message.parts
    assert len(part.linear.sums) == 16
    assert not part.linear.terms  # the host did not agree
    found = wire.read_reply(guest, host.name, message.SerializeToString(), asked, "q1")
    np.testing.assert_array_equal(found.parts[part.component].sums, reply.parts[part.component].sums)
    message.parts[0].linear.sums += b"\0"
    with pytest.raises(InputError, match="17 bytes, not 16"):
        wire.read_reply(guest, host.name, message.SerializeToString(), asked, "q1")


def test_parts_of_columns_that_nobody_asked_for_leave_the_host_one_player():
    guest = real.party("heterolr", "guest")
    host = replace(real.party("heterolr", "host"), shares_columns=True)
    asked, told = ask(guest, ["a"]), ask(guest, ["a"], columns=True)
    reply = answer(host, told, Table.of_rows([{"x300": 1.5}]))
    message = wire.reply_message(host, reply, asked, "q1", "bitmap")
    (part,) = message.parts
    assert part.linear.terms
    found = wire.read_reply(guest, host.name, message.SerializeToString(), asked, "q1").parts[part.component]
    assert found.terms is None
    assert found.columns == ()
    again = wire.reply_message(host, reply, told, "q1", "bitmap").SerializeToString()
    assert wire.read_reply(guest, host.name, again, told, "q1").parts[part.component].terms is not None
