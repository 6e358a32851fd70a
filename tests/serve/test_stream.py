"""Streams: chunks in, answers out under the same index; a bounded number in flight; a bad chunk ends nothing."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator

import grpc
import numpy as np
import pytest

from ascribe.serve.stream import answered
from ascribe.serve.wire import attribution_pb2 as pb

from . import tiny

LINES = {"content-type": "application/x-ndjson"}


def vector(k: int) -> list[float]:
    return np.random.default_rng(k).uniform([0.1, 1.0, 2.0], [0.9, 3.5, 15.0]).tolist()


def chunk(index: int, *rows: list[float], **fields: object) -> pb.AttributionChunk:
    sent = [pb.FeatureVector(id=str(index), values=row) for row in rows]
    return pb.AttributionChunk(index=index, request=pb.AttributionRequest(feature_vector=sent, **fields))


def test_every_chunk_is_answered_under_its_index_as_if_it_were_alone(served):
    chunks = [chunk(100 + k, vector(k), vector(k + 1), tier="exact") for k in range(40)]
    answers = {answer.index: answer.response for answer in served.stub.StreamAttributions(iter(chunks))}
    assert sorted(answers) == list(range(100, 140))
    for k in (0, 39):
        alone = served.stub.GetAttribution(chunks[k].request)
        assert list(answers[100 + k].attributions) == list(alone.attributions)
        assert answers[100 + k].version == served.version


def test_a_bad_chunk_says_so_and_the_stream_goes_on(served):
    chunks = [
        chunk(0, vector(0)),
        chunk(1, [1.0]),
        chunk(2, vector(2), tier="wrong"),
        chunk(3),
        chunk(4, vector(4), model="x"),
        chunk(5, *[vector(5)] * 9),
        chunk(6, vector(6), request_id="a b"),
        pb.AttributionChunk(index=7),
        chunk(8, vector(8)),
    ]
    answers = {answer.index: answer for answer in served.stub.StreamAttributions(iter(chunks))}
    codes = {k: a.error.code if a.HasField("error") else "ok" for k, a in answers.items()}
    assert codes == {
        0: "ok", 1: "invalid_input", 2: "invalid_input", 3: "invalid_input", 4: "not_found", 5: "too_large",
        6: "invalid_input", 7: "invalid_input", 8: "ok",
    }  # fmt: skip
    assert answers[4].error.status == grpc.StatusCode.NOT_FOUND.value[0]
    assert "1 values" in answers[1].error.message and not answers[1].error.HasField("retry_s")


def test_a_message_that_cannot_be_read_ends_the_stream_once_those_before_are_answered(served):
    call = served.channel.stream_stream(
        "/attribution.v1.AttributionService/StreamAttributions", None, pb.AttributionChunkAnswer.FromString
    )
    sent = [chunk(3, vector(3)).SerializeToString(), b"\xff" * 9, chunk(4, vector(4)).SerializeToString()]
    answers = call(iter(sent), timeout=60)
    assert next(answers).index == 3
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "cannot be read" in caught.value.details()
    told = served.channel.unary_stream("/attribution.v1.AttributionService/GetAttributionJobResult")
    with pytest.raises(grpc.RpcError) as caught:
        list(told(b"\xff" * 9, timeout=60))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT


def test_answers_come_while_the_sender_has_not_finished(served):
    go_on = threading.Event()

    def sent() -> Iterator[pb.AttributionChunk]:
        yield chunk(0, vector(0))
        assert go_on.wait(60)
        yield chunk(1, vector(1))

    call = served.stub.StreamAttributions(sent(), timeout=60)
    assert next(call).index == 0
    go_on.set()
    assert [answer.index for answer in call] == [1]


def test_a_stream_that_is_cancelled_leaves_the_server_well(served):
    call = served.stub.StreamAttributions(chunk(k, vector(k)) for k in range(10_000))
    assert next(call).index >= 0
    call.cancel()
    assert served.stub.GetAttribution(chunk(0, vector(0)).request).attributions[0].status == "ok"


def test_lines_are_answered_by_lines(served):
    rows = [{"values": dict(zip(tiny.ROW, vector(k), strict=True))} for k in range(20)]
    bodies = [json.dumps({"index": 50 + k, "feature_vector": row, "tier": "exact"}) for k, row in enumerate(rows)]
    bodies[3], bodies[4] = "{", json.dumps({"index": 54, "feature_vector": rows[4], "tier": "wrong"})
    text = "\n\n".join(bodies)
    with served.http.stream("POST", "/v1/attributions:stream", content=text, headers=LINES) as answer:
        assert answer.status_code == 200 and answer.headers["content-type"] == LINES["content-type"]
        found = {line["index"]: line for line in map(json.loads, answer.iter_lines())}
    assert sorted(found) == sorted({3, *range(50, 70)} - {53})
    assert found[3]["error"]["code"] == found[54]["error"]["code"] == "invalid_input"
    assert found[54]["error"]["status"] == 400 and "response" not in found[54]
    alone = served.http.post("/v1/attributions", json={"feature_vector": rows[7], "tier": "exact"}).json()
    assert found[57]["response"]["attributions"] == alone["attributions"]


def test_a_line_over_the_limit_is_an_answer_and_not_the_end(served):
    small = json.dumps({"feature_vector": {"values": vector(1)}})
    text = small + "\n" + "x" * 300_000 + "\n" + small + "\n"
    lines = served.http.post("/v1/attributions:stream", content=text, headers=LINES).text.splitlines()
    found = {line["index"]: line for line in map(json.loads, lines)}
    assert [found[k].get("error", {}).get("code") for k in range(3)] == [None, "too_large", None]


def test_another_media_type_is_refused(served):
    answer = served.http.post("/v1/attributions:stream", json={})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported")


def test_a_slow_reader_slows_the_sender_down():
    read, begun = [], []

    async def chunks() -> AsyncIterator[int]:
        for k in range(100):
            read.append(k)
            yield k

    async def answer(k: int) -> int:
        begun.append(k)
        await asyncio.sleep(0)
        return k

    async def main() -> list[int]:
        found = []
        async for k in answered(chunks(), answer, 4):
            for _ in range(20):
                await asyncio.sleep(0)
            found.append(k)
            assert len(begun) <= len(found) + 3 and len(read) <= len(found) + 3
        return found

    assert asyncio.run(main()) == list(range(100))


def test_a_quick_answer_overtakes_a_slow_one():
    """The first waits for the third, which waits for the second."""
    ready = {name: asyncio.Event() for name in ("first", "second", "third")}
    after = {"first": "third", "third": "second"}

    async def chunks() -> AsyncIterator[str]:
        for name in ready:
            yield name

    async def answer(name: str) -> str:
        if name in after:
            await ready[after[name]].wait()
        ready[name].set()
        return name

    async def main() -> list[str]:
        return [name async for name in answered(chunks(), answer, 3)]

    assert asyncio.run(main()) == ["second", "third", "first"]


def test_who_leaves_early_leaves_nothing_running():
    ended = []

    async def chunks() -> AsyncIterator[int]:
        for k in range(100):
            yield k

    async def answer(k: int) -> int:
        try:
            await asyncio.sleep(0 if k == 0 else 60)
        except asyncio.CancelledError:
            ended.append(k)
            raise
        return k

    async def main() -> None:
        begin = time.monotonic()
        stream = answered(chunks(), answer, 5)
        assert await anext(stream) == 0
        await stream.aclose()
        assert len(asyncio.all_tasks()) == 1
        assert time.monotonic() - begin < 30

    asyncio.run(main())
    assert sorted(ended) == [1, 2, 3, 4]
