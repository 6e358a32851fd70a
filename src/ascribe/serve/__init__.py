"""Serving: one room behind two doors.

Nouns: a **row** (a feature vector that can fail alone), a **lease** (the version that answers a request), a **slot**
(a channel of a model and the lease that it answers with), the **service** (the room: checks, explains, answers), a
**door** (REST or gRPC: translates, decides nothing), a **fault** (a code word that both doors speak), the **rollout**
(brings to slots what their channels want), a **shadow** (a candidate that is asked beside the champion, and not heard),
**telemetry** (what the lake says of nodes, in one look-up each), a **watch** (counts requests and events at the log), a
**meter** (what the room tells it of batches and queues).

    door -> codec (rows) -> service (lease, worker) -> core.explain -> codec -> door
                                    ^
    registry -> rollout (fetch, verify, load, warm, swap)

Imports `core` and `bundle` only: no training framework, no ONNX Runtime of its own. Only `settings` reads the
environment; only `house` and who opens it (`app`, `asgi`) build objects.
"""
