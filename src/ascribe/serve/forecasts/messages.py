"""What goes over the wire about forecasts, field for field the messages of `proto/attribution/v1`.

Units: `forecast`, `lower`, `upper` in the answer's `unit`, those of an attribution in its own; `epoch_s` in seconds
since 1970 UTC; `step_s` in seconds; `timings_ms` in milliseconds; attention of 1.
"""

from __future__ import annotations

import msgspec

from ascribe.serve.messages import Priority

__all__ = [
    "Forecast", "ForecastAsked", "ForecastAttention", "ForecastAttribution", "ForecastBody", "ForecastResponse",
    "ForecastSeries", "ForecastWish",
]  # fmt: skip


class ForecastSeries(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """One series by its recent samples: `values` (null: not measured) at `times` (ISO 8601 with an offset) or at
    `epoch_s`, with `exogenous` inputs by name where the model reads such. Or by its `name` alone: its newest samples as
    the lake has them.
    """

    name: str = ""
    times: list[str] = []
    epoch_s: list[float] = []
    values: list[float | None] = []
    exogenous: dict[str, list[float | None]] = {}


class ForecastWish(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which number of the forecast is explained (`output`: mean, peak, total, or step K) and how; left out: the mean,
    by the model's gradient where it has one, against windows of the same time of the week where it has such.
    """

    output: str = ""
    method: str = ""
    baseline: str = ""
    budget: int | None = None
    samples: int | None = None
    steps: int | None = None
    seed: int = 0


class ForecastAsked(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Which model forecasts, and what is wanted beside the curve. Other fields as in AttributionAsked."""

    model: str | None = None
    version: str | None = None
    request_id: str | None = None
    labels: dict[str, str] | None = None
    priority: Priority = 0
    intervals: bool = True
    attention: bool = False
    attribution: ForecastWish | None = None


class ForecastBody(ForecastAsked, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /v1/forecasts: one series or a list; they stay bytes until each is read alone."""

    series: msgspec.Raw


class ForecastAttention(msgspec.Struct):
    """Of one layer, the mean over its heads: `weights` in the order query by key, each query's sum is 1."""

    layer: str
    query: list[str]
    key: list[str]
    weights: list[float]


class ForecastAttribution(msgspec.Struct):
    """What each input on each day accounts for, of one number of the forecast. `shares` by player ("value, 1 day ago")
    and `stderr` sum as AttributionResponse says, where `additive`. `status` and `reason`: its own.
    """

    output: str
    unit: str
    method: str
    game: str
    estimator: str
    budget: int
    samples: int
    status: str
    reason: str
    additive: bool
    prediction: float | None = None
    base_value: float | None = None
    efficiency_gap: float | None = None
    shares: dict[str, float] = {}
    stderr: dict[str, float] = {}


class Forecast(msgspec.Struct):
    """One series: `forecast` and its bounds at `times` (ISO 8601 in the model's zone) and `epoch_s`. `status`: ok,
    out_of_domain (answered, with a reason for doubt), not_finite or invalid. `filled`: steps of the window that were
    not measured.
    """

    name: str
    status: str
    reason: str
    times: list[str] = []
    epoch_s: list[int] = []
    forecast: list[float] = []
    lower: list[float] = []
    upper: list[float] = []
    filled: int = 0
    attention: list[ForecastAttention] = []
    attribution: ForecastAttribution | None = None


class ForecastResponse(msgspec.Struct):
    """`levels`: of the bounds, such as 0.05 and 0.95. `timings_ms`: check, queue, predict, total; attention and explain
    where they were asked for.
    """

    model: str
    version: str
    sha256: str
    unit: str
    zone: str
    step_s: int
    levels: list[float]
    request_id: str
    timings_ms: dict[str, float]
    forecasts: list[Forecast]
