"""The wire's messages and the answers' structs, field by field under the same names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan
from typing import Any

from ascribe.serve import messages
from ascribe.serve.forecasts import messages as forecast_messages
from ascribe.serve.jobs import messages as job_messages
from ascribe.serve.wire import attribution_pb2 as pb

__all__ = ["filled", "struct_of"]


def filled(kind: Any, body: Mapping[str, Any]) -> Any:
    """A message of that kind from a call's body."""
    fields = dict(body)
    if "feature_vector" in fields:
        fields["feature_vector"] = [pb.FeatureVector(**_row(row)) for row in fields["feature_vector"]]
    if "options" in fields:
        fields["options"] = pb.MethodOptions(**fields["options"])
    if "series" in fields:
        fields["series"] = [_series(one) for one in fields["series"]]
    if "attribution" in fields:
        fields["attribution"] = pb.ForecastWish(**fields["attribution"])
    if "groups" in fields:
        fields["groups"] = {name: pb.Names(names=members) for name, members in fields["groups"].items()}
    if "observed" in fields:
        fields["observed"] = [pb.Names(names=names) for names in fields["observed"]]
    return kind(**fields)


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Texts among the values are categories, which stand beside numbers; None is NaN."""
    values = row.get("values")
    if not values or not any(value is None or isinstance(value, str) for value in values):
        return dict(row)
    numbers = [nan if value is None or isinstance(value, str) else value for value in values]
    words = [value if isinstance(value, str) else "" for value in values]
    return {**row, "values": numbers, **({"categories": words} if any(words) else {})}


def _series(one: Mapping[str, Any]) -> Any:
    """None is NaN."""

    def numbers(held: Sequence[Any]) -> list[float]:
        return [nan if value is None else value for value in held]

    more = {name: pb.Numbers(numbers=numbers(held)) for name, held in one.get("exogenous", {}).items()}
    return pb.ForecastSeries(**{**one, "values": numbers(one.get("values", ())), "exogenous": more})


def struct_of(message: Any) -> Any:
    """The struct of the same name; what is absent is None or the struct's default."""
    name = message.DESCRIPTOR.name
    homes = (messages, forecast_messages, job_messages)
    kind = next(found for home in homes if (found := getattr(home, STRUCTS.get(name, name), None)) is not None)
    known = message.DESCRIPTOR.fields_by_name
    return kind(**{f: _value(message, known[f]) for f in kind.__struct_fields__ if f in known})


STRUCTS = {"AttributionJob": "JobCard"}


def _value(message: Any, field: Any) -> Any:
    held = getattr(message, field.name)
    inner = field.message_type
    if inner is not None and inner.GetOptions().map_entry:
        return dict(held)
    if field.is_repeated:
        return [struct_of(one) for one in held] if inner is not None else list(held)
    if field.has_presence and not message.HasField(field.name):
        return None
    return struct_of(held) if inner is not None else held
