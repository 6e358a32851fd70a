"""What goes over the wire: the JSON of REST, field for field the messages of `proto/attribution/v1`.

Units: `attribution_shares`, `prediction`, `base_value`, `stderr`, `efficiency_gap` in the answer's `unit` (W for a
power model); `fraction` of 1; `*_w` in W; `timings_ms` in milliseconds; energies in nats. A number that does not
exist is null (absent in protobuf), never NaN.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ascribe.core.latency import Measured

__all__ = [
    "Attribution",
    "AttributionAsked",
    "AttributionBody",
    "AttributionResponse",
    "CoalitionEnergy",
    "EnergyAsked",
    "EnergyBody",
    "EnergyResponse",
    "FeatureVector",
    "ModelCard",
    "NodeCard",
    "OutputCard",
    "Prediction",
    "PredictionAsked",
    "PredictionBody",
    "PredictionResponse",
    "RolloutAnswer",
    "RolloutCard",
    "RowEnergy",
    "ShadowCard",
    "TierCard",
]


class FeatureVector(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One row as JSON. `values`: numbers with `names` (or in the model's order), or {name: number}.

    `units`: {name: unit}, or parallel to the names; left out, or empty text: the model's unit.
    """

    values: msgspec.Raw
    id: str | None = None
    names: list[str] | None = None
    units: Any = None
    measured_w: Any = None


class AttributionAsked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How to explain; None (or empty) means the server's default. `allow_lower_tier`: a crowded server may answer by a
    faster tier, and says so.
    """

    model: str | None = None
    version: str | None = None
    method: str | None = None
    estimator: str | None = None
    budget: int | None = None
    samples: int | None = None
    seed: int | None = None
    groups: dict[str, list[str]] | None = None
    request_id: str | None = None
    value: str | None = None
    target_stderr: float | None = None
    tier: str | None = None
    max_latency_ms: float | None = None
    labels: dict[str, str] | None = None
    output: str | None = None
    allow_lower_tier: bool = False


class AttributionBody(AttributionAsked, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /v1/attributions; the rows stay bytes until each is read alone."""

    feature_vector: msgspec.Raw


class PredictionAsked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which model predicts; None (or empty) as in AttributionAsked. With `explain` = "later" the rows are explained
    too, as `tier`, `target_stderr`, `max_latency_ms` and `groups` say, and the answer has an `attribution_id`.
    """

    model: str | None = None
    version: str | None = None
    request_id: str | None = None
    labels: dict[str, str] | None = None
    output: str | None = None
    explain: str | None = None
    tier: str | None = None
    target_stderr: float | None = None
    max_latency_ms: float | None = None
    groups: dict[str, list[str]] | None = None


class PredictionBody(PredictionAsked, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /v1/predictions."""

    feature_vector: msgspec.Raw


class Prediction(msgspec.Struct):
    """One row's prediction, in the answer's `unit`."""

    id: str
    status: str
    reason: str
    prediction: float | None = None
    measured_w: float | None = None
    unexplained_w: float | None = None


class PredictionResponse(msgspec.Struct):
    """`timings_ms`: queue, check, predict, total."""

    model: str
    version: str
    sha256: str
    unit: str
    output: str
    request_id: str
    timings_ms: dict[str, float]
    predictions: list[Prediction]
    attribution_id: str = ""


class EnergyAsked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`observed`: the features that are observed, or a list of such lists."""

    observed: list[str | list[str]]
    model: str | None = None
    version: str | None = None
    request_id: str | None = None
    labels: dict[str, str] | None = None


class EnergyBody(EnergyAsked, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /v1/energy."""

    feature_vector: msgspec.Raw


class Attribution(msgspec.Struct):
    """One row's answer: sum(attribution_shares) + base_value = prediction, sum(fraction) + base_fraction = 1, and
    sum(attribution_shares) + base_value + unexplained_w = measured_w.
    """

    id: str
    status: str
    reason: str
    prediction: float | None = None
    base_value: float | None = None
    attribution_shares: dict[str, float] = {}
    fraction: dict[str, float] = {}
    base_fraction: float | None = None
    stderr: dict[str, float] = {}
    ess: float | None = None
    measured_w: float | None = None
    unexplained_w: float | None = None


class AttributionResponse(msgspec.Struct):
    """`features`: the players in order. `efficiency_gap`: largest |prediction - base_value - sum of shares|; `gaps`:
    it, and what an explainer says of its own error. `lowered_from`: the tier that was asked for, where a crowded server
    answered by a faster one; empty otherwise.
    """

    model: str
    version: str
    sha256: str
    method: str
    game: str
    value: str
    estimator: str
    tier: str
    budget: int
    samples: int
    seed: int
    unit: str
    output: str
    features: list[str]
    base_value: float
    request_id: str
    efficiency_gap: float
    timings_ms: dict[str, float]
    attributions: list[Attribution]
    gaps: dict[str, float] = {}
    lowered_from: str = ""


class CoalitionEnergy(msgspec.Struct):
    """One row under one coalition: g and log_q in nats; `mean`, `variance` of each hidden feature in scores;
    `mean_natural` in its unit.
    """

    observed: list[str]
    g: float
    log_q: float
    mean: dict[str, float]
    variance: dict[str, float]
    mean_natural: dict[str, float]


class RowEnergy(msgspec.Struct):
    """One row's energies, a coalition each, in the request's order."""

    id: str
    status: str
    reason: str
    coalitions: list[CoalitionEnergy] = []


class EnergyResponse(msgspec.Struct):
    """`features`: the model's, in order. `conditional`: which law completes hidden features."""

    model: str
    version: str
    sha256: str
    features: list[str]
    conditional: str
    request_id: str
    timings_ms: dict[str, float]
    energies: list[RowEnergy]


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


class ModelCard(msgspec.Struct):
    """GET /v1/models/NAME. Bounds in each feature's unit; null: unbounded. `tiers`: those that can be asked for.
    `outputs`: what is predicted, the main one first; `labels`: the nodes that it is for.
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
