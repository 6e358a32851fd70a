"""What a server says of its models, their versions and the nodes that it knows: answers of GET, and of admin calls."""

from __future__ import annotations

from typing import Any

import msgspec

from ascribe.core.forecast.curves import Curves
from ascribe.core.inside import Attention
from ascribe.core.latency import Measured

__all__ = [
    "ForecastCard",
    "ModelCard",
    "NodeCard",
    "OutputCard",
    "RolloutAnswer",
    "RolloutCard",
    "SeriesCard",
    "ShadowCard",
    "TierCard",
]


class TierCard(msgspec.Struct):
    """A tier as measured on this server: typical `stderr` in the model's unit; milliseconds of a call by its rows."""

    stderr: float | None = None
    latency_ms: dict[str, float] = {}

    @classmethod
    def of(cls, held: Measured | None) -> TierCard:
        """Nothing measured, nothing said."""
        return cls() if held is None else cls(held.stderr, {str(rows): ms for rows, ms in held.latency_ms.items()})


class OutputCard(msgspec.Struct):
    """One of the outputs that a request may name, and its unit."""

    name: str
    unit: str


class RolloutCard(msgspec.Struct):
    """What a server knows of a channel. `state`: current (serves what the channel wants), loading, failed (serves what
    it served before, and tries again), or unreachable (the channel cannot be read). `wanted`: the version that the
    channel points at; `reason`: why it is not served; `at`: since when, ISO 8601 UTC; `kept`: the version that is kept
    warm beside, so that a rollback to it is one swap.
    """

    state: str
    wanted: str = ""
    reason: str = ""
    at: str = ""
    kept: str = ""


class RolloutAnswer(msgspec.Struct):
    """The answer of an admin call: what is served now."""

    model: str
    channel: str
    version: str
    sha256: str
    rollout: RolloutCard


class ShadowCard(msgspec.Struct):
    """A candidate beside the champion, compared on `rows` live rows of `requests`, both of this pair of versions alone.

    `*_abs`: absolute differences of predictions, and of shares by counter, in the champion's unit. `top_overlap` of 1:
    how many of the champion's three largest shares are among the candidate's three. `rank_correlation`: Spearman's, of
    all shares by size. `latency_ratio`: time of a row, candidate's over champion's. `failures`: rows that the champion
    answered and the candidate did not; `failure` says why the last one. `dropped`: requests that were drawn but not
    asked, since others waited. Numbers are null until there are any.
    """

    channel: str
    version: str
    rollout: RolloutCard
    requests: int = 0
    rows: int = 0
    dropped: int = 0
    failures: int = 0
    failure: str = ""
    prediction_mean_abs: float | None = None
    prediction_max_abs: float | None = None
    attribution_mean_abs: float | None = None
    attribution_max_abs: float | None = None
    top_overlap: float | None = None
    rank_correlation: float | None = None
    latency_ratio: float | None = None


class ForecastCard(msgspec.Struct):
    """What POST /v1/forecasts wants of a model: `context` steps of `step_s` seconds before the forecast, with these
    `exogenous` inputs; and gives: `horizon` steps, bounds at `levels`. `zone`: whose wall clock its calendar follows.
    `attends`: of a model that shows attention, by layer the steps [from, to) of the context that each key covers.
    """

    step_s: int
    context: int
    horizon: int
    inputs: list[str]
    exogenous: list[str]
    zone: str
    levels: list[float]
    attends: dict[str, list[tuple[int, int]]] = {}

    @classmethod
    def of(cls, held: Curves | None, attention: Attention | None = None) -> ForecastCard | None:
        if held is None:
            return None
        w, parts = held.window, attention.parts if attention else {}
        return cls(
            w.step_s, w.context, w.horizon, list(w.inputs), list(held.exogenous), held.zone, list(held.levels),
            {layer: [(int(first), int(end)) for first, end in part.steps] for layer, part in parts.items()},
        )  # fmt: skip


class SeriesCard(msgspec.Struct):
    """GET /v1/series/NAME: the newest steps that the lake's state has of a series, mended; null: unknown. `start_s`:
    of the first step, epoch seconds UTC; `observed`: whether a step was measured; `values` in `unit`.
    """

    series: str
    start_s: int
    step_s: int
    unit: str
    zone: str
    values: list[float | None]
    observed: list[bool]
    exogenous: dict[str, list[float | None]]


class ModelCard(msgspec.Struct):
    """GET /v1/models/NAME. Bounds in each feature's unit; null: unbounded. `tiers`: those that can be asked for.
    `outputs`: what is predicted, the main one first; `labels`: the nodes that it is for. `layout`: table, image, text
    or series of `shape`; `forecast`: of a model that forecasts; `spaces` of a classifier of so many `classes`, which
    GET /v1/models/NAME/explainers lists.
    """

    name: str
    ready: bool
    channel: str
    version: str
    sha256: str
    output: str
    unit: str
    base_value: float | None
    offers: list[str]
    explainers: list[str]
    features: list[dict[str, Any]]
    tiers: dict[str, TierCard] = {}
    outputs: list[OutputCard] = []
    labels: dict[str, str] = {}
    rollout: RolloutCard | None = None
    shadow: ShadowCard | None = None
    layout: str = "table"
    shape: list[int] = []
    spaces: list[str] = []
    classes: int = 0
    forecast: ForecastCard | None = None


class NodeCard(msgspec.Struct):
    """GET /v1/nodes/NODE: the latest vector that the lake has of a node, features in their units. `age_s`: seconds
    since it was measured; `stale`: older than two minutes.
    """

    node: str
    id: str
    timestamp: int
    age_s: float
    stale: bool
    features: dict[str, float]
    power_w: float | None
