"""What a server says of a model's past and of the offline side: versions, channels, verdicts, runs, bad rows, drift."""

from __future__ import annotations

from typing import Any

import msgspec

from ascribe.serve.cards.served import TierCard

__all__ = [
    "BadRowCard", "BadRows", "CallerCard", "ChannelCard", "ColumnShift", "DriftAnswer", "DriftCard", "LineageCard",
    "Move", "PromotionBody", "PromotionCard", "RunCard", "Runs", "Sheet", "StageCard", "VariantCard", "VerdictCard",
    "VersionCard", "VersionsCard",
]  # fmt: skip


class Move(msgspec.Struct):
    """One move of a channel: promote or rollback, to `version`, when (ISO 8601 UTC), why, and by whom where a server
    was asked to.
    """

    action: str
    version: str
    at: str
    reasons: list[str]
    by: str = ""


class ChannelCard(msgspec.Struct):
    """Where a channel points. `served`: what this server answers with from it, empty where it does not follow it;
    `back_to`: the version that a rollback would return to, empty where there is none. `history`: newest first.
    """

    name: str
    version: str
    served: str
    back_to: str
    history: list[Move]


class VerdictCard(msgspec.Struct):
    """What the gate said, and whether the channel was moved although it refused. `against`: what the channel pointed at
    then, empty for nothing.
    """

    at: str
    channel: str
    against: str
    accepted: bool
    forced: bool
    reasons: list[str]


class LineageCard(msgspec.Struct):
    """Where a version comes from: data, its hash, code, seed, rows by part; `source`: of a lake, its version."""

    data: str
    data_sha256: str
    code_version: str
    seed: int
    rows: dict[str, int]
    source: dict[str, Any]


class VariantCard(msgspec.Struct):
    """Of a quantised version: its precision, what it was made from, whether that one is here; and what was measured
    beside it (bytes and milliseconds: variant first, original second).
    """

    precision: str
    made_from: str
    here: bool
    bytes: list[int] = []
    ms: dict[str, list[float]] = {}
    error_share: float | None = None


class VersionCard(msgspec.Struct):
    """One version. `problem`: why nothing of it can be told, such as a missing signature; all else is then empty.
    `tiers`: as measured where it was published, on `machine`; `channels`: those that point at it; `bytes`: of its
    files.
    """

    version: str
    created: str = ""
    family: str = ""
    target: str = ""
    unit: str = ""
    features: int = 0
    bytes: int = 0
    channels: list[str] = []
    metrics: dict[str, Any] = {}
    tiers: dict[str, TierCard] = {}
    machine: str = ""
    lineage: LineageCard | None = None
    verdicts: list[VerdictCard] = []
    variant: VariantCard | None = None
    problem: str = ""


class PromotionBody(msgspec.Struct, forbid_unknown_fields=True):
    """The body of POST /v1/admin/models/NAME/promote."""

    version: str


class PromotionCard(msgspec.Struct):
    """A promotion that this server was asked for. `state`: judging, promoted, refused (the gate's `reasons`) or failed
    (`reasons` say why); `serving`: what the channel answers with here, once it is promoted.
    """

    model: str
    channel: str
    version: str
    state: str
    by: str
    at: str
    reasons: list[str] = []
    serving: str = ""


class VersionsCard(msgspec.Struct):
    """GET /v1/models/NAME/versions. Newest first; `left_out`: older ones that were not asked for."""

    model: str
    channels: list[ChannelCard]
    versions: list[VersionCard]
    left_out: int = 0
    promotions: list[PromotionCard] = []


class ColumnShift(msgspec.Struct):
    """One column before and now. `weight`: its share of the attributed output; `edges (k+1)`, `shares_* (k)`:
    histograms.
    """

    name: str
    unit: str
    psi: float
    ks: float
    outside: float
    mean_before: float | None
    mean_now: float | None
    weight: float
    edges: list[float]
    shares_before: list[float]
    shares_now: list[float]


class DriftCard(msgspec.Struct):
    """How far the rows now lie from those before. `word`: steady, watch or drifted, with reasons; `tier`: what
    explained both.
    """

    version: str
    at: str
    before: str
    now: str
    rows_before: int
    rows_now: int
    left_out: int
    inputs: list[ColumnShift]
    predictions: ColumnShift
    attributions: list[ColumnShift]
    errors: ColumnShift | None
    energy: float
    energy_p: float
    tier: str
    word: str
    reasons: list[str]


class DriftAnswer(msgspec.Struct):
    """GET /v1/models/NAME/drift. `report`: the last comparison, null where there is none; `looks`: at what times."""

    model: str
    report: DriftCard | None
    looks: list[str] = []


class StageCard(msgspec.Struct):
    """A stage of a run. `state`: done, before (found done from an earlier run), running or waiting; `result`: what it
    found, plain numbers and texts.
    """

    name: str
    state: str
    seconds: float | None = None
    result: dict[str, Any] = {}


class RunCard(msgspec.Struct):
    """One run of the pipeline. `status`: running, stopped, failed, promoted or refused; `progress`: stages done of all,
    0 to 1; times in ISO 8601 UTC; `rows`: with a label.
    """

    run: str
    model: str
    status: str
    why: list[str]
    started: str
    ended: str
    stages: list[StageCard]
    progress: float
    lake_version: int | None = None
    rows: int = 0
    version: str = ""
    against: str = ""
    reasons: list[str] = []
    error: str = ""


class Runs(msgspec.Struct):
    """GET /v1/runs. Newest first, of one model or of all that are served."""

    runs: list[RunCard]


class BadRowCard(msgspec.Struct):
    """A row in quarantine (`kind` row), or what could not be read as one (`message`). `payload`: as it came, `cut`
    where it was longer; `reader`: the consumer group; times in microseconds since 1970.
    """

    kind: str
    reason: str
    at_us: int
    reader: str = ""
    id: str = ""
    node: str = ""
    timestamp_us: int | None = None
    stream: str = ""
    position: int | None = None
    payload: str = ""
    cut: bool = False


class BadRows(msgspec.Struct):
    """GET /v1/quarantine. `rows`: the newest first, as readers left them; `counts`: all of a reader's, by reason."""

    rows: list[BadRowCard]
    counts: dict[str, dict[str, int]]


class Sheet(msgspec.Struct):
    """The answer of POST /v1/rows: what a file holds; `left_out`: columns that are neither numbers nor texts."""

    columns: list[str]
    rows: list[dict[str, float | str | bool | None]]
    left_out: list[str]


class CallerCard(msgspec.Struct):
    """GET /v1/caller: who asks, what it may do, and what this server lets anybody send. `admin`: whether admin calls
    are open to this caller; `lake`: whether this server knows one.
    """

    name: str
    scopes: list[str]
    admin: bool
    lake: bool
    max_rows: int
    max_body_bytes: int
    max_job_rows: int
    server: str
