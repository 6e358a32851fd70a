"""Serving: one room behind two doors.

Nouns: a **row** (a feature vector that can fail alone), a **lease** (the version that answers a request), the
**service** (the room: checks, explains, answers), a **door** (REST or gRPC: translates, decides nothing), a **fault**
(a code word that both doors speak).

    door -> codec (rows) -> service (lease, worker) -> core.explain -> codec -> door

Imports `core` and `bundle` only: no training framework, no ONNX Runtime of its own. Only `settings` reads the
environment; only `app` builds objects.
"""
