"""The document says what the door does: every route, every status, bodies that can be sent as they stand."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fastapi import FastAPI

from ascribe.serve.rest.openapi import OPERATIONS, PAGE, document

from .. import tiny


@pytest.fixture(scope="module")
def told(served) -> dict[str, Any]:
    answer = served.http.get("/openapi.json")
    assert answer.status_code == 200
    return answer.json()


def references(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"]} if isinstance(part.get("$ref"), str) else set()
        return own.union(*map(references, part.values()))
    return set().union(*map(references, part)) if isinstance(part, list) else set()


def test_every_reference_leads_somewhere(told):
    held = {f"#/components/schemas/{name}" for name in told["components"]["schemas"]}
    assert references(told)
    assert references(told) <= held


def test_every_row_of_the_table_is_a_route_and_has_the_statuses_of_the_error_table(told):
    for verb, path in OPERATIONS:
        operation = told["paths"][path][verb.lower()]
        assert {"400", "401", "404", "413", "415", "422", "429", "500", "503", "504"} <= set(operation["responses"])
        named = {p["name"] for p in operation["parameters"] if p["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))


def test_a_route_without_a_row_is_described_all_the_same():
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.put("/new/{thing:path}")
    async def new(thing: str) -> None: ...

    operation = document(app)["paths"]["/new/{thing}"]["put"]
    assert operation["parameters"][0]["name"] == "thing"
    assert "503" in operation["responses"]


def test_every_example_can_be_sent(served, told):
    sent = []
    for path, verbs in told["paths"].items():
        for verb, operation in verbs.items():
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            if "example" in body:
                at = path.replace("{model}", tiny.NAME).replace("{version}", served.version)
                answer = served.http.request(verb, at, json=body["example"])
                assert answer.status_code in (200, 202), (path, answer.text)
                sent.append(path)
    assert len(sent) >= 7


def test_the_page_needs_nothing_from_elsewhere(served):
    page = served.http.get("/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert page.content == PAGE.read_bytes()
    assert not re.search(r"https?:|//[a-z]|src=|href=|@import|innerHTML", page.text)
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_a_verb_that_is_not_offered_names_those_that_are(served):
    answer = served.http.delete("/v1/predictions")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert served.http.put("/v1/jobs/1").headers["allow"] == "DELETE, GET"
