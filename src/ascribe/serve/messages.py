"""What goes over the wire: the JSON of REST, field for field the messages of `proto/attribution/v1`.

Units: `attribution_shares`, `prediction`, `base_value`, `stderr`, `efficiency_gap` in the answer's `unit` (W for a
power model); `fraction` of 1; `*_w` in W; `timings_ms` in milliseconds; energies in nats. A number that does not
exist is null (absent in protobuf), never NaN.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

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
    "Prediction",
    "PredictionAsked",
    "PredictionBody",
    "PredictionResponse",
    "RowEnergy",
]


Priority = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]


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
    faster tier, and says so. `priority`: among this caller's requests, 1 before 0 (as usual) before 3 and up.
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
    priority: Priority = 0


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
    priority: Priority = 0


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
