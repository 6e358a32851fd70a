"""What a request may cost before anybody knows what it asks: over sockets, and each check by itself."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascribe.core.errors import InputError
from ascribe.serve.access.limits import Inflater, check_depth
from ascribe.serve.faults import TooLargeError
from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from tests.waiting import until

from ..asking import ROW, VECTOR, Doors, doors

LIMIT = 65536
BODY = json.dumps({"feature_vector": [ROW]}).encode()
JSON = {"content-type": "application/json"}
ZIPPED = {**JSON, "content-encoding": "gzip"}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with doors(
        tmp_path_factory.mktemp("small"), max_body_bytes=LIMIT, max_depth=16, max_headers=20, max_header_bytes=4096,
        max_features=50, header_s=20.0,
    ) as found:  # fmt: skip
        yield found


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    with doors(tmp_path_factory.mktemp("hasty"), header_s=0.5) as found:
        yield found


def posted(small: Doors, raw: Any, headers: dict[str, str], path: str = "/v1/predictions") -> tuple[int, str]:
    answer = small.http.post(path, content=raw, headers=headers)
    return answer.status_code, answer.json().get("detail", "")


def test_a_zipped_body_is_answered_like_a_plain_one(small):
    plain = small.http.post("/v1/predictions", content=BODY, headers=JSON).json()
    zipped = small.http.post("/v1/predictions", content=gzip.compress(BODY), headers=ZIPPED).json()
    assert zipped["predictions"] == plain["predictions"]
    pieces = (gzip.compress(BODY)[k : k + 7] for k in range(0, 1000, 7))
    assert posted(small, (p for p in pieces if p), ZIPPED)[0] == 200


def test_a_body_is_limited_before_and_after_inflation(small):
    spaces = BODY + b" " * (LIMIT - len(BODY))
    assert posted(small, gzip.compress(spaces), ZIPPED)[0] == 200
    status, text = posted(small, gzip.compress(spaces + b" "), ZIPPED)
    assert (status, "once inflated" in text) == (413, True)
    assert posted(small, b"\x1f\x8b" + bytes(LIMIT), JSON)[0] == 413


def test_a_bomb_is_refused_before_it_goes_off(small):
    bomb = gzip.compress(bytes(200 << 20))
    assert posted(small, bomb, ZIPPED)[0] == 413
    assert posted(small, gzip.compress(gzip.compress(bytes(50 << 20))), ZIPPED)[0] == 400  # one inflation, no more
    inflater, most = Inflater(LIMIT), 0
    for k in range(0, len(bomb), 100):
        try:
            most = max(most, len(inflater.feed(bomb[k : k + 100])))
        except TooLargeError:
            break
    assert most <= LIMIT
    assert k < 200  # a thousandth of it was looked at


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (BODY, "is not gzip"),
        (b"", "cut off"),
        (gzip.compress(BODY)[:-5], "cut off"),
        (gzip.compress(BODY)[:-4] + b"\0\0\0\0", "not gzip"),
        (gzip.compress(BODY) + b"x", "goes on"),
        (gzip.compress(BODY) * 2, "goes on"),
        (zlib.compress(BODY), "not gzip"),
    ],
    ids=["plain", "short", "cut", "sum", "more", "twice", "zlib"],  # the bytes hold the time
)
def test_what_is_no_gzip_is_the_callers_fault(small, raw, why):
    status, text = posted(small, raw, ZIPPED)
    assert (status, why in text) == (400, True), text


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_other_encodings_are_not_offered(small, encoding):
    assert posted(small, BODY, {**JSON, "content-encoding": encoding})[0] == 415


def test_a_zipped_bomb_over_grpc_is_refused_too(small):
    with grpc.insecure_channel(small.at.grpc, compression=grpc.Compression.Gzip) as channel:
        stub = AttributionServiceStub(channel)
        assert stub.GetPrediction(pb.PredictionRequest(feature_vector=[VECTOR])).predictions
        with pytest.raises(grpc.RpcError) as caught:
            stub.GetPrediction(pb.PredictionRequest(feature_vector=[VECTOR], version="x" * (50 << 20)))
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED


def test_who_hangs_up_in_the_middle_of_a_body_is_no_fault_of_ours(small):
    seen = len(small.log)
    host, port = small.http.base_url.host, small.http.base_url.port
    head = b"POST /v1/predictions HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\nX-Request-Id: gone\r\n\r\n"
    with socket.create_connection((host, port), timeout=60) as line:
        line.sendall(head + BODY[:20])
        time.sleep(0.1)

    def gone() -> list[str]:
        held = [event for event in map(json.loads, small.log[seen:]) if event.get("request_id") == "gone"]
        return [event["code"] for event in held]

    until(lambda: bool(gone()))
    assert gone() == ["cancelled"]


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def test_a_deep_body_is_refused_and_a_text_full_of_brackets_is_not(small):
    status, text = posted(small, b'{"feature_vector": ' + nested(16) + b"}", JSON)
    assert (status, "the limit of this server is 16" in text) == (400, True)
    assert "nested too deeply" not in posted(small, b'{"feature_vector": ' + nested(15) + b"}", JSON)[1]
    many = json.dumps({"feature_vector": [{**ROW, "id": "[{" * 100 + '"\\"'}]}).encode()
    assert posted(small, many, JSON)[0] == 200


trees = st.recursive(
    st.none() | st.text(alphabet='[]{}"\\a', max_size=6) | st.integers(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet='[]"\\k', max_size=3), inner, max_size=3)
    ),
    max_leaves=25,
)


def depth_of(tree: Any) -> int:
    if isinstance(tree, dict):
        return 1 + max(map(depth_of, tree.values()), default=0)
    return 1 + max(map(depth_of, tree), default=0) if isinstance(tree, list) else 0


@given(trees, st.integers(1, 8), st.booleans())
def test_depth_is_what_a_parser_would_count(tree, most, ascii_only):
    raw = json.dumps(tree, ensure_ascii=ascii_only).encode()
    if depth_of(tree) <= most:
        check_depth(raw, most)
    else:
        with pytest.raises(InputError, match="nested too deeply"):
            check_depth(raw, most)


@given(st.binary(max_size=60) | st.text(alphabet='[]{}"\\', max_size=60).map(str.encode))
def test_depth_of_what_is_no_json_is_refused_or_left_to_the_parser(raw):
    try:
        check_depth(raw, 3)
    except InputError:
        assert raw.count(b"[") + raw.count(b"{") > 3


def test_rows_with_too_many_values_fail_alone(small):
    wide = {"id": "w", "values": {f"f{k}": 1.0 for k in range(51)}}
    answer = small.http.post("/v1/predictions", json={"feature_vector": [wide, ROW]})
    assert [p["status"] for p in answer.json()["predictions"]] == ["invalid", "ok"]
    assert "the limit of this server is 50" in answer.json()["predictions"][0]["reason"]
    vector = pb.FeatureVector(names=[f"f{k}" for k in range(51)], values=[1.0] * 51)
    by_grpc = AttributionServiceStub(small.channel).GetPrediction(pb.PredictionRequest(feature_vector=[vector, VECTOR]))
    assert by_grpc.predictions[0].reason == answer.json()["predictions"][0]["reason"]


def test_headers_are_limited_in_number_and_in_bytes(small):
    answer = small.http.get("/v1/models", headers={f"x-{k}": "1" for k in range(30)})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    answer = small.http.get("/v2/health/live", headers={"x-long": "x" * 5000})
    assert (answer.status_code, "4096 bytes" in answer.json()["detail"]) == (413, True)
    assert small.http.get("/v1/models").status_code == 200


def raw(found: Doors) -> socket.socket:
    return socket.create_connection((found.http.base_url.host, found.http.base_url.port), timeout=60)


HEAD = b"POST /v1/predictions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n"


def test_a_body_that_does_not_arrive_is_not_waited_for(tmp_path):
    with doors(tmp_path, body_s=0.5, header_s=3.0) as found, raw(found) as connection:
        connection.sendall(HEAD + b'{"feat')
        answer = b""
        while piece := connection.recv(65536):  # and the connection is closed
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"did not arrive within 0.5 s" in answer


@pytest.mark.parametrize("sent", [b"", b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n"])
def test_headers_that_do_not_arrive_are_not_waited_for(hasty, sent):
    with raw(hasty) as connection:
        connection.sendall(sent)
        with suppress(ConnectionResetError):
            assert connection.recv(100) == b""


def test_a_grpc_connection_that_says_nothing_is_closed(hasty):
    host, _, port = hasty.at.grpc.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection, suppress(ConnectionResetError):
        while connection.recv(4096):  # the server's own first frames
            pass


def test_a_connection_in_use_is_not_cut_by_the_time_for_headers(tmp_path):
    with doors(tmp_path, header_s=2.0) as found, raw(found) as connection:  # in which a first request must come
        for pause_s in (2.1, 0.0):
            connection.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while b"}" not in answer:
                piece = connection.recv(4096)
                assert piece, "the connection was closed"
                answer += piece
            assert answer.startswith(b"HTTP/1.1 200")
            time.sleep(pause_s)


def test_too_many_connections_are_turned_away_and_room_comes_back(tmp_path):
    def let_in() -> bool:
        with raw(found) as later, suppress(ConnectionError):
            later.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            return later.recv(4096).startswith(b"HTTP/1.1 200")
        return False

    with doors(tmp_path, max_connections=8, header_s=60.0) as found:
        idle = [raw(found) for _ in range(8)]
        with raw(found) as one_more:
            answer = one_more.recv(4096)
        assert answer.startswith(b"HTTP/1.1 503")
        assert b"Retry-After" in answer
        assert not let_in()
        for connection in idle:
            connection.close()
        until(let_in)
