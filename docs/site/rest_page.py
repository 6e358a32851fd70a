"""Every route of the HTTP door, from the document that a server gives at /openapi.json."""

from __future__ import annotations

from typing import Any

from ascribe.serve.rest.openapi import OPERATIONS
from ascribe.serve.rest.schemas import schemas

__all__ = ["page"]


def page() -> str:
    parts = [
        "# REST, every route",
        "A running server gives the whole document at `GET /openapi.json`, with bodies that can be sent to it, and a "
        "page at `/docs`. [The wire](../wire.md) says what the fields mean; every error is `application/problem+json`.",
        "\n".join(
            [
                "| | path | | body | answer |",
                "|---|---|---|---|---|",
                *(
                    f"| {verb} | `{path}` | {o.summary} | {_linked(o.asks)} | {_linked(o.answers or o.accepted)} |"
                    for (verb, path), o in OPERATIONS.items()
                ),
            ]
        ),
        "## Bodies and answers",
    ]
    for name, schema in sorted(schemas().items()):
        parts.append(f"### {name}")
        if schema.get("description"):
            parts.append(str(schema["description"]).replace("[", "\\["))
        fields = schema.get("properties", {})
        if fields:
            needed = set(schema.get("required", ()))
            rows = [
                f"| `{field}` | {_kind(one)} | {'yes' if field in needed else ''} |" for field, one in fields.items()
            ]
            parts.append("\n".join(["| field | kind | required |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _linked(name: str) -> str:
    return f"[{name}](#{name.lower()})" if name else ""


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        return _linked(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " or ".join(_kind(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        items = schema.get("prefixItems") or [schema.get("items")]
        return "list of " + (", ".join(_kind(one) for one in items if isinstance(one, dict)) or "anything")
    kind = schema.get("type", "anything")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)
