"""Whatever comes to either door of a guest or a host, it is refused in one line, and the next request is answered."""

from __future__ import annotations

import json
import random
from typing import Any

import grpc
import httpx
import pytest

from ascribe.serve.wire import fate_inference_pb2 as fate
from ascribe.serve.wire import party_pb2 as pb
from tests.train.adapters.fate import real

from .servers import Rows, bundled, guesting, hosting
from .worlds import pair, scores

REFUSED = {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}


@pytest.fixture(scope="module")
def host():
    with hosting(pair()[1], Rows(real.table("host")), max_rows=100, log_share=0.0) as at:
        yield at


@pytest.fixture(scope="module")
def guest(host, tmp_path_factory):
    bundle = bundled(pair()[0], tmp_path_factory.mktemp("malformed") / "guest")
    with guesting(bundle, {"bank": host}, log_share=0.0) as at:
        yield at


def mutated(rng: random.Random, raw: bytes) -> bytes:
    held = bytearray(raw)
    for _ in range(rng.randrange(1, 4)):
        how = rng.randrange(4)
        at = rng.randrange(len(held) + 1)
        if how == 0 and held:
            held[at % len(held)] ^= 1 << rng.randrange(8)
        elif how == 1:
            del held[at:]
        elif how == 2:
            held[at:at] = rng.randbytes(rng.randrange(1, 6))
        else:
            held = bytearray(rng.randbytes(rng.randrange(60)))
    return bytes(held)


def test_a_host_refuses_bytes_that_are_no_question(host):
    party, _ = pair()
    good = pb.AnswerRequest(
        model=party.model, digest=party.digest, request_id="q1", ids=["133"], form=pb.BITMAP
    ).SerializeToString()
    rng, seen = random.Random(5), set()
    with grpc.insecure_channel(host) as channel:
        for verb in ("Answer", "Describe"):
            call = channel.unary_unary(f"/party.v1.PartyService/{verb}", None, None)
            for _ in range(300):
                try:
                    pb.AnswerResponse.FromString(call(mutated(rng, good), timeout=60))
                except grpc.RpcError as exc:
                    seen.add(exc.code())
                    text = exc.details()
                    if "\n" in text or len(text) > 400:
                        raise AssertionError(text) from exc
        assert seen <= REFUSED
        assert seen
        found = pb.AnswerResponse.FromString(channel.unary_unary("/party.v1.PartyService/Answer", None, None)(good))
        assert found.rows == 1


def spoiled(rng: random.Random, held: Any) -> Any:
    """Some value somewhere in a JSON tree is another."""
    if isinstance(held, dict) and held and rng.random() < 0.8:
        name = rng.choice(list(held))
        return {**held, name: spoiled(rng, held[name])}
    if isinstance(held, list) and held and rng.random() < 0.8:
        at = rng.randrange(len(held))
        return [*held[:at], spoiled(rng, held[at]), *held[at + 1 :]]
    return rng.choice(
        ["", "x", None, 0, -1, 2**70, 1e308, True, [], {}, [[]], {"id": {}}, "\u0000", "é" * 300, ["a"] * 3]
    )


@pytest.mark.parametrize("batch", [False, True], ids=["single", "batch"])
def test_the_calls_of_fate_answer_with_a_code_whatever_comes(guest, batch):
    row = {"index": 0, "featureData": real.table("guest")["133"], "sendToRemoteFeatureData": {"id": "133"}}
    body = {"batchDataList": [row, {**row, "index": 1}]} if batch else row
    good = {"head": {"serviceId": "s", "caseId": "c1"}, "body": {**body, "explain": False, "policy": "fail"}}
    path = "/federation/v1/" + ("batchInference" if batch else "inference")
    rng, codes = random.Random(9), set()
    with httpx.Client(base_url=guest.http) as http, grpc.insecure_channel(guest.grpc) as channel:
        name = "batchInference" if batch else "inference"
        call = channel.unary_unary(
            f"/com.webank.ai.fate.api.serving.InferenceService/{name}", fate.InferenceMessage.SerializeToString,
            fate.InferenceMessage.FromString,
        )  # fmt: skip
        for k in range(300):
            raw = json.dumps(spoiled(rng, good)).encode() if k % 3 else mutated(rng, json.dumps(good).encode())
            found = http.post(path, content=raw)
            assert found.status_code in (200, 400, 413), (raw, found.text)
            answer = found.json()
            if found.status_code == 200:
                codes.add(answer["retcode"])
                assert answer["retcode"] not in (110, 108), (raw, answer)
            again = json.loads(call(fate.InferenceMessage(body=raw), timeout=60).body)
            assert again["retcode"] == answer.get("retcode", 100)
        assert {0, 100} <= codes
        last = http.post(path, json=good).json()
        data = last["batchDataList"][1]["data"] if batch else last["data"]
        assert data["score"] == pytest.approx(scores()["133"][1], abs=1e-9)


def test_rows_of_the_usual_doors_fail_alone_whatever_they_are(guest):
    good = {"id": "133", "values": {c: float(v) for c, v in real.table("guest")["133"].items()}}
    rng = random.Random(11)
    with httpx.Client(base_url=guest.http) as http:
        for _ in range(200):
            found = http.post("/v1/predictions", json={"feature_vector": [spoiled(rng, good), good]})
            assert found.status_code == 200, found.text
            last = found.json()["predictions"][1]
            assert last["prediction"] == pytest.approx(scores()["133"][0], abs=1e-9)
