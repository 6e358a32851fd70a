"""FATE files made by hand: messages written field by field from their numbers, without the project's own messages.

A world is a list of trees over columns of several parties; every party gets its half as a model cache. `walk` is the
rule of FATE for one row and one tree, in plain Python: the oracle.
"""

from __future__ import annotations

import base64
import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

GUEST, HOST, OTHER = "guest:9999", "host:10000", "host:10001"
COLUMNS = {GUEST: ("g0", "g1", "g2"), HOST: ("a0", "a1"), OTHER: ("b0", "b1")}


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1
    out = b""
    while True:
        out += bytes([(number & 127) | (128 if number > 127 else 0)])
        number >>= 7
        if not number:
            return out


def i(number: int, value: int) -> bytes:
    """int32, int64 and bool."""
    return varint(number << 3) + varint(int(value))


def d(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)


def b(number: int, raw: bytes | str) -> bytes:
    """string, bytes and messages."""
    raw = raw.encode() if isinstance(raw, str) else raw
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def ds(number: int, values: Sequence[float]) -> bytes:
    """repeated double, packed."""
    return b(number, struct.pack(f"<{len(values)}d", *values)) if len(values) else b""


def m(number: int, held: Mapping, key, value) -> bytes:
    """map: an entry is a message of 1 key, 2 value."""
    return b"".join(b(number, key(1, k) + value(2, v)) for k, v in held.items())


@dataclass
class Node:
    site: str = GUEST
    fid: int = 0
    threshold: float = 0.0
    missing: int | None = 1
    weight: float = 0.0
    left: int = -1
    right: int = -1
    many: tuple[float, ...] = ()

    @property
    def leaf(self) -> bool:
        return self.left < 0


@dataclass
class World:
    """`dim` trees a round; `classes` as FATE counts them; `counts`: whether leaves have training rows."""

    trees: list[list[Node]]
    classes: int = 2
    dim: int = 1
    init: tuple[float, ...] = (0.0,)
    rate: float = 0.3
    labels: tuple[str, ...] = ("0", "1")
    objective: str = "cross_entropy"
    counts: bool = True
    version: str = "1.7.2"
    roles: dict = field(default_factory=lambda: {"guest": [9999], "host": [10000, 10001]})
    use_missing: bool = False
    zero_as_missing: bool = False
    strategy: str = "std"
    plan: tuple[str, ...] = ()
    columns: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: COLUMNS)


def random_tree(rng: np.random.Generator, depth: int, sites: Sequence[str], many: int = 0) -> list[Node]:
    """Breadth first, as FATE numbers nodes; thresholds of one decimal, so that rows of one decimal meet them."""
    nodes = [Node()]
    level = [0]
    for at in range(depth):
        below = []
        for n in level:
            if at and rng.random() < 0.2:
                continue
            site = sites[int(rng.integers(len(sites)))]
            nodes[n] = Node(
                site, int(rng.integers(len(COLUMNS[site]))), round(float(rng.normal()), 1),
                [None, 1, -1, 0][int(rng.integers(4))], float(rng.normal()), len(nodes), len(nodes) + 1,
            )  # fmt: skip
            nodes += [Node(), Node()]
            below += [len(nodes) - 2, len(nodes) - 1]
        level = below
    for node in nodes:
        if node.leaf:
            node.weight = -1.0 if many else round(float(rng.normal()), 6)
            node.many = tuple(round(float(w), 6) for w in rng.normal(size=many))
    return nodes


def leaf_counts(world: World) -> list[dict[int, int]]:
    """Made up, but fixed."""
    return [{n: 3 + (7 * n + t) % 11 for n, node in enumerate(tree) if node.leaf} for t, tree in enumerate(world.trees)]


def tree_message(tree: list[Node], party: str, counts: dict[int, int]) -> bytes:
    guest = party.startswith("guest")
    out = b""
    for n, node in enumerate(tree):
        weight = node.weight if guest else 0.0
        out += b(1, i(1, n) + b(2, GUEST if node.leaf else node.site) + i(3, node.fid) + d(5, weight) + i(6, node.leaf)
                 + i(7, node.left) + i(8, node.right) + (ds(10, node.many) if guest else b""))  # fmt: skip
    own = {n: node for n, node in enumerate(tree) if not node.leaf and node.site == party}
    out += m(2, {n: node.threshold for n, node in own.items()}, i, d)
    out += m(3, {n: node.missing for n, node in own.items() if node.missing is not None}, i, i)
    return out + (m(4, counts, i, i) if guest else b"")


def boosted(world: World, party: str) -> tuple[bytes, bytes]:
    """Meta and Param."""
    guest = party.startswith("guest")
    meta = b(1, i(6, world.use_missing) + i(7, world.zero_as_missing)) + d(2, world.rate if guest else 0.0)
    meta += b(5, b(1, world.objective)) + i(9, world.use_missing) + i(10, world.zero_as_missing)
    meta += b(13, world.strategy)
    counts = leaf_counts(world) if world.counts else [{} for _ in world.trees]
    param = i(1, len(world.trees)) + b"".join(
        b(2, tree_message(t, party, c)) for t, c in zip(world.trees, counts, strict=True)
    )
    if guest:
        param += ds(3, world.init) + i(6, world.classes) + b"".join(b(7, label) for label in world.labels)
    param += i(5, world.dim) + m(9, dict(enumerate(world.columns[party])), i, b)
    return meta, param + b"".join(b(11, p) for p in world.plan)


def component(
    module: str, source: str = "args.eval", alias: str | None = "model", name: str = "", path: str = ""
) -> dict:
    held = {"module": module, "CodePath": path or module, "input": {"data": {"data": [source]}}}
    if alias:
        held["input"]["model"] = [f"pipeline.{name}.{alias}"]
    return held


def pipeline(components: dict, version: str = "1.7.2", roles: dict | None = None, party: str = "") -> bytes:
    roles = roles or {"guest": [9999], "host": [10000, 10001]}
    out = b(1, json.dumps({"components": components})) + b(4, version) + b(5, "guest-9999#model") + b(6, "20260101")
    out += b(9, json.dumps(roles))
    if party:
        role, _, number = party.partition(":")
        out += b(13, json.dumps({"local": {"role": role, "party_id": int(number)}}))
    return out


def trees_files(world: World, party: str, extra: dict | None = None, files: dict | None = None) -> dict[str, bytes]:
    """A reader, an intersection, the trees, an evaluation."""
    side = party.partition(":")[0].capitalize()
    kind = f"HeteroSecureBoostingTree{side}"
    meta, param = boosted(world, party)
    components = {
        "secureboost_0": component("HeteroSecureBoost", "intersection_0.data", "model", "secureboost_0", kind),
        "intersection_0": component("Intersection", "args.data", None, path=f"some/where.py/Intersect{side}"),
        "evaluation_0": component("Evaluation", "secureboost_0.data", None),
    } | (extra or {})
    return {
        f"secureboost_0.model:{kind}Meta": meta, f"secureboost_0.model:{kind}Param": param,
        "pipeline.pipeline:Pipeline": pipeline(components, world.version, world.roles, party),
    } | (files or {})  # fmt: skip


def cache(path: Path, files: Mapping[str, bytes]) -> Path:
    path.write_text(json.dumps({name: base64.b64encode(raw).decode() for name, raw in files.items()}))
    return path


def goes_left(world: World, node: Node, row: Mapping[str, float], rule: str) -> bool:
    """The rules of the table, one by one. `rule`: serving-2.1, serving-2.0, fate-1.4, fate-1.5 or fate-1.7."""
    x = row.get(world.columns[node.site][node.fid])
    host = node.site.startswith("host")
    eps = {"serving-2.1": 1e-8, "serving-2.0": 1e-20, "fate-1.4": 0.0, "fate-1.7": 1e-8}.get(
        rule, 0.0 if host else 1e-8
    )
    serving = rule.startswith("serving")
    gone = x is None or math.isnan(x)
    if not serving and world.use_missing and world.zero_as_missing:
        gone = gone or x == 0
    elif not serving and gone:
        x, gone = 0.0, False
    if gone:
        return node.missing not in (None, 1) if serving else node.missing == -1
    return x <= node.threshold + eps


def walk(world: World, tree: list[Node], row: Mapping[str, float], rule: str = "serving-2.1") -> int:
    n = 0
    while not tree[n].leaf:
        n = tree[n].left if goes_left(world, tree[n], row, rule) else tree[n].right
    return n


def margins(world: World, row: Mapping[str, float], rule: str = "serving-2.1") -> list[float]:
    """One party that has everything."""
    k = world.classes if world.classes > 2 else 1
    out = [(world.init * k)[c] if len(world.init) == 1 else world.init[c] for c in range(k)]
    for t, tree in enumerate(world.trees):
        leaf = tree[walk(world, tree, row, rule)]
        for c in range(k):
            if leaf.many:
                out[c] += world.rate * leaf.many[c]
            elif t % world.dim == c:
                out[c] += world.rate * leaf.weight
    return out


def random_rows(count: int, seed: int, gaps: float = 0.2) -> list[dict[str, float]]:
    """Of all parties' columns, one decimal, some absent, some zero."""
    rng = np.random.default_rng(seed)
    names = [c for columns in COLUMNS.values() for c in columns]
    out = []
    for _ in range(count):
        values = {c: round(float(v), 1) for c, v in zip(names, rng.normal(size=len(names)), strict=True)}
        out.append({c: v for c, v in values.items() if rng.random() > gaps})
    return out
