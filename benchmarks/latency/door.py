"""`fast` through a real server's gRPC door: one row a call beside 256."""

from __future__ import annotations

import tempfile
from typing import Any

import grpc
import numpy as np

from ascribe.bench import milliseconds
from ascribe.bundle.holdout import holdout
from ascribe.bundle.latency import timed
from ascribe.bundle.registry import Registry
from ascribe.serve.app import running
from ascribe.serve.wire import attribution_pb2 as wire
from ascribe.serve.wire.attribution_pb2_grpc import AttributionServiceStub
from benchmarks.latency.bundles import bundle_of

__all__ = ["through_grpc"]

BATCHES = (1, 16, 256)


def through_grpc(name: str) -> dict[str, Any]:
    """Milliseconds of a call by batch, by tier."""
    with tempfile.TemporaryDirectory() as place:
        registry = Registry(place)
        bundle = timed(bundle_of(name))
        registry.promote("m", registry.publish("m", bundle), "2026-01-01T00:00:00Z")
        X = holdout(bundle)[0]
        answer: dict[str, Any] = {"bundle": name, "door": "grpc", "tiers": {}}
        with running(place, "m", write=lambda line: None) as at, grpc.insecure_channel(at.grpc) as channel:
            ask = AttributionServiceStub(channel).GetAttribution
            for tier in ("fast", "balanced"):
                if tier not in bundle.manifest.tiers:
                    continue
                found = {}
                for rows in BATCHES:
                    vectors = [wire.FeatureVector(values=x) for x in np.resize(X, (rows, X.shape[1])).tolist()]
                    request = wire.AttributionRequest(feature_vector=vectors, tier=tier)
                    found[str(rows)] = milliseconds(lambda request=request: ask(request, timeout=60), 5)
                answer["tiers"][tier] = {"ms": found}
    return answer
