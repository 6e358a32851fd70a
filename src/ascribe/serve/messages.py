"""What goes over the wire: the JSON of REST, field for field the messages of `proto/attribution/v1`.

Units: `attribution_shares`, `prediction`, `base_value`, `stderr`, `efficiency_gap` in the answer's `unit` (W for a
power model); `fraction` of 1; `*_w` in W; `timings_ms` in milliseconds; energies in nats. A number that does not
exist is null (absent in protobuf), never NaN.
"""

from __future__ import annotations

from collections.abc import Iterable
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
    "MethodOptions",
    "Prediction",
    "PredictionAsked",
    "PredictionBody",
    "PredictionResponse",
    "RowEnergy",
    "Score",
    "widest",
]


Priority = Annotated[int, msgspec.Meta(ge=0, le=(1 << 32) - 1)]


class FeatureVector(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One row as JSON. `values`: numbers with `names` (or in the model's order), or {name: number}; texts where a
    feature has categories, null where values may be missing. Instead of them `image`: a file of a picture in base64,
    or `text`: a sentence, where the model reads such.

    `units`: {name: unit}, or parallel to the names; left out, or empty text: the model's unit.
    """

    values: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    image: str | None = None
    text: str | None = None
    id: str | None = None
    names: list[str] | None = None
    units: Any = None
    measured_w: Any = None


class MethodOptions(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What one method or another takes; a method refuses what it does not know. `baseline`: a name, or `baseline_row`:
    numbers in the model's order; `segments`: superpixels of a picture; `steps` of `rule` on a path; `draws` with
    `noise`; `window` and `stride` of occlusion; `layer` of a network.
    """

    baseline: str | None = None
    baseline_row: list[float] | None = None
    segments: int | None = None
    steps: int | None = None
    rule: str | None = None
    draws: int | None = None
    noise: float | None = None
    window: int | None = None
    stride: int | None = None
    layer: str | None = None


class AttributionAsked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """How to explain; None (or empty) means the server's default. `allow_lower_tier`: a crowded server may answer by a
    faster tier, and says so. `priority`: among this caller's requests, 1 before 0 (as usual) before 3 and up. `space`
    of a classifier: margin or probability. `options`: what the method takes.
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
    space: str | None = None
    options: MethodOptions | None = None


class AttributionBody(AttributionAsked, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /v1/attributions; the rows stay bytes until each is read alone."""

    feature_vector: msgspec.Raw


class PredictionAsked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which model predicts; None (or empty) as in AttributionAsked. With `explain` = "later" the rows are explained
    too, as `tier`, `target_stderr`, `max_latency_ms` and `groups` say, and the answer has an `attribution_id`.
    `scores`: so many outputs of a classifier are named for each row, the largest first.
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
    space: str | None = None
    scores: Priority = 0


class PredictionBody(PredictionAsked, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /v1/predictions."""

    feature_vector: msgspec.Raw


class Score(msgspec.Struct):
    """One output of a classifier, in the answer's `space`."""

    output: str
    score: float


class Prediction(msgspec.Struct):
    """One row's prediction, in the answer's `unit`. `scores`: as many as were asked for, the largest first."""

    id: str
    status: str
    reason: str
    prediction: float | None = None
    measured_w: float | None = None
    unexplained_w: float | None = None
    scores: list[Score] = []


class PredictionResponse(msgspec.Struct):
    """`timings_ms`: queue, check, predict, total. `space`: of a classifier, margin or probability."""

    model: str
    version: str
    sha256: str
    unit: str
    output: str
    request_id: str
    timings_ms: dict[str, float]
    predictions: list[Prediction]
    attribution_id: str = ""
    space: str = ""


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
    sum(attribution_shares) + base_value + unexplained_w = measured_w; but where the answer is not `additive`.

    Of an image or a text `values` stand in place of the shares, one for each number of the row in the order of the
    answer's `shape`, and `stderr_values` where any is above 0; `words`: of a text, one for each value.
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
    values: list[float] = []
    stderr_values: list[float] = []
    words: list[str] = []


class AttributionResponse(msgspec.Struct):
    """`features`: the players in order, of a table. `efficiency_gap`: largest |prediction - base_value - sum of
    shares|, null where no sum is claimed; `gaps`: it, and what an explainer says of its own error. `lowered_from`: the
    tier that was asked for, where a crowded server answered by a faster one; empty otherwise. `layout`: table, image or
    text, each row of `shape`; `additive`: whether the values share the prediction out; if not, they are slopes, maps,
    weights or falls. `space`: of a classifier, margin or probability.
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
    base_value: float | None
    request_id: str
    efficiency_gap: float | None
    timings_ms: dict[str, float]
    attributions: list[Attribution]
    gaps: dict[str, float] = {}
    lowered_from: str = ""
    space: str = ""
    layout: str = "table"
    shape: list[int] = []
    additive: bool = True


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


def widest(answers: Iterable[AttributionResponse]) -> float | None:
    """The largest efficiency gap of several answers; None where none claims a sum."""
    return max((answer.efficiency_gap for answer in answers if answer.efficiency_gap is not None), default=None)
