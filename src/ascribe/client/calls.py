"""One verb each, for both protocols: where it goes, what it says, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypedDict, TypeVar, Unpack
from urllib.parse import quote

from ascribe.client.rows import vectors
from ascribe.client.samples import samples
from ascribe.core.errors import AscribeError, InputError
from ascribe.serve.cards.repertoire import ExplainersCard
from ascribe.serve.cards.served import ModelCard, NodeCard
from ascribe.serve.forecasts.messages import ForecastResponse
from ascribe.serve.jobs.messages import JobCard, LaterAttribution
from ascribe.serve.messages import AttributionResponse, EnergyResponse, MethodOptions, PredictionResponse

__all__ = ["Call", "EnergyWishes", "ExplainWishes", "ForecastWishes", "PredictWishes", "StreamAnswer"]

T = TypeVar("T")


class RowWishes(TypedDict, total=False):
    """What belongs to the rows; see `rows.vectors`."""

    ids: Sequence[str] | None
    measured_w: Sequence[float] | float | None
    features: Sequence[str] | None
    units: Mapping[str, str] | None


class EnergyWishes(RowWishes, total=False):
    """Which model answers."""

    model: str | None
    version: str | None
    labels: Mapping[str, str] | None
    request_id: str | None
    timeout: float | None


class PredictWishes(EnergyWishes, total=False):
    """Which output, how many `scores` of a classifier, and whether (`explain="later"`) and how it is explained."""

    output: str | None
    space: str | None
    scores: int
    explain: str | None
    tier: str | None
    target_stderr: float | None
    max_latency_ms: float | None
    groups: Mapping[str, Sequence[str]] | None


class ForecastWishes(TypedDict, total=False):
    """Which model forecasts; whether `intervals` (yes, unless said) and `attention` are wanted; `attribution`: the
    output to be explained ("peak"), or {"output": ..., "method": ...} as `ForecastWish`.
    """

    model: str | None
    version: str | None
    labels: Mapping[str, str] | None
    request_id: str | None
    timeout: float | None
    intervals: bool
    attention: bool
    attribution: str | Mapping[str, Any] | None


class ExplainWishes(EnergyWishes, total=False):
    """How to explain; left out: the server's default. From `baseline` on: what one method or another takes."""

    output: str | None
    space: str | None
    method: str | None
    estimator: str | None
    budget: int | None
    samples: int | None
    seed: int | None
    groups: Mapping[str, Sequence[str]] | None
    value: str | None
    target_stderr: float | None
    tier: str | None
    max_latency_ms: float | None
    baseline: str | Sequence[float] | None
    segments: int | None
    steps: int | None
    rule: str | None
    draws: int | None
    noise: float | None
    window: int | None
    stride: int | None
    layer: str | None


ROW_WORDS = frozenset(RowWishes.__annotations__)


@dataclass(frozen=True)
class StreamAnswer:
    """What became of the chunk of that index: `answer` or `error`."""

    index: int
    answer: AttributionResponse | None
    error: AscribeError | None = None


@dataclass(frozen=True)
class Call(Generic[T]):
    """`kind`: what the answer is; `pick`: the one field of it that is wanted. `rpc`: the gRPC verb, empty where there
    is none. `body` is the JSON and, field by field, the message. `again`: whether it does no harm to send it twice.
    """

    kind: Any
    method: str
    path: str
    rpc: str = ""
    body: Mapping[str, Any] | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    pick: str = ""
    again: bool = True
    timeout: float | None = None


def predict(X: Any, **wishes: Unpack[PredictWishes]) -> Call[PredictionResponse]:
    again = not wishes.get("explain")
    return _posted(PredictionResponse, "/v1/predictions", "GetPrediction", _body(X, wishes), again)


def explain(X: Any, **wishes: Unpack[ExplainWishes]) -> Call[AttributionResponse]:
    return _posted(AttributionResponse, "/v1/attributions", "GetAttribution", _body(X, wishes))


def energy(X: Any, observed: Sequence[Any], **wishes: Unpack[EnergyWishes]) -> Call[EnergyResponse]:
    lists = [list(one) for one in observed] if any(not isinstance(one, str) for one in observed) else [list(observed)]
    body = _body(X, wishes) | {"observed": lists}
    return _posted(EnergyResponse, "/v1/energy", "GetEnergy", body)


def forecast(series: Any, **wishes: Unpack[ForecastWishes]) -> Call[ForecastResponse]:
    told = {word: value for word, value in wishes.items() if value is not None}
    if "labels" in told:
        told["labels"] = dict(told["labels"])  # type: ignore[call-overload]
    if "attribution" in told:
        held = told["attribution"]
        told["attribution"] = {"output": held} if isinstance(held, str) else dict(held)  # type: ignore[call-overload]
    return _posted(ForecastResponse, "/v1/forecasts", "GetForecast", {"series": samples(series), **told})


def submit(X: Any, **wishes: Unpack[ExplainWishes]) -> Call[JobCard]:
    return _posted(JobCard, "/v1/jobs", "StartAttributionJob", _body(X, wishes), again=False)


def job(name: str) -> Call[JobCard]:
    return Call(JobCard, "GET", f"/v1/jobs/{_part(name)}", "GetAttributionJob", {"id": name})


def cancel(name: str) -> Call[JobCard]:
    return Call(JobCard, "DELETE", f"/v1/jobs/{_part(name)}", "CancelAttributionJob", {"id": name})


def page(name: str, offset: int, limit: int) -> Call[AttributionResponse]:
    """Some rows of a job's result; over HTTP a JobCard where it is not done."""
    return Call(
        AttributionResponse, "GET", f"/v1/jobs/{_part(name)}/result", "GetAttributionJobResult",
        {"id": name, "offset": offset, "limit": limit}, {"offset": str(offset), "limit": str(limit)},
    )  # fmt: skip


def attribution(name: str, wait_s: float) -> Call[LaterAttribution]:
    return Call(
        LaterAttribution, "GET", f"/v1/attributions/{_part(name)}", "GetAttributionById",
        {"attribution_id": name, "wait_s": wait_s}, {"wait_s": str(wait_s)},
    )  # fmt: skip


def models() -> Call[list[str]]:
    return Call(dict[str, list[str]], "GET", "/v1/models", pick="models")


def card(model: str) -> Call[ModelCard]:
    return Call(ModelCard, "GET", f"/v1/models/{_part(model)}")


def explainers(model: str) -> Call[ExplainersCard]:
    return Call(ExplainersCard, "GET", f"/v1/models/{_part(model)}/explainers")


def nodes() -> Call[list[str]]:
    return Call(dict[str, list[str]], "GET", "/v1/nodes", pick="nodes")


def node(name: str) -> Call[NodeCard]:
    return Call(NodeCard, "GET", f"/v1/nodes/{_part(name)}")


def explain_node(name: str, model: str | None, tier: str | None, output: str | None) -> Call[AttributionResponse]:
    words = {"model": model, "tier": tier, "output": output}
    params = {word: text for word, text in words.items() if text}
    return Call(AttributionResponse, "GET", f"/v1/nodes/{_part(name)}/attribution", params=params)


def status() -> Call[dict[str, Any]]:
    return Call(dict[str, Any], "GET", "/v1/status")


def _posted(kind: type[T], path: str, rpc: str, body: dict[str, Any], again: bool = True) -> Call[T]:
    timeout = body.pop("timeout", None)
    return Call(kind, "POST", path, rpc, body, again=again, timeout=timeout)


def _body(X: Any, wishes: Mapping[str, Any]) -> dict[str, Any]:
    about = {word: wishes[word] for word in ROW_WORDS & wishes.keys()}
    told = {word: value for word, value in wishes.items() if word not in ROW_WORDS and value is not None}
    for word in ("labels", "groups"):
        if word in told:
            told[word] = dict(told[word])
    if "groups" in told:
        told["groups"] = {name: list(members) for name, members in told["groups"].items()}
    options = {word: told.pop(word) for word in MethodOptions.__struct_fields__ if word in told}
    if "baseline" in options and not isinstance(options["baseline"], str):
        options["baseline_row"] = [float(number) for number in options.pop("baseline")]
    return {"feature_vector": vectors(X, **about), **told, **({"options": options} if options else {})}


def _part(text: str) -> str:
    if not text:
        raise InputError("an empty name names nothing: say which one is asked for")
    return quote(text, safe="@")
