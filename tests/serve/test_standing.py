"""A call whose path is no UTF-8 ends grpcio's loop; the gRPC door stands up again, at the same address."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import grpc

from ascribe.serve.wire import attribution_pb2 as pb
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from benchmarks.fuzz.socket_inputs import PREFACE, frame, headers
from tests.waiting import until

from .asking import VECTOR, Doors, doors


def fell(served: Doors) -> int:
    return sum(json.loads(line)["event"] == "grpc_again" for line in served.log)


def test_the_grpc_door_stands_up_again_after_a_path_that_is_no_text(tmp_path: Path) -> None:
    fields = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/a/\x80"), (b":authority", b"a"),
              (b"te", b"trailers"), (b"content-type", b"application/grpc")]  # fmt: skip
    call = PREFACE + frame(4, 0, 0, b"") + frame(1, 4, 1, headers(fields)) + frame(0, 1, 1, bytes(5))
    asked = pb.PredictionRequest(feature_vector=[VECTOR])
    with doors(tmp_path) as served:
        host, _, port = served.at.grpc.rpartition(":")
        for k in (1, 2):
            with socket.create_connection((host, int(port)), timeout=60) as line:
                line.sendall(call)
                until(lambda k=k: fell(served) >= k)
            assert fell(served) == k
            with grpc.insecure_channel(served.at.grpc, [("grpc.use_local_subchannel_pool", 1)]) as channel:
                stub = AttributionServiceStub(channel)
                answer = stub.GetPrediction(asked, wait_for_ready=True, timeout=60)
            assert answer.predictions[0].status == "ok"
            assert served.predict() == 200
