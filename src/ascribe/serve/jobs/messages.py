"""What goes over the wire of jobs, streams and attributions that come later; see `messages`."""

from __future__ import annotations

import msgspec

from ascribe.serve.messages import AttributionBody, AttributionResponse

__all__ = ["ChunkAnswer", "ChunkBody", "ChunkError", "JobCard", "LaterAttribution"]


class JobCard(msgspec.Struct):
    """A job. `state`: queued, running, done, failed or cancelled; `done` of `total` rows are answered, from 0 again
    where another version of the model took over. `created`, `ended`: ISO 8601 UTC. `version`: the one that answers.
    """

    id: str
    state: str
    done: int
    total: int
    created: str
    ended: str = ""
    reason: str = ""
    model: str = ""
    version: str = ""
    request_id: str = ""


class LaterAttribution(msgspec.Struct):
    """An attribution that a prediction promised; `response` is null until it is `ready`."""

    attribution_id: str
    ready: bool
    response: AttributionResponse | None = None


class ChunkBody(AttributionBody, kw_only=True, forbid_unknown_fields=True):
    """One line of POST /v1/attributions:stream. `index`: left out, the number of the line, from 0."""

    index: int | None = None


class ChunkError(msgspec.Struct, omit_defaults=True):
    """Why a chunk has no answer. `status`: of a call of its own, HTTP's in JSON and gRPC's in protobuf; `retry_s`: when
    to come again, in seconds.
    """

    code: str
    message: str
    status: int
    retry_s: float | None = None


class ChunkAnswer(msgspec.Struct, omit_defaults=True):
    """The answer for the chunk of that index: `response` or `error`."""

    index: int
    response: AttributionResponse | None = None
    error: ChunkError | None = None
