"""Messages of the wire to the room's words and back, field by field under the same names."""

from __future__ import annotations

from typing import Any

from ascribe.serve import messages as said
from ascribe.serve.codec import MIXED
from ascribe.serve.jobs.messages import JobCard
from ascribe.serve.observe.log import stage
from ascribe.serve.rows import Row
from ascribe.serve.wire import attribution_pb2 as pb

OPTIONAL = ("segments", "steps", "draws", "noise", "window", "stride")

__all__ = ["asked", "attributions", "energies", "fields", "job", "predictions", "rows"]


def asked(request: pb.AttributionRequest, request_id: str) -> said.AttributionAsked:
    """How to explain; what is absent is None."""
    return said.AttributionAsked(
        model=request.model,
        version=request.version,
        method=request.method,
        estimator=request.estimator,
        budget=request.budget if request.HasField("budget") else None,
        samples=request.samples if request.HasField("samples") else None,
        seed=request.seed,
        groups={name: list(group.names) for name, group in request.groups.items()},
        request_id=request_id,
        value=request.value,
        target_stderr=request.target_stderr if request.HasField("target_stderr") else None,
        tier=request.tier,
        max_latency_ms=request.max_latency_ms if request.HasField("max_latency_ms") else None,
        labels=dict(request.labels),
        output=request.output,
        allow_lower_tier=request.allow_lower_tier,
        priority=request.priority,
        space=request.space,
        options=_options(request.options) if request.HasField("options") else None,
    )


def _options(given: pb.MethodOptions) -> said.MethodOptions:
    """What is absent or empty is None."""
    held = {name: getattr(given, name) for name in ("baseline", "rule", "layer")}
    held |= {name: getattr(given, name) for name in OPTIONAL if given.HasField(name)}
    return said.MethodOptions(**held, baseline_row=list(given.baseline_row) or None)


@stage("decode")
def rows(vectors: Any) -> list[Row]:
    """Rows of a message; empty names or units are left out."""
    return [
        Row(
            v.id,
            list(v.names) or None,
            list(v.values),
            list(v.units) or None,
            v.measured_w if v.HasField("measured_w") else None,
        )
        if not (v.categories or v.HasField("image") or v.HasField("text"))
        else _row(v)
        for v in vectors
    ]


def _row(v: Any) -> Row:
    """A row of categories, a picture or a sentence."""
    whole = v.HasField("image") or v.HasField("text")
    found = Row(
        v.id, list(v.names) or None, None if whole else list(v.values), list(v.units) or None,
        v.measured_w if v.HasField("measured_w") else None,
        image=v.image if v.HasField("image") else None, text=v.text if v.HasField("text") else None,
    )  # fmt: skip
    if (v.values and whole) or (found.image is not None and found.text is not None):
        found.problem = MIXED
    elif v.categories and (whole or len(v.categories) != len(v.values)):
        found.problem = (
            f"{len(v.categories)} categories for {len(v.values)} values: give each value one, or an empty text"
        )
    elif v.categories:
        found.values = [word or number for word, number in zip(v.categories, v.values, strict=True)]
    return found


def fields(struct: Any, *but: str) -> dict[str, Any]:
    """A struct's fields under the same names in the message; what is None stays absent."""
    return {f: v for f in struct.__struct_fields__ if f not in but and (v := getattr(struct, f)) is not None}


@stage("encode")
def attributions(answer: said.AttributionResponse) -> pb.AttributionResponse:
    rows = [pb.Attribution(**fields(row)) for row in answer.attributions]
    return pb.AttributionResponse(**fields(answer, "attributions"), attributions=rows)


@stage("encode")
def predictions(answer: said.PredictionResponse) -> pb.PredictionResponse:
    rows = [
        pb.Prediction(**fields(row, "scores"), scores=[pb.Score(**fields(score)) for score in row.scores])
        for row in answer.predictions
    ]
    return pb.PredictionResponse(**fields(answer, "predictions"), predictions=rows)


@stage("encode")
def energies(answer: said.EnergyResponse) -> pb.EnergyResponse:
    rows = [
        (pb.RowEnergy(**fields(row, "coalitions")), [pb.CoalitionEnergy(**fields(c)) for c in row.coalitions])
        for row in answer.energies
    ]
    for row, coalitions in rows:
        row.coalitions.extend(coalitions)
    return pb.EnergyResponse(**fields(answer, "energies"), energies=[row for row, _ in rows])


def job(card: JobCard) -> pb.AttributionJob:
    return pb.AttributionJob(**fields(card))
