"""Every message becomes one vector or one dead letter, whatever it is."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascribe.train.sources.decoding import Decoder
from ascribe.train.sources.moments import timestamp_us
from ascribe.train.vectors import DeadLetter, Vectors
from ascribe.train.wire.telemetry_pb2 import FeatureVector

WHEN = 1_790_000_000_123
STREAM = ("kafka:c/raw_metrics/0",)


def body(**changes: Any) -> dict[str, Any]:
    return {
        "id": "a",
        "node": "n1",
        "timestamp": WHEN,
        "features": {"cpu-cycles": 5.5, "ipc": 2},
        "power_w": 91.5,
    } | changes


def decoded(payloads: list[bytes | None], decoder: Decoder | None = None, **more: Any) -> tuple[list[Vectors], list[DeadLetter]]:  # noqa: E501  # fmt: skip
    count = len(payloads)
    return (decoder or Decoder()).decode(payloads, STREAM, np.zeros(count, int), np.arange(count) + 100, **more)


def rows(vectors: list[Vectors]) -> dict[str, dict[str, float]]:
    """Features by id, without those that are absent."""
    return {
        v.id[i]: {name: x for name, x in zip(v.names, v.X[i].tolist(), strict=True) if x == x}
        for v in vectors
        for i in range(len(v))
    }


def test_a_message_in_json():
    (v,), dead = decoded([json.dumps(body()).encode()])
    assert not dead
    assert (v.id, v.node, v.names) == (["a"], ["n1"], ("cpu-cycles", "ipc"))
    assert v.timestamp.tolist() == [WHEN * 1000]
    assert v.X.tolist() == [[5.5, 2.0]]
    assert v.power_w.tolist() == [91.5]
    assert v.places.position.tolist() == [100]


def test_protobuf_says_the_same():
    message = FeatureVector(id="a", node="n1", timestamp=WHEN, features={"ipc": 2, "cpu-cycles": 5.5}, power_w=91.5)
    vectors, dead = decoded([message.SerializeToString(), json.dumps(body(id="b")).encode()])
    assert not dead
    assert rows(vectors) == {"a": {"cpu-cycles": 5.5, "ipc": 2.0}, "b": {"cpu-cycles": 5.5, "ipc": 2.0}}
    assert {v.power_w[0] for v in vectors} == {91.5}


def test_a_schema_registry_frame_is_taken_off():
    frame = struct.pack(">bI", 0, 7)
    message = FeatureVector(id="p", node="n1", timestamp=WHEN, features={"ipc": 2})
    framed = [frame + json.dumps(body()).encode(), frame + b"\0" + message.SerializeToString()]
    framed.append(frame + b"\x02\x00" + FeatureVector(id="q", node="n", timestamp=WHEN).SerializeToString())
    vectors, dead = decoded(framed)
    assert not dead
    assert set(rows(vectors)) == {"a", "p", "q"}


def test_messages_with_other_features_stand_beside_one_another():
    kinds = [{"a": 1.0}, {"a": 1.0, "b": 2.0}, {"c": 3.0}, {}]
    payloads = [json.dumps(body(id=f"r{i}", features=kinds[i % 4])).encode() for i in range(40)]
    decoder = Decoder()
    for _ in range(2):  # unknown layouts first, then known ones
        vectors, dead = decoded(payloads, decoder)
        assert not dead
        assert rows(vectors) == {f"r{i}": kinds[i % 4] for i in range(40)}
        assert sorted(p for v in vectors for p in v.places.position.tolist()) == list(range(100, 140))


def test_more_kinds_of_messages_than_layouts_are_read_all_the_same():
    payloads = [json.dumps(body(id=f"r{i}", features={f"f{i}": float(i)})).encode() for i in range(30)]
    decoder = Decoder()
    for _ in range(2):
        vectors, dead = decoded(payloads, decoder)
        assert not dead
        assert rows(vectors) == {f"r{i}": {f"f{i}": float(i)} for i in range(30)}


def test_names_of_windows_counters_and_quotes_are_read():
    kinds = [{r"\Processor(_Total)\% Processor Time": 7.0}, {'a"b': 2.0, "c": 3.0}, {"c": 4.0}]
    payloads = [json.dumps(body(id=f"r{i}", features=kinds[i % 3])).encode() for i in range(9)]
    decoder = Decoder()
    for _ in range(2):
        vectors, dead = decoded(payloads, decoder)
        assert not dead
        assert rows(vectors) == {f"r{i}": kinds[i % 3] for i in range(9)}


def test_null_is_absent():
    (v,), _ = decoded([json.dumps(body(features={"a": None, "b": 1}, power_w=None)).encode()])
    assert np.isnan(v.power_w[0])
    assert rows([v]) == {"a": {"b": 1.0}}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "the message is empty"),
        (b"", "the message is empty"),
        (b"{", "no vector in JSON"),
        (b"[" * 100_000, "no vector in JSON"),
        (b"hello", "neither JSON nor a FeatureVector"),
        (b"\0\0\0\0\7", "neither JSON nor a FeatureVector"),
        (b"\0\0\0\0\7\xff\xff", "neither JSON nor a FeatureVector"),
        (json.dumps(body(id=7)).encode(), "no vector in JSON"),
        (json.dumps(body(id="")).encode(), "id is empty"),
        (json.dumps(body(node="")).encode(), "node is empty"),
        (json.dumps(body(timestamp="2026-11-01T12:00:00")).encode(), "neither epoch milliseconds"),
        (json.dumps(body(timestamp=-1)).encode(), "neither epoch milliseconds"),
        (json.dumps(body(timestamp=10**30)).encode(), "neither epoch milliseconds"),
        (json.dumps(body(features={"a": "much"})).encode(), "no vector in JSON"),
        (json.dumps(body(features={"a": True})).encode(), "no vector in JSON"),
        (json.dumps(body(features=[1])).encode(), "no vector in JSON"),
        (json.dumps(body(features={"power_w": 1})).encode(), "cannot be named 'power_w'"),
        (json.dumps(body(features={"": 1})).encode(), "cannot be named ''"),
        (json.dumps(body(features={"Node": 1})).encode(), "cannot be named 'Node'"),
        (json.dumps(body(features={"a\0b": 1})).encode(), r"cannot be named 'a\x00b'"),
        (json.dumps(body(features={"cpu": 1, "CPU": 1})).encode(), "two features differ only in case (cpu, CPU)"),
        (b'{"id":"a","node":"n","timestamp":1,"features":{"a":NaN}}', "no vector in JSON"),
        (b'{"id":"a","node":"n","timestamp":1,"features":{"a":1e999}}', "no vector in JSON"),
        (b'{"id":"\xff","node":"n","timestamp":1,"features":{}}', "no vector in JSON"),
    ],
)
def test_what_is_no_vector_dies_with_its_reason(payload, reason):
    good = json.dumps(body()).encode()
    vectors, dead = decoded([good, payload, good])
    assert [d.position for d in dead] == [101]
    assert reason in dead[0].reason
    assert dead[0].payload == (payload or b"")
    assert sum(map(len, vectors)) == 2


def test_an_unknown_schema_dies():
    payloads = [json.dumps(body(id=name)).encode() for name in "abc"]
    vectors, dead = decoded(payloads, Decoder(lambda s: s == "v1"), schemas={0: "v1", 1: "v2"})
    assert set(rows(vectors)) == {"a", "c"}
    assert dead[0].reason.startswith("schema 'v2' is unknown")


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from([json.dumps(body()).encode()])), max_size=20))
def test_nothing_is_lost_whatever_comes(payloads):
    vectors, dead = decoded(list(payloads))
    places = [p for v in vectors for p in v.places.position.tolist()] + [d.position for d in dead]
    assert sorted(places) == list(range(100, 100 + len(payloads)))


@given(st.datetimes(min_value=__import__("datetime").datetime(1971, 1, 1)))
def test_rfc_3339_is_read_to_the_microsecond(moment):
    us = timestamp_us(moment.isoformat() + "Z")
    assert us is not None
    assert np.datetime64(us, "us") == np.datetime64(moment)
