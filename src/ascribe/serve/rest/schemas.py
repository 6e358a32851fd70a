"""JSON schemas of what goes over HTTP: those of the messages, sharper where a message keeps raw bytes."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import msgspec

from ascribe.serve import messages as said
from ascribe.serve.cards import served as cards
from ascribe.serve.cards import versions as version_cards
from ascribe.serve.cards.repertoire import ExplainersCard
from ascribe.serve.forecasts.messages import ForecastBody, ForecastResponse, ForecastSeries
from ascribe.serve.jobs.messages import ChunkAnswer, ChunkBody, JobCard, LaterAttribution
from ascribe.serve.now import messages as moving
from ascribe.serve.oip import inference as oip
from ascribe.serve.oip.statistics import Statistics
from ascribe.serve.oip.tensors import DATATYPES, OUTPUTS
from ascribe.serve.rest.kserve import InstancesBody
from ascribe.serve.rest.oip import IndexAsked, InferBody

__all__ = ["Schema", "array", "either", "named", "reference", "schemas"]

Schema = dict[str, Any]
TEMPLATE = "#/components/schemas/{name}"
MESSAGES = (
    said.FeatureVector, said.AttributionBody, said.AttributionResponse, said.PredictionBody, said.PredictionResponse,
    said.EnergyBody, said.EnergyResponse, ForecastSeries, ForecastBody, ForecastResponse,
    cards.ModelCard, cards.NodeCard, cards.SeriesCard,
    cards.RolloutAnswer, ExplainersCard, JobCard, LaterAttribution, ChunkBody,
    ChunkAnswer, oip.Metadata, oip.Ready, oip.Index, InferBody, IndexAsked, InstancesBody, Statistics,
    moving.Now, moving.History, moving.Moment, moving.Energy, moving.Change,
    version_cards.CallerCard, version_cards.VersionsCard, version_cards.DriftAnswer, version_cards.Runs,
    version_cards.BadRows, version_cards.PromotionCard, version_cards.PromotionBody, version_cards.Sheet,
)  # fmt: skip
TEXT, NUMBER, WHOLE, FLAG, NULL = ({"type": t} for t in ("string", "number", "integer", "boolean", "null"))


def reference(name: str) -> Schema:
    return {"$ref": TEMPLATE.format(name=name)}


def array(items: Schema, **more: Any) -> Schema:
    return {"type": "array", "items": items, **more}


def either(*of: Schema) -> Schema:
    return {"anyOf": list(of)}


def named(**fields: Schema) -> Schema:
    """An object of these fields, all of them there."""
    return {"type": "object", "properties": fields, "required": list(fields)}


@cache
def schemas() -> dict[str, Schema]:
    """By name. A field that a message keeps as raw bytes has the schema that its reader applies."""
    found = msgspec.json.schema_components(MESSAGES, ref_template=TEMPLATE)[1]
    for name, fields in _sharper().items():
        found[name]["properties"] |= fields
    whole = found["AttributionBody"]
    rows = {"feature_vector": {"description": "as in AttributionBody; rows are looked at when the job runs"}}
    found["JobBody"] = whole | {"title": "JobBody", "properties": whole["properties"] | rows}
    for schema in found.values():
        schema["description"] = " ".join(schema.get("description", "").split())
    return {name: _finite(schema) for name, schema in (found | _further()).items()}


def _sharper() -> dict[str, dict[str, Schema]]:
    number = either(NUMBER, NULL)  # null makes the row invalid, not the request
    cell = either(NUMBER, NULL, TEXT)  # texts are of categories
    values = either(array(cell), {"type": "object", "additionalProperties": cell})
    units = either(array(either(TEXT, NULL)), {"type": "object", "additionalProperties": either(TEXT, NULL)}, NULL)
    other = {"description": "anything else is an invalid row, which leaves the others alone"}
    row = reference("FeatureVector")
    rows = {"feature_vector": either(row, array(either(row, other), minItems=1))}
    series = reference("ForecastSeries")
    return {
        "FeatureVector": {"values": values, "units": units, "measured_w": number},
        "AttributionBody": rows,
        "PredictionBody": rows,
        "EnergyBody": rows,
        "ChunkBody": rows,
        "ForecastBody": {"series": either(reference("ForecastSeries"), array(either(series, other), minItems=1))},
        "InferInput": {
            "shape": array({"type": "integer", "minimum": 0}, minItems=1, maxItems=2),
            "datatype": {"type": "string", "enum": list(DATATYPES)},
            "data": either(array(NUMBER), array(array(NUMBER))),
        },
        "InferOutput": {"name": {"type": "string", "enum": list(OUTPUTS)}},
        "InstancesBody": {"instances": array(either(values, other), minItems=1)},
    }


def _further() -> dict[str, Schema]:
    """Bodies that are no message of their own."""
    parameter = either(TEXT, NUMBER, FLAG)
    parameters = {"type": "object", "additionalProperties": parameter}
    output = named(name=TEXT, datatype=TEXT, shape=array(WHOLE))
    output["properties"] |= {"data": array(either(NUMBER, TEXT, NULL)), "parameters": parameters}
    problem = named(
        type=TEXT, title=TEXT, status=WHOLE, detail=TEXT, instance=TEXT, code=TEXT, error=TEXT, request_id=TEXT,
        errors=array(named(field=TEXT, reason=TEXT)),
    )  # fmt: skip
    problem["description"] = "RFC 9457, with `code`, `request_id`, `errors`, and `error` for OIP's readers."
    words = {"description": "What the answer says beside its rows is as in /v1/attributions or /v1/predictions."}
    return {
        "Problem": problem,
        "Server": named(name=TEXT, version=TEXT, extensions=array(TEXT)),
        "Health": named(live=FLAG, ready=FLAG),
        "Models": named(models=array(TEXT)),
        "Nodes": named(nodes=array(TEXT)),
        "SeriesNames": named(series=array(TEXT)),
        "InferResponse": named(
            model_name=TEXT, model_version=TEXT, id=TEXT, parameters=parameters, outputs=array(output)
        ),
        "Predictions": named(predictions=array(either(NUMBER, NULL))) | words,
        "Explanations": named(explanations=array(reference("Attribution"))) | words,
        "Anything": {"type": "object"},
    }


def _finite(schema: Any) -> Any:
    """Defaults that JSON has no word for are left out."""
    if isinstance(schema, dict):
        return {k: _finite(v) for k, v in schema.items() if not (isinstance(v, float) and not math.isfinite(v))}
    return [_finite(part) for part in schema] if isinstance(schema, list) else schema
