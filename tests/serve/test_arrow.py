"""Arrow streams at the HTTP door: the same numbers as JSON, and nothing that a hostile stream can do."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ascribe.core.errors import InputError
from ascribe.serve import arrow

from . import tiny

MEDIA = {"content-type": "application/vnd.apache.arrow.stream"}
X = np.array([[0.6, 2.5, 9.0], [0.1, 1.7, 3.25], [0.7, 3.1, 11.0]])
TABLE = pa.table(dict(zip(tiny.ROW, X.T, strict=True)))


def stream(table: pa.Table, batch: int | None = None, **options: Any) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table, batch)
    return sink.getvalue().to_pybytes()


def posted(served: Any, table: pa.Table, path: str = "/v1/attributions", **said: Any) -> pa.Table:
    answer = served.http.post(path, content=stream(table), params=said, headers=MEDIA)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == MEDIA["content-type"]
    return pa.ipc.open_stream(answer.content).read_all()


def test_a_table_of_attributions_is_that_of_json(served):
    found = posted(served, TABLE.select(["misses", "busy", "ghz"]), seed=3)
    ours = served.http.post("/v1/attributions", json={"feature_vector": [{"values": r} for r in X.tolist()], "seed": 3})
    rows, names = ours.json()["attributions"], list(tiny.ROW)
    stderr = [f"stderr_{name}" for name in names]
    assert found.column_names == ["prediction", "base_value", *names, *stderr, "ess", "status", "reason"]
    for name in ("prediction", "base_value", "ess", "status", "reason"):
        assert found[name].to_pylist() == [row[name] for row in rows]
    for name in names:
        assert found[name].to_pylist() == [row["attribution_shares"][name] for row in rows]
        assert found[f"stderr_{name}"].to_pylist() == [row["stderr"][name] for row in rows]
    said = json.loads(found.schema.metadata[b"ascribe"])
    assert (said["version"], said["unit"], said["seed"]) == (served.version, "W", 3)


def test_a_table_of_predictions_with_ids_and_a_meter(served):
    table = TABLE.append_column("id", pa.array(["a", None, "c"])).append_column("measured_w", pa.array([99.5, None, 1]))
    found = posted(served, table, "/v1/predictions")
    assert found.column_names == ["id", "prediction", "status", "reason", "measured_w", "unexplained_w"]
    assert found["prediction"].to_numpy() == pytest.approx(tiny.BIAS + X @ tiny.WEIGHTS)
    assert found["id"].to_pylist() == ["a", "", "c"]
    assert found["unexplained_w"].to_pylist()[0] == 99.5 - found["prediction"][0].as_py()
    assert found["unexplained_w"].to_pylist()[1] is None
    told = posted(served, table, "/v1/attributions")
    assert told.column_names[0] == "id"
    assert told.column_names[-2:] == ["measured_w", "unexplained_w"]


def test_a_row_with_a_null_fails_alone(served):
    table = TABLE.set_column(1, "ghz", pa.array([2.5, None, 3.1]))
    found, whole = posted(served, table), posted(served, TABLE)
    assert found["status"].to_pylist() == ["ok", "invalid", "ok"]
    assert found["reason"][1].as_py().startswith("ghz is null")
    assert found["busy"].to_pylist() == [whole["busy"][0].as_py(), None, whole["busy"][2].as_py()]


@pytest.mark.parametrize("kind", [pa.float32(), pa.float16(), pa.int32(), pa.uint8()])
def test_other_numbers_are_what_they_hold(served, kind):
    held = pa.table({name: pa.array(np.round(c)).cast(kind) for name, c in zip(tiny.ROW, X.T, strict=True)})
    plain = pa.table({name: np.round(c) for name, c in zip(tiny.ROW, X.T, strict=True)})
    assert posted(served, held).equals(posted(served, plain))


def without(name: str) -> pa.Table:
    return TABLE.drop_columns([name])


def claiming(rows: int) -> bytes:
    """A few bytes that say to hold so many rows: a column of nulls needs none."""
    few = stream(pa.table({"busy": pa.nulls(12345)}))
    return few.replace(struct.pack("<q", 12345), struct.pack("<q", rows))


REFUSED = [
    (b"", {}, 400, "no rows"),
    (b"junk" * 20, {}, 400, "no Arrow IPC stream"),
    (stream(TABLE)[:-30], {}, 400, "no Arrow IPC stream"),
    (stream(TABLE)[:100], {}, 400, "no Arrow IPC stream"),
    (stream(TABLE, compression="zstd"), {}, 400, "compressed"),
    (stream(TABLE, compression="lz4"), {}, 400, "compressed"),
    (stream(TABLE.append_column("node", pa.array(["a", "b", "c"]).dictionary_encode())), {}, 400, "dictionary"),
    (stream(TABLE.append_column("node", pa.array(["a", "b", "c"]))), {}, 400, "'node' is 'string', not numbers"),
    (stream(TABLE.append_column("on", pa.array([True, False, True]))), {}, 400, "not numbers"),
    (stream(TABLE.append_column("id", pa.array([1, 2, 3]))), {}, 400, "ids are texts"),
    (stream(TABLE.append_column("busy", pa.array([1, 2, 3]))), {}, 400, "given twice"),
    (stream(TABLE.append_column("colour", pa.array([1, 2, 3]))), {}, 400, "no such feature"),
    (stream(without("busy")), {}, 400, "'busy' missing"),
    (stream(TABLE.slice(0, 0)), {}, 400, "no rows"),
    (stream(pa.table({"id": ["a"]})), {}, 400, "no feature"),
    (stream(pa.concat_tables([TABLE] * 3)), {}, 413, "9 rows"),
    (stream(pa.concat_tables([TABLE] * 3), 1), {}, 413, "9 rows"),
    (claiming(1 << 40), {}, 413, "rows, the limit"),
    (claiming(-3), {}, 400, "fewer than no rows"),
    (stream(TABLE), {"colour": "red"}, 400, "unknown parameter"),
    (stream(TABLE), {"seed": "x"}, 400, "seed is a whole number"),
    (stream(TABLE), {"model": "other"}, 404, "no model 'other'"),
    (stream(TABLE), {"request_id": "a b"}, 400, "request_id"),
    (stream(TABLE), {"timeout": "1"}, 504, "send fewer"),
]


@pytest.mark.parametrize(("raw", "said", "status", "text"), REFUSED)
def test_streams_that_cannot_be_used(served, raw, said, status, text):
    answer = served.http.post("/v1/attributions", content=raw, params=said, headers=MEDIA)
    assert answer.status_code == status, answer.text
    assert text in answer.json()["error"]


GOOD = stream(TABLE)


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=8))
@settings(max_examples=600, deadline=None)
def test_a_damaged_stream_is_read_or_refused(changes):
    raw = bytearray(GOOD)
    for at, byte in changes:
        raw[at] = byte
    with suppress(InputError):
        assert 1 <= len(arrow.read(bytes(raw), 8).rows) <= 8
