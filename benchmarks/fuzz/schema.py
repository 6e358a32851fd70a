"""Schemathesis over the OpenAPI document: cases that fit each operation's schema, and cases that do not."""

from __future__ import annotations

import json
import random
from collections import Counter
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from benchmarks.fuzz.asking import HANG_S
from benchmarks.fuzz.server import NAME

__all__ = ["drive"]

MODES = (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
CHECKS = [checks.status_code_conformance, checks.content_type_conformance, checks.response_schema_conformance]
JSON = "application/json"
HONEST = {503: "unavailable", 504: "deadline"}


@schemathesis.serializer("application/x-ndjson", "application/vnd.apache.arrow.stream")
def _bytes(context: Any, value: Any) -> bytes:
    """Bytes as they are, and anything else as JSON."""
    held = getattr(value, "data", value)
    return held if isinstance(held, bytes) else json.dumps(held).encode()


def drive(http: str, cases: int, number: int) -> dict[str, Any]:
    """About so many cases, shared by all operations and both modes; counts by operation, and what failed.

    Every answer must be a status that the document names, of a media type and a schema that it names for it, and no
    5xx but 503 and 504 with their reason.
    """
    document = schemathesis.openapi.from_url(f"{http}/openapi.json")
    operations = [found.ok() for found in document.get_all_operations()]
    statuses: dict[str, Counter[str]] = {}
    failures: dict[str, str] = {}
    asked = 0
    for operation in operations:
        modes = MODES if JSON in {body.media_type for body in operation.body} else MODES[:1]  # a text cannot be wrong
        knowns = ({}, {"model": NAME}) if "{model}" in operation.path else ({},)  # to nowhere, and to the model
        each = max(2, cases // (len(operations) * len(modes) * len(knowns)))
        for mode in modes:

            def check(case: Any, label: str = operation.label, mode: Any = mode) -> None:
                nonlocal asked
                asked += 1
                try:
                    answer = case.call(timeout=HANG_S, headers={"Authorization": "Bearer fuzz"})
                    statuses.setdefault(label, Counter())[str(answer.status_code)] += 1
                    case.validate_response(answer, checks=CHECKS)
                    honest = answer.status_code < 500 or answer.json()["code"] == HONEST.get(answer.status_code)
                    assert honest, f"{answer.status_code}"
                except Exception as exc:  # whatever kind a check raises; a server that hangs up, or hangs
                    failures.setdefault(f"{label} {mode.value} {_short(exc)}", case.as_curl_command()[:600])

            for known in knowns:
                _run(operation, mode, known, check, each, number)
    return {"cases": asked, "operations": len(operations), "statuses": statuses, "failures": failures}


def _run(operation: Any, mode: GenerationMode, known: dict[str, str], check: Any, each: int, number: int) -> None:
    quiet = settings(
        max_examples=each,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    asked = given(case=operation.as_strategy(generation_mode=mode, path_parameters=known or None))(
        lambda case: check(case)
    )
    seed(random.Random(f"{operation.label}/{mode}/{known}/{number}").getrandbits(32))(quiet(asked))()


def _short(exc: BaseException) -> str:
    return " ".join(str(exc).split())[:300]
