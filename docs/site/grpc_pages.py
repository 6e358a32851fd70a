"""Every service and message of the gRPC door, with the comments of the .proto files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2
from grpc_tools import protoc

__all__ = ["page"]

ROOT = Path(__file__).resolve().parents[2]
FILES = ("attribution/v1/attribution.proto", "inference/v2/open_inference.proto", "party/v1/party.proto")
MESSAGE, SERVICE, FIELD, METHOD = 4, 6, 2, 2  # numbers of the parts of a file in protobuf's own description


def page() -> str:
    parts = ["# gRPC, every message", "From the files in `proto/`; [the wire](../wire.md) says what the fields mean."]
    for name in FILES:
        described = _described(name)
        told = {
            tuple(at.path): (at.leading_comments or at.trailing_comments).strip()
            for at in described.source_code_info.location
        }
        parts += [f"## {name}", f"Package `{described.package}`."]
        for i, service in enumerate(described.service):
            rows = [
                f"| `{m.name}` | {_last(m.input_type, m.client_streaming)} | "
                f"{_last(m.output_type, m.server_streaming)} | {_line(told.get((SERVICE, i, METHOD, j), ''))} |"
                for j, m in enumerate(service.method)
            ]
            parts += [f"### {service.name}", "\n".join(["| method | asks | answers | |", "|---|---|---|---|", *rows])]
        for path, message in _messages(described.message_type, (MESSAGE,), ""):
            name = message[0]
            parts.append(f"### {name}")
            if told.get(path):
                parts.append(told[path])
            rows = [
                f"| {f.number} | `{f.name}` | {_type(f)} | {_line(told.get((*path, FIELD, j), ''))} |"
                for j, f in enumerate(message[1].field)
            ]
            if rows:
                parts.append("\n".join(["| | field | type | |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


def _described(name: str) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "set"
        code = protoc.main(
            [
                "protoc",
                f"-I{ROOT / 'proto'}",
                "--include_source_info",
                f"--descriptor_set_out={out}",
                str(ROOT / "proto" / name),
            ]
        )
        if code:
            raise SystemExit(f"{name} cannot be read")
        found = descriptor_pb2.FileDescriptorSet()
        found.ParseFromString(out.read_bytes())
    return found.file[-1]


def _messages(
    held: Sequence[Any], path: tuple[int, ...], before: str
) -> Iterator[tuple[tuple[int, ...], tuple[str, Any]]]:
    """Nested ones after their own; entries of maps are no messages of anybody's."""
    for i, message in enumerate(held):
        if not message.options.map_entry:
            yield (*path, i), (before + message.name, message)
            yield from _messages(message.nested_type, (*path, i, 3), f"{before}{message.name}.")


def _type(field: Any) -> str:
    kind = field.type_name.rpartition(".")[2] or descriptor_pb2.FieldDescriptorProto.Type.Name(field.type)[5:].lower()
    return f"repeated {kind}" if field.label == field.LABEL_REPEATED else kind


def _last(name: str, stream: bool) -> str:
    return ("stream of " if stream else "") + name.rpartition(".")[2]


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
