"""Guests and hosts of FATE-Serving at the other end: `unaryCall`, its JSON and codes, over real sockets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import grpc
import httpx
import numpy as np
import pytest

from ascribe.core.errors import InputError
from ascribe.core.federated.party import ask, local, merge
from ascribe.core.federated.table import Table
from ascribe.serve.federated.fate_packet import read_answer
from ascribe.serve.federated.opening import open_guest
from ascribe.serve.federated.scored import Asked, Scorer
from ascribe.serve.federated.settings import PartySettings
from ascribe.serve.wire import fate_proxy_pb2 as pb
from ascribe.serve.wire.fate_proxy_pb2_grpc import DataTransferServiceStub
from tests.train.adapters.fate import real

from .servers import Rows, bundled, guesting, hosting, looped, proxied
from .worlds import GUEST_CSV, ids, mine, pair, scores

NAMESPACE, TABLE = "host#10000#guest-9999#host-10000#model", "202004201033174706226"
METHOD = "com.webank.ai.fate.api.networking.proxy.DataTransferService"


def field(number: int, value: bytes | str) -> bytes:
    """A field of bytes or text of the protobuf wire, written from the table of numbers."""
    raw = value.encode() if isinstance(value, str) else value
    size, out = len(raw), b""
    while size >= 0x80:
        out, size = out + bytes([size & 0x7F | 0x80]), size >> 7
    return bytes([number << 3 | 2]) + out + bytes([size]) + raw


def packet(command: str, body: Any, namespace: str = NAMESPACE, table: str = TABLE) -> pb.Packet:
    """As a guest of FATE-Serving sends it."""
    model = field(1, namespace) + field(2, table)
    task, src = field(1, "case-1") + field(2, model), field(2, "9999") + field(3, "serving")
    header = (
        field(1, task) + field(2, src) + field(3, field(2, "10000")) + field(4, field(1, command)) + field(5, "216")
    )
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return pb.Packet.FromString(field(1, header) + field(2, field(2, raw)) + field(3, field(5, "case-1")))


@pytest.fixture(scope="module")
def bank() -> Iterator[str]:
    with hosting(pair()[1], Rows(real.table("host")), PartySettings(max_rows=1000)) as at:
        yield at


def called(at: str, sent: pb.Packet) -> dict[str, Any]:
    with grpc.insecure_channel(at) as channel:
        return json.loads(DataTransferServiceStub(channel).unaryCall(sent, timeout=60).body.value)


def test_a_guest_of_fate_is_told_the_recorded_routes(bank):
    for name, recorded in real.expected("secureboost")["host_reply_data"].items():
        told = called(bank, packet("federatedInference", {"sendToRemoteFeatureData": {"id": name}}))
        assert (told["retcode"], told["caseid"], told["data"]) == (0, "case-1", recorded)


def test_a_batch_has_each_rows_own_code(bank):
    recorded = real.expected("secureboost")["host_reply_data"]
    names = [*recorded, "nobody"]
    rows = [{"index": 10 + i, "sendToRemoteFeatureData": {"device_id": n}} for i, n in enumerate(names)]
    rows.append({"index": 5, "sendToRemoteFeatureData": {}})
    told = called(bank, packet("batch", {"caseId": "c9", "batchDataList": rows}))
    assert (told["retcode"], told["caseid"]) == (0, "c9")
    held = {row["index"]: row for row in told["batchDataList"]}
    assert [held[10 + i]["data"] for i in range(len(recorded))] == list(recorded.values())
    assert (held[10 + len(recorded)]["retcode"], held[10 + len(recorded)]["data"]) == (113, None)
    assert held[5]["retcode"] == 100


REFUSED = {
    "another model": (packet("federatedInference", {"sendToRemoteFeatureData": {"id": "1"}}, table="1"), 104),
    "another command": (packet("inference", {}), 100),
    "no JSON": (packet("batch", b"{"), 100),
    "deep JSON": (packet("batch", b"[" * 2000), 100),
    "no rows": (packet("batch", {"batchDataList": []}), 100),
    "an index twice": (packet("batch", {"batchDataList": [{"index": 1}, {"index": 1}]}), 100),
    "too many rows": (packet("batch", {"batchDataList": [{"index": i} for i in range(1001)]}), 100),
    "no id": (packet("federatedInference", {"sendToRemoteFeatureData": {"a": 1, "b": 2}}), 100),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_refused_has_a_code_and_one_line(bank, what):
    sent, code = REFUSED[what]
    told = called(bank, sent)
    assert told["retcode"] == code, told
    assert told["data"] is None
    assert told["retmsg"]
    assert "\n" not in told["retmsg"]


def test_bytes_for_a_guest_of_fate_hold_routes_and_nothing_else():
    """The same routes leave, whatever the values on the same side of every threshold."""
    host = pair()[1]
    names = ids()[:20]
    values = {name: {c: float(v) for c, v in real.table("host")[name].items()} for name in names}
    moved = {name: dict(row) for name, row in values.items()}
    cuts = host.pipeline.last[1].splits
    for row in moved.values():
        for j, column in enumerate(cuts.columns):
            below = cuts.threshold[(cuts.feature == j) & (cuts.threshold + cuts.epsilon < row[column])]
            row[column] = (row[column] + below.max()) / 2 if len(below) else row[column] - 1.0
    rows = [{"index": i, "sendToRemoteFeatureData": {"id": n}} for i, n in enumerate(names)]
    streams = []
    for held in (values, moved):
        with hosting(host, Rows(held)) as at, proxied(at) as proxy:
            told = called(proxy.at, packet("batch", {"batchDataList": rows}))
        streams.append(proxy.payloads("back"))
    assert streams[0] == streams[1]
    assert set(told) == {"retcode", "retmsg", "caseid", "flag", "batchDataList"}
    for row in told["batchDataList"]:
        assert set(row) == {"index", "retcode", "retmsg", "data"}
        assert list(row["data"]) == ["secureboost_0"]
        assert {type(bit) for tree in row["data"]["secureboost_0"].values() for bit in tree.values()} == {bool}


@pytest.mark.parametrize("count", [1, 50])
def test_our_guest_asks_a_host_of_fate_once(tmp_path, bank, count):
    bundle, names = bundled(pair()[0], tmp_path / "guest"), ids()[:count]
    with proxied(bank) as proxy, looped() as loop:
        guest = open_guest(bundle, {"bank": f"fate://{proxy.at}"}, PartySettings())
        scorer = Scorer(guest.party, guest.links, PartySettings(), None)
        found = loop.run(scorer.score(names, mine(names), Asked("q1")))
        loop.run(scorer.close())
        (sent,) = proxy.payloads("there")
    np.testing.assert_allclose(found.answer.margin[:, 0], [scores()[n][0] for n in names], rtol=0, atol=1e-9)
    asked = pb.Packet.FromString(sent[5:])
    assert asked.header.command.name == ("federatedInference" if count == 1 else "batch")
    assert (asked.header.task.model.namespace, asked.header.task.model.tableName) == (NAMESPACE, TABLE)
    assert (asked.header.src.partyId, asked.header.dst.partyId, asked.auth.nonce) == ("9999", "10000", "q1")
    body = json.loads(asked.body.value)
    rows = [body] if count == 1 else body["batchDataList"]
    assert [row["sendToRemoteFeatureData"] for row in rows] == [{"id": name} for name in names]
    assert not any("x0" in json.dumps(row) for row in rows)


def test_a_guest_server_before_a_host_of_fate(tmp_path, bank):
    bundle = bundled(pair()[0], tmp_path / "guest")
    with guesting(bundle, {"bank": f"fate://{bank}/device_id"}, background=GUEST_CSV) as at:
        vectors = [{"id": "133", "values": dict(real.table("guest")["133"])}, {"id": "nobody", "values": {}}]
        asked = {"feature_vector": vectors}
        found = httpx.post(at.http + "/v1/attributions", json=asked).json()
    good, bad = found["attributions"]
    assert good["attribution_shares"]["bank"] == pytest.approx(0.31893876, abs=1e-8)
    assert "(2113)" in bad["reason"]


@contextmanager
def theirs(answer: Callable[[pb.Packet], bytes]) -> Iterator[str]:
    """A host of FATE-Serving that answers with whatever bytes the function gives."""

    async def handle(sent: pb.Packet, context: Any) -> pb.Packet:
        return pb.Packet(body=pb.Data(value=answer(sent)))

    with looped() as loop:

        async def start() -> tuple[Any, int]:
            server = grpc.aio.server()
            method = grpc.unary_unary_rpc_method_handler(handle, pb.Packet.FromString, pb.Packet.SerializeToString)
            server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(METHOD, {"unaryCall": method}),))
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            return server, port

        server, port = loop.run(start())
        try:
            yield f"127.0.0.1:{port}"
        finally:
            loop.run(server.stop(0))


def asked_of(answer: Callable[[pb.Packet], bytes], names: list[str], folder: Any) -> Any:
    with theirs(answer) as at, looped() as loop:
        guest = open_guest(bundled(pair()[0], folder), {"bank": f"fate://{at}"}, PartySettings())
        scorer = Scorer(guest.party, guest.links, PartySettings(), None)
        found = loop.run(scorer.score(names, mine(names), Asked("q1")))
        loop.run(scorer.close())
    return found


def replied(sent: pb.Packet, **changes: Any) -> dict[str, Any]:
    """The right answer of a batch, with changes; the caller's own."""
    recorded = deepcopy(real.expected("secureboost")["host_reply_data"])
    body = json.loads(sent.body.value)
    rows = [
        {"index": row["index"], "retcode": 0, "retmsg": "", "data": recorded[row["sendToRemoteFeatureData"]["id"]]}
        for row in body["batchDataList"]
    ]
    return {"retcode": 0, "retmsg": "", "caseid": body["caseId"], "batchDataList": rows} | changes


NAMES = list(real.expected("secureboost")["host_reply_data"])[:2]


def test_rows_that_a_host_of_fate_leaves_out_or_cuts_fail_alone(tmp_path):
    def lacking(sent: pb.Packet) -> bytes:
        told = replied(sent)
        return json.dumps({**told, "batchDataList": told["batchDataList"][:1]}).encode()

    def cut(sent: pb.Packet) -> bytes:
        told = replied(sent)
        del told["batchDataList"][1]["data"]["secureboost_0"]["0"]["3"]
        return json.dumps(told).encode()

    for i, answer in enumerate((lacking, cut)):
        found = asked_of(answer, NAMES, tmp_path / str(i))
        assert found.answer.code.tolist() == [0, 136]
        assert found.answer.margin[0, 0] == pytest.approx(scores()[NAMES[0]][0], abs=1e-9)


WRONG = {
    "another case": lambda sent: json.dumps(replied(sent, caseid="other")).encode(),
    "a row twice": lambda sent: json.dumps(
        replied(sent, batchDataList=replied(sent)["batchDataList"][:1] * 2)
    ).encode(),
    "a row that nobody asked for": lambda sent: json.dumps(
        replied(sent, batchDataList=[{"index": 7, "retcode": 0}])
    ).encode(),
    "no JSON": lambda sent: b"\xff\xfe",
    "no object": lambda sent: b"[]",
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_no_answer_to_the_question_is_136(tmp_path, what):
    found = asked_of(WRONG[what], NAMES, tmp_path / "g")
    assert set(found.answer.code.tolist()) == {136}
    (failure,) = found.failures.values()
    assert "\n" not in failure.text


def test_a_host_of_fate_that_refuses_is_its_code_with_a_2(tmp_path):
    found = asked_of(lambda sent: b'{"retcode": 104, "retmsg": "model not found"}', NAMES, tmp_path / "g")
    assert found.answer.code.tolist() == [2104, 2104]
    assert "model not found" in found.answer.reasons[0]


def test_a_linear_model_of_fate(tmp_path):
    guest, host = real.party("heterolr", "guest"), real.party("heterolr", "host")
    cases = real.expected("heterolr")["cases"]
    case = next(c for c in cases if c["host_features"])
    with hosting(host, Rows({"7": case["host_features"]})) as at, looped() as loop:
        opened = open_guest(bundled(guest, tmp_path / "g"), {"h": f"fate://{at}"}, PartySettings())
        scorer = Scorer(opened.party, opened.links, PartySettings(), None)
        found = loop.run(scorer.score(["7"], Table.of_rows([case["guest_features"]]), Asked("q1")))
        loop.run(scorer.close())
    wanted = next(v for k, v in case.items() if "score" in k and isinstance(v, float))
    assert found.answer.score[0, 0] == pytest.approx(wanted, abs=1e-12)


def test_a_host_of_fate_tells_no_columns(tmp_path):
    with pytest.raises(InputError, match="tells no parts by column"):
        open_guest(bundled(pair()[0], tmp_path / "g"), {"bank": "fate://127.0.0.1:1"}, PartySettings(), ["bank"])


def test_an_id_that_a_host_of_fate_does_not_have_is_bounded_as_anybody_elses(bank, tmp_path):
    """113 comes without routes, and without them there are bounds."""
    names = ["133", "nobody"]
    with looped() as loop:
        opened = open_guest(bundled(pair()[0], tmp_path / "g"), {"bank": f"fate://{bank}"}, PartySettings())
        scorer = Scorer(opened.party, opened.links, PartySettings(), None)
        rows = Table.of_rows([real.table("guest")["133"]] * 2)
        found = loop.run(scorer.score(names, rows, Asked("q1", "bounds")))
        loop.run(scorer.close())
    assert found.answer.code.tolist() == [0, 2113]
    low, high = real.expected("secureboost", "expected_shapley")["ids"]["133"]["interval"]
    assert (found.lower[1, 0], found.upper[1, 0]) == pytest.approx((low, high))
    assert found.lower[0, 0] == found.upper[0, 0] == pytest.approx(scores()["133"][0])


@pytest.mark.parametrize("number", ["1" + "0" * 400, "null", '"1"', "[1, 2]", "true"])
def test_a_linear_part_that_is_no_number_fails_its_row(number):
    """Also an integer that no float holds: the others are answered, and the call is no fault of this server."""
    guest = real.party("heterolr", "guest")
    asked = ask(guest, ["a", "b"])
    name = guest.pipeline.last[0]
    rows = [
        f'{{"index": {i}, "retcode": 0, "data": {{"{name}": {{"score": {score}}}}}}}'
        for i, score in enumerate([number, "0.5"])
    ]
    raw = f'{{"retcode": 0, "caseid": "c", "batchDataList": [{", ".join(rows)}]}}'.encode()
    code, _, reply = read_answer(guest, guest.hosts[0], raw, asked, "c")
    assert code == 0
    found = merge(guest, local(guest, Table.of_rows([{}, {}])), {guest.hosts[0]: reply})
    assert found.code.tolist() == [136, 0]
