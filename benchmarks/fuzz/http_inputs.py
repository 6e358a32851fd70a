"""HTTP requests whose frame is sound and whose content is not: a family by kind of content."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

import pyarrow as pa
import pyarrow.ipc

from benchmarks.fuzz.values import NUMBERS, TEXTS, damaged, dumped, junk, mutated, scalar, well_formed

__all__ = ["FAMILIES", "Sent"]

JSON, BINARY, LINES = "application/json", "application/octet-stream", "application/x-ndjson"
ARROW = "application/vnd.apache.arrow.stream"
LENGTH = "Inference-Header-Content-Length"
DATATYPES = ("FP64", "FP32", "FP16", "INT8", "INT64", "UINT64", "BOOL", "BYTES", "BF16", "fp64", "")
SHAPES = (
    [1, 3],
    [3],
    [],
    [0, 3],
    [1, 0],
    [-1, 3],
    [2**62, 4],
    [2**63, 1],
    [2**64, 3],
    [1, 1, 3],
    [10**30, 3],
    [1] * 99,
)
BOMB = gzip.compress(b" " * (8 << 20), mtime=0)
ROW: dict[str, Any] = {"id": "a", "names": ["busy", "ghz", "misses"], "values": [0.5, 4.0, 20.0], "measured_w": 110.0,
                       "units": ["ratio", "Hz", "count/s"]}  # fmt: skip
HOW: dict[str, Any] = {"model": "m", "version": "", "tier": "", "output": "", "request_id": "r", "labels": {}}
ASKS: dict[str, dict[str, Any]] = {
    "/v1/attributions": {
        "feature_vector": [ROW, {"values": {"busy": 0.4, "ghz": 3.9, "misses": 19}}], **HOW, "method": "",
        "estimator": "auto", "budget": 8, "samples": 4, "seed": 1, "groups": {"g": ["busy", "ghz"]}, "value": "auto",
        "target_stderr": 1.0, "max_latency_ms": 50.0, "allow_lower_tier": False,
    },
    "/v1/predictions": {"feature_vector": [ROW], **HOW, "explain": "", "target_stderr": 1.0, "groups": {}},
    "/v1/energy": {"feature_vector": [ROW], "observed": [["busy"], []], "model": "m", "request_id": "r"},
    "/v1/models/m:predict": {
        "instances": [[0.5, 4.0, 20.0], {"busy": 0.4, "ghz": 3.9, "misses": 19}], "parameters": {},
    },
    "/v1/models/m:explain": {"instances": [[0.5, 4.0, 20.0]], "parameters": {"tier": "fast", "seed": 1, "timeout": 9}},
    "/v2/repository/index": {"ready": True},
}  # fmt: skip
LEAN = ("feature_vector", "instances", "observed")  # what a body must have
INFER: dict[str, Any] = {
    "id": "r", "inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP64", "data": [0.5, 4.0, 20.0]}],
    "outputs": [{"name": "prediction"}, {"name": "attribution", "parameters": {"binary_data": True}}],
    "parameters": {"tier": "fast", "seed": 1, "binary_data_output": False},
}  # fmt: skip


@dataclass(frozen=True)
class Sent:
    """One request."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


def json_bodies(rng: random.Random) -> Sent:
    path = rng.choice(list(ASKS))
    whole = ASKS[path]
    tree = {k: v for k, v in whole.items() if k in LEAN or rng.random() < 0.3}  # or one bad option would hide others
    if rng.random() < 0.2 and "feature_vector" in tree:
        tree["feature_vector"] = [{"values": [scalar(rng) for _ in range(rng.choice((0, 2, 3, 3, 4, 99)))]}] * 3
    return Sent("POST", path, {"Content-Type": JSON}, dumped(rng, mutated(rng, tree)))


def deep(rng: random.Random) -> Sent:
    """Nested far down, or long: balanced, open, or hidden in texts."""
    n = rng.choice((5, 31, 33, 1000, 50_000))
    open_, close = rng.choice((("[", "]"), ('{"a":', "}"), ('["\\"', '"]'), ('[{"a":', "}]")))
    inside = open_ * n + "1" + close * rng.choice((n, 0, n + 1))
    path = rng.choice(list(ASKS))
    key = rng.choice(list(ASKS[path]))
    body = rng.choice((inside, f'{{"{key}":{inside}}}', f'{{"feature_vector":[{{"values":{inside}}}]}}'))
    return Sent("POST", path, {"Content-Type": JSON}, body.encode()[: 600 << 10])


def infer(rng: random.Random) -> Sent:
    """Tensors as JSON, and as bytes behind it, with every length that may lie."""
    tree = mutated(rng, INFER) if rng.random() < 0.5 else json.loads(json.dumps(INFER))
    tensor, tail, headers = None, b"", {"Content-Type": rng.choice((JSON, BINARY))}
    if isinstance(tree, dict) and isinstance(tree.get("inputs"), list) and tree["inputs"]:
        tensor = tree["inputs"][0]
    if isinstance(tensor, dict):
        tensor |= {"shape": rng.choice(SHAPES)} if rng.random() < 0.4 else {}
        tensor |= {"datatype": rng.choice(DATATYPES)} if rng.random() < 0.4 else {}
        if rng.random() < 0.5:
            tail = rng.randbytes(rng.choice((0, 1, 12, 23, 24, 25, 4096)))
            size = rng.choice((len(tail), len(tail), 24, -1, 0, 2**63, 1.5, "24", None, True))
            tensor |= {"parameters": {"binary_data_size": size}}
            if rng.random() < 0.7:
                tensor.pop("data", None)
    raw = dumped(rng, tree)
    if tail or rng.random() < 0.2:
        lies = (
            "-1",
            "0",
            "1",
            "",
            "+5",
            "1e3",
            "0x10",
            "٣",
            str(10**30),
            str(len(raw) + len(tail) + 1),
            "5, 5",
            "9" * 13,
        )
        headers[LENGTH] = str(len(raw)) if rng.random() < 0.6 else rng.choice(lies)
    if LENGTH in headers:
        headers[LENGTH] = headers[LENGTH].encode("utf-8").decode("latin-1")
    path = rng.choice(("/v2/models/m/infer", "/v2/models/m/infer", "/v2/models/m/versions/1/infer"))
    return Sent("POST", path, headers, raw + tail)


def arrow(rng: random.Random) -> Sent:
    """Tables with columns of other types, other names, and streams that are broken."""
    names = ["busy", "ghz", "misses"]
    count = rng.choice((0, 1, 1, 2, 100))
    columns: list[tuple[str, Any]] = [(name, pa.array([float(rng.choice((0.5, 1, 4)))] * count)) for name in names]
    for _ in range(rng.randrange(3)):
        kind = rng.choice(("id", "measured_w", *names, "x", "", "a\0b"))
        columns.insert(rng.randrange(len(columns) + 1), (kind, _column(rng, count)))
    table = pa.table([c for _, c in columns], names=[n for n, _ in columns])
    sink = pa.BufferOutputStream()
    codec = rng.choice((None, None, None, "zstd"))
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression=codec)) as stream:
        stream.write_table(table)
    raw = sink.getvalue().to_pybytes()
    if rng.random() < 0.7:
        raw = damaged(rng, raw)
    query = urlencode({rng.choice(list(HOW)): well_formed(str(scalar(rng)))[:300]}) if rng.random() < 0.3 else ""
    return Sent("POST", f"{rng.choice(('/v1/attributions', '/v1/predictions'))}?{query}", {"Content-Type": ARROW}, raw)


def _column(rng: random.Random, count: int) -> Any:
    kinds: tuple[Callable[[], Any], ...] = (
        lambda: pa.array([rng.choice((float("nan"), float("inf"), 5e-324, 1e308, None))] * count, pa.float64()),
        lambda: pa.array([2**63 - 1] * count, pa.int64()),
        lambda: pa.array([rng.choice(TEXTS)] * count, pa.string()),
        lambda: pa.array([None] * count, pa.null()),
        lambda: pa.array([[1.0]] * count, pa.list_(pa.float64())),
        lambda: pa.array(["a"] * count).dictionary_encode(),
        lambda: pa.array([True] * count, pa.bool_()),
        lambda: pa.array([1] * count, pa.timestamp("us")),
        lambda: pa.array([b"\xff"] * count, pa.binary()),
        lambda: pa.array([{"a": 1}] * count, pa.struct([("a", pa.int8())])),
    )
    return rng.choice(kinds)()


def packed(rng: random.Random) -> Sent:
    """Bodies that say they are compressed: bombs, cut off, doubled, of another kind."""
    raw = json.dumps({"feature_vector": [ROW]}).encode()
    whole = gzip.compress(raw, mtime=0)
    body = rng.choice((
        BOMB, BOMB[: rng.randrange(len(BOMB))], damaged(rng, BOMB), gzip.compress(BOMB, mtime=0),
        whole, whole + whole, whole + b"\0", whole[: rng.randrange(len(whole))], damaged(rng, whole),
        zlib.compress(raw), raw, b"",
    ))  # fmt: skip
    encoding = rng.choice(
        ("gzip", "gzip", "gzip", "x-gzip", "GZIP ", "deflate", "br", "zstd", "identity", "gzip, gzip", "")
    )
    return Sent("POST", rng.choice(list(ASKS)), {"Content-Type": JSON, "Content-Encoding": encoding}, body)


def jobs(rng: random.Random) -> Sent:
    """Jobs, lines, attributions by id: bodies, ids and pages that are none."""
    name = quote(well_formed(str(rng.choice((*TEXTS, "f" * 32, "0" * 11 + "-" + "0" * 32))))[:300], safe="") or "x"
    number = quote(well_formed(str(rng.choice((*NUMBERS, *TEXTS))))[:60], safe="")
    kind = rng.randrange(6)
    if kind == 0:
        return Sent("GET", f"/v1/jobs/{name}/result?offset={number}&limit={number}", {})
    if kind == 1:
        return Sent(rng.choice(("GET", "DELETE")), f"/v1/jobs/{name}", {})
    if kind == 2:
        return Sent("GET", f"/v1/attributions/{name}?wait_s={number}", {})
    whole = ASKS["/v1/attributions"]
    tree = {k: v for k, v in whole.items() if k in LEAN or rng.random() < 0.2}
    if kind == 3:
        lines = [dumped(rng, mutated(rng, {**tree, "index": 0})) for _ in range(rng.randrange(5))]
        return Sent(
            "POST", "/v1/attributions:stream", {"Content-Type": LINES}, rng.choice((b"\n", b"\r\n", b"")).join(lines)
        )
    return Sent("POST", "/v1/jobs", {"Content-Type": JSON}, dumped(rng, mutated(rng, tree)))


def paths(rng: random.Random) -> Sent:
    """Models, versions, nodes, verbs and media types that are not; every method."""
    text = lambda: quote(well_formed(str(scalar(rng)))[:300], safe=rng.choice(("", "/:@%"))) or "x"  # noqa: E731
    path = rng.choice((
        f"/v1/models/{text()}", f"/v1/models/{text()}/explainers", f"/v1/nodes/{text()}",
        f"/v1/nodes/{text()}/attribution?tier={text()}&model={text()}", f"/v2/models/{text()}/ready",
        f"/v2/models/{text()}",
        f"/v2/models/m/versions/{text()}", f"/v2/models/{text()}/infer", f"/v1/models/{text()}:{text()}",
        f"/v1/{text()}", f"/{text()}", "/v1/status", "/v1/nodes", "/openapi.json", "/docs", "/metrics", "/debug", "/v2",
        f"/v1/attributions?{text()}={text()}", "/v1/models", "/v2/health/ready",
    ))  # fmt: skip
    method = rng.choice((*["GET"] * 12, *["POST"] * 4, "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "BREW"))
    headers = {} if rng.random() < 0.5 else {"X-Request-Id": quote(text())[:200]}
    if rng.random() < 0.4:
        headers["Content-Type"] = rng.choice(
            (JSON, ARROW, LINES, BINARY, "text/xml", "application/json; charset=utf-16")
        )
    return Sent(method, path, headers, dumped(rng, junk(rng)) if method in ("POST", "PUT") else b"")


def admin(rng: random.Random) -> Sent:
    """Admin verbs, with and without the token; only those that move nothing are whole."""
    model = rng.choice(("m", "m@production", quote(well_formed(str(scalar(rng)))[:200], safe="") or "x"))
    verb = rng.choice(("refresh", "refresh", "rollback", "load", "unload", quote(rng.choice(TEXTS), safe="") or "x"))
    bearer = rng.choice(("Bearer fuzz", "Bearer fuzz", "Bearer ", "Basic fuzz", "Bearer fuz", "fuzz", "Bearer a.b.c"))
    return Sent("POST", f"/v1/admin/models/{model}/{verb}", {"Authorization": bearer}, dumped(rng, junk(rng)))


FAMILIES: dict[str, tuple[int, Callable[[random.Random], Sent]]] = {  # how many of a hundred inputs, and the family
    "json": (24, json_bodies),
    "deep": (2, deep),
    "infer": (12, infer),
    "arrow": (8, arrow),
    "packed": (3, packed),
    "jobs": (5, jobs),
    "paths": (10, paths),
    "admin": (2, admin),
}
