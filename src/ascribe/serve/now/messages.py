"""What is answered of moments. Powers in the model's unit (W), times in microseconds since 1970 UTC."""

from __future__ import annotations

import msgspec

__all__ = ["Change", "ChangeEnd", "Energy", "FeatureChange", "FeatureNow", "History", "Moment", "NodeNow", "Now"]


class NodeNow(msgspec.Struct):
    """The newest moment of a node: base_w + sum(groups) = prediction_w; prediction_w + unexplained_w = measured_w.

    `stderr_w`: of each group. `status`, `reason`: as of an attribution; powers are null where it has none. `warnings`:
    out_of_domain, low_ess, above_target, not_finite, invalid; gap (the method leaves more than a hundredth over, which
    was spread by size); drift; stale (older than two minutes). `spark`: the last predictions, oldest first.
    """

    node: str
    timestamp_us: int
    measured_w: float | None
    prediction_w: float | None
    base_w: float | None
    unexplained_w: float | None
    groups: dict[str, float | None]
    stderr_w: dict[str, float | None]
    status: str
    reason: str
    warnings: list[str]
    stale: bool
    spark: list[float | None] = []


class Now(msgspec.Struct):
    """GET /v1/now: nodes by name. `tier`: what explains them; `groups_of`: features of each group; `bound`: whether
    groups' errors are bounds (the parts of the errors are not known) and not errors; `not_followed`: nodes beyond
    `ASCRIBE_NOW_NODES`.
    """

    model: str
    channel: str
    version: str
    output: str
    unit: str
    tier: str
    groups: list[str]
    groups_of: dict[str, list[str]]
    bound: bool
    nodes: list[NodeNow]
    not_followed: int = 0


class History(msgspec.Struct):
    """GET /v1/nodes/NODE/history, a list entry for each moment (or mean of several where `points` are fewer).

    bases_w[i] + sum over g of groups[g][i] = prediction_w[i]; prediction_w[i] + unexplained_w[i] = measured_w[i].

    `base_w`: the newest base value; `bases_w` differs from it only where another version explained a moment:
    `versions` says from which time on each did. `mean_s`: seconds that an entry is the mean of; 0 for a moment itself.
    `features`: values by name, in their own units, where asked for.
    """

    node: str
    model: str
    version: str
    unit: str
    base_w: float | None
    t_us: list[int]
    measured_w: list[float | None]
    prediction_w: list[float | None]
    unexplained_w: list[float | None]
    bases_w: list[float | None]
    groups: dict[str, list[float | None]]
    stderr_w: dict[str, list[float | None]]
    status: list[str]
    mean_s: list[float]
    groups_of: dict[str, list[str]]
    versions: list[tuple[int, str]]
    features: dict[str, list[float | None]] = {}


class Energy(msgspec.Struct):
    """GET /v1/nodes/NODE/energy, in kWh: base_kwh + sum(groups) = prediction_kwh.

    Trapezoids between moments at most `gap_s` apart: `covered_s` of the `span_s` asked for; the rest is not bridged.
    `measured_s`: of the covered seconds, those that a meter has read at both ends; `measured_kwh` and `unexplained_kwh`
    are of these alone. Where all are: prediction_kwh + unexplained_kwh = measured_kwh.
    """

    node: str
    model: str
    version: str
    from_us: int
    to_us: int
    measured_kwh: float | None
    prediction_kwh: float
    base_kwh: float
    groups: dict[str, float]
    unexplained_kwh: float | None
    covered_s: float
    measured_s: float
    span_s: float
    gap_s: float


class FeatureNow(msgspec.Struct):
    """One counter at one moment: its value in its unit, its share and the share's standard error."""

    name: str
    group: str
    unit: str
    value: float | None
    share_w: float | None
    stderr_w: float | None


class Moment(msgspec.Struct):
    """GET /v1/nodes/NODE/moment: all of one moment. `mean_s`: 60 where only the minute's mean is kept."""

    node: str
    model: str
    version: str
    unit: str
    timestamp_us: int
    measured_w: float | None
    prediction_w: float | None
    base_w: float | None
    unexplained_w: float | None
    groups: dict[str, float | None]
    stderr_w: dict[str, float | None]
    status: str
    features: list[FeatureNow]
    mean_s: float
    language: str
    sentence: str


class ChangeEnd(msgspec.Struct):
    """One of the two moments that are compared."""

    timestamp_us: int
    measured_w: float | None
    prediction_w: float
    base_w: float
    version: str
    mean_s: float


class FeatureChange(msgspec.Struct):
    """One counter's part in a change: its values in its unit, the difference of its shares."""

    name: str
    group: str
    unit: str
    from_value: float | None
    to_value: float | None
    change_w: float
    stderr_w: float | None


class Change(msgspec.Struct):
    """GET /v1/nodes/NODE/change, later minus earlier: base_change_w + sum(groups) = base_change_w + sum over features
    of change_w = prediction_change_w. `base_change_w` is 0 where one version explained both. Errors of the two moments
    are joined as if independent: sqrt(e0^2 + e1^2).
    """

    node: str
    model: str
    unit: str
    start: ChangeEnd
    end: ChangeEnd
    prediction_change_w: float
    base_change_w: float
    groups: dict[str, float]
    stderr_w: dict[str, float | None]
    features: list[FeatureChange]
    language: str
    sentence: str
