"""Bytes to rows and answers to messages; the last place where one row fails alone.

JSON is read in two steps: the envelope first, the rows as bytes; then each row by itself, so that a row of another
shape is that row's problem.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any, TypeVar

import msgspec
import numpy as np

from ascribe.bundle.unreadable import UNREADABLE
from ascribe.core.attribution import Attribution
from ascribe.core.energy import Energy
from ascribe.core.errors import InputError
from ascribe.serve import inside
from ascribe.serve import messages as wire
from ascribe.serve.faults import TooLargeError
from ascribe.serve.jobs.messages import ChunkBody
from ascribe.serve.observe.log import stage
from ascribe.serve.rows import Checked, Row, repeated
from ascribe.serve.settings import Settings

__all__ = [
    "MIXED",
    "attributions",
    "check_options",
    "check_rows_limit",
    "decode_attribution",
    "decode_chunk",
    "decode_energy",
    "decode_prediction",
    "decode_values",
    "encode",
    "energies",
    "own_id",
    "predictions",
    "unreadable",
    "usable_id",
    "without_rows",
]

MIXED = "send values, or an image, or a text: a row is one of them"
FIELDS = "; docs/wire.md has every field"  # behind a field too many, or one too few
MAX_SEED = 2**63 - 1
IDENTIFIER = re.compile(r"[A-Za-z0-9._:-]{1,128}")
Body = TypeVar("Body", wire.AttributionBody, wire.EnergyBody, wire.PredictionBody, ChunkBody)

encode = stage("encode")(msgspec.json.Encoder().encode)
_raws = msgspec.json.Decoder(list[msgspec.Raw])
_row = msgspec.json.Decoder(wire.FeatureVector)
_any = msgspec.json.Decoder()
_attribution = msgspec.json.Decoder(wire.AttributionBody)
_energy = msgspec.json.Decoder(wire.EnergyBody)
_prediction = msgspec.json.Decoder(wire.PredictionBody)
_chunk = msgspec.json.Decoder(ChunkBody)


def usable_id(text: str | None) -> bool:
    """Whether a caller's request id may be echoed and logged."""
    return bool(text and IDENTIFIER.fullmatch(text))


def own_id(given: str | None, otherwise: str, field: str = "request_id") -> str:
    """A message's own id before its door's. Raises InputError for one that cannot be echoed."""
    if given and not usable_id(given):
        raise InputError(f"{field}: use letters, digits, '.', '_', ':' and '-', at most 128")
    return given or otherwise


@stage("decode")
def decode_attribution(body: bytes, max_rows: int) -> tuple[wire.AttributionBody, list[Row]]:
    """Raises InputError for a body that is not JSON or has another shape, TooLargeError for too many rows."""
    return _decoded(_attribution, body, max_rows)


@stage("decode")
def decode_energy(body: bytes, max_rows: int) -> tuple[wire.EnergyBody, list[Row]]:
    """As `decode_attribution`."""
    return _decoded(_energy, body, max_rows)


@stage("decode")
def decode_prediction(body: bytes, max_rows: int) -> tuple[wire.PredictionBody, list[Row]]:
    """As `decode_attribution`."""
    return _decoded(_prediction, body, max_rows)


def decode_chunk(line: bytes, max_rows: int) -> tuple[ChunkBody, list[Row]]:
    """One line of a stream, as `decode_attribution`."""
    return _decoded(_chunk, line, max_rows)


def without_rows(asked: wire.AttributionBody) -> wire.AttributionAsked:
    """How to explain, without the bytes of what."""
    return msgspec.convert(asked, wire.AttributionAsked, from_attributes=True)


def _decoded(decoder: msgspec.json.Decoder[Body], body: bytes, max_rows: int) -> tuple[Body, list[Row]]:
    try:
        asked = decoder.decode(body)
        raw = bytes(asked.feature_vector)
        rows = _raws.decode(raw) if raw[:1] == b"[" else [asked.feature_vector]
    except UNREADABLE as exc:
        raise unreadable(exc) from exc
    check_rows_limit(len(rows), max_rows)
    return asked, [_read(row) for row in rows]


def decode_values(raw: msgspec.Raw) -> Row:
    """A row that is its values alone; what cannot be read becomes the row's problem."""
    return _read(msgspec.Raw(b'{"values":' + bytes(raw) + b"}"))


def unreadable(exc: Exception, hint: str = "") -> InputError:
    """What a caller hears of a body that cannot be decoded: one of UNREADABLE."""
    return InputError(f"the body cannot be read: {_said(exc)}{hint and '; ' + hint}")


def _said(exc: Exception) -> str:
    text = "it is nested too deeply" if isinstance(exc, RecursionError) else str(exc)
    text += FIELDS if "field `" in text else ""
    return text + ("; JSON has no NaN or Infinity" if "malformed" in text else "")


def _read(raw: msgspec.Raw) -> Row:
    """One row's bytes; what cannot be read becomes the row's problem."""
    try:
        row = _row.decode(raw)
        if row.image is not None or row.text is not None:
            return _whole(row)
        if row.values is msgspec.UNSET:
            return Row(row.id or "", problem=f"the row cannot be read: Object missing required field `values`{FIELDS}")
        values = _any.decode(row.values)
    except UNREADABLE as exc:
        return Row(problem=f"the row cannot be read: {_said(exc)}")
    doubtful = isinstance(values, dict) and bytes(row.values).count(b":") != len(values)
    twice = _twice(bytes(row.values)) if doubtful else ""
    return Row(row.id or "", row.names, values, row.units, row.measured_w, twice)


def _whole(row: wire.FeatureVector) -> Row:
    """A picture or a sentence."""
    found = Row(row.id or "", row.names, None, row.units, row.measured_w, text=row.text)
    if row.values is not msgspec.UNSET or (row.image is None) == (row.text is None):
        found.problem = MIXED
        return found
    try:
        found.image = None if row.image is None else base64.b64decode(row.image, validate=True)
    except ValueError:
        found.problem = "image is no base64: send the bytes of a picture's file in it"
    return found


def _twice(raw: bytes) -> str:
    """Which name an object gives twice: parsers keep the last in silence."""
    names = [name for name, _ in json.loads(raw, object_pairs_hook=list)]
    again = repeated(names)
    return f"'{again[0]}' given twice: give each value once" if again else ""


def check_rows_limit(
    count: int, max_rows: int, where: str = "in a request", what: str = "rows", field: str = "feature_vector"
) -> None:
    """Raises InputError for no rows, TooLargeError for too many."""
    if not count:
        raise InputError(f"{field} is empty: send at least one row")
    if count > max_rows:
        raise TooLargeError(f"{count} {what}, the limit of this server is {max_rows} {where}: send them in parts")


def check_options(asked: wire.AttributionAsked, limits: Settings) -> None:
    """Numbers within the server's limits. Raises InputError, TooLargeError."""
    for name, value, least, most in (
        ("budget", asked.budget, 2, limits.max_budget),
        ("samples", asked.samples, 2, limits.max_samples),
        ("seed", asked.seed, 0, MAX_SEED),
    ):
        if value is not None and value < least:
            raise InputError(f"{name} is {value}: it is at least {least}")
        if value is not None and value > most:
            raise TooLargeError(f"{name} is {value}: the limit of this server is {most}")
    for wish, unit, number in (
        ("target_stderr", "in the output's unit", asked.target_stderr),
        ("max_latency_ms", "of milliseconds", asked.max_latency_ms),
    ):
        if number is not None and not number > 0:
            raise InputError(f"{wish} is a positive number {unit}, not {number}")


def _kept(names: Sequence[str], numbers: np.ndarray) -> dict[str, float]:
    """{name: number} of the numbers that exist."""
    return {name: number for name, number in zip(names, numbers.tolist(), strict=True) if isfinite(number)}


def _kept_rows(names: Sequence[str], numbers: np.ndarray) -> list[dict[str, float]]:
    """`_kept` of each row (b, n), most of which lack nothing."""
    whole = np.isfinite(numbers).all(axis=1).tolist()
    rows = numbers.tolist()
    return [dict(zip(names, row, strict=True)) if whole[i] else _kept(names, numbers[i]) for i, row in enumerate(rows)]


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if isfinite(number) else None


def attributions(answer: Attribution, checked: Checked) -> list[wire.Attribution]:
    """The answer for the rows that were asked as messages, and the reasons of the others."""
    if answer.layout is not None:
        told = inside.attributions(answer, answer.layout, checked)
    else:
        told = _shares(answer, checked)
    return [
        next(told) if not why else wire.Attribution(checked.ids[i], "invalid", why)
        for i, why in enumerate(checked.reasons)
    ]


def _shares(answer: Attribution, checked: Checked) -> Iterator[wire.Attribution]:
    """Of a table, by the name of each player."""
    values, fraction, stderr = (
        _kept_rows(answer.features, numbers) for numbers in (answer.values, answer.fraction, answer.stderr)
    )
    statuses, base, additive = answer.status.tolist(), answer.bases.tolist(), answer.additive
    for k, i in enumerate(checked.good):
        prediction = _finite(answer.prediction[k])
        shares = values[k]
        answered, measured = bool(shares), checked.measured_w[i]
        parts = fraction[k]
        whole = answered and additive and prediction is not None and len(parts) == len(shares)
        yield wire.Attribution(
            id=checked.ids[i],
            status=str(statuses[k]),
            reason=answer.reasons[k],
            prediction=prediction,
            base_value=_finite(base[k]) if answered else None,
            attribution_shares=shares,
            fraction=parts if whole else {},
            base_fraction=base[k] / prediction if whole and prediction else None,
            stderr=stderr[k],
            ess=_finite(answer.ess[k]),
            measured_w=measured,
            unexplained_w=measured - prediction if measured is not None and prediction is not None else None,
        )


def predictions(
    f: np.ndarray, far: np.ndarray, checked: Checked, scores: Sequence[list[wire.Score]] = ()
) -> list[wire.Prediction]:
    """Predictions (a,) of the rows that were asked as messages; `far`: which of them are outside the training range,
    and answered all the same.
    """
    out = [
        wire.Prediction(name, "invalid", why, None, measured)
        for name, why, measured in zip(checked.ids, checked.reasons, checked.measured_w, strict=True)
    ]
    for k, i in enumerate(checked.good):
        found, measured = _finite(f[k]), checked.measured_w[i]
        if found is None:
            status, reason = "not_finite", "the model gave no finite number for this row"
        else:
            status = "out_of_domain" if far[k] else "ok"
            reason = "outside the training range" if far[k] else ""
        left = measured - found if measured is not None and found is not None else None
        named = scores[k] if scores else []
        out[i] = wire.Prediction(checked.ids[i], status, reason, found, measured, left, named)
    return out


def energies(energy: Energy, S: np.ndarray, names: Sequence[str]) -> list[wire.CoalitionEnergy] | None:
    """One row's energy `(1, m)` as messages, hidden features only; None where a number is not finite."""
    found = []
    for k, observed in enumerate(S):
        hidden = [name for name, seen in zip(names, observed, strict=True) if not seen]
        mean, variance, natural = (
            _kept(hidden, part[0, k][~observed]) for part in (energy.mean, energy.variance, energy.mean_natural)
        )
        g, log_q = _finite(energy.g[0, k]), _finite(energy.log_q[0, k])
        if g is None or log_q is None or not len(mean) == len(variance) == len(natural) == len(hidden):
            return None
        seen_names = [name for name, seen in zip(names, observed, strict=True) if seen]
        found.append(wire.CoalitionEnergy(seen_names, g, log_q, mean, variance, natural))
    return found
