"""A FATE 1.x model file -> one party's half, ready to be written as a bundle."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ascribe.core.errors import InputError
from ascribe.core.federated.components import Passing
from ascribe.core.federated.party import Party
from ascribe.core.federated.pipeline import Pipeline, Reporter, Step, Transform
from ascribe.core.words import listed, quoted
from ascribe.train.adapters.fate.columns import binning, data_transform, one_hot, scale, selection
from ascribe.train.adapters.fate.dsl import Named, ordered
from ascribe.train.adapters.fate.files import Stored, read_files
from ascribe.train.adapters.fate.linear import linear_model
from ascribe.train.adapters.fate.messages import parsed
from ascribe.train.adapters.fate.semantics import semantics_of
from ascribe.train.adapters.fate.trees import boosted_trees, site_of
from ascribe.train.wire import fate_pb2 as fate

__all__ = ["CLASSES", "read_fate"]

ROLES = ("guest", "host")
PASSING = ("Reader", "Evaluation", "IntersectGuest", "IntersectHost")
KINDS: dict[str, tuple[type, type]] = {
    "data_transform": (fate.DataTransformMeta, fate.DataTransformParam),
    "scale": (fate.ScaleMeta, fate.ScaleParam),
    "one_hot": (fate.OneHotMeta, fate.OneHotParam),
    "binning": (fate.FeatureBinningMeta, fate.FeatureBinningParam),
    "selection": (fate.FeatureSelectionMeta, fate.FeatureSelectionParam),
    "trees": (fate.BoostingTreeModelMeta, fate.BoostingTreeModelParam),
    "linear": (fate.LRModelMeta, fate.LRModelParam),
}
CLASSES: dict[str, str] = {
    "DataIO": "data_transform", "DataTransform": "data_transform", "Scale": "scale", "OneHotEncoder": "one_hot",
    "HeteroFeatureBinning": "binning", "HeteroFeatureSelection": "selection",
    "HeteroSecureBoostingTree": "trees", "HeteroFastSecureBoostingTree": "trees", "HeteroLR": "linear",
}  # fmt: skip
SIDED = ("binning", "selection", "trees", "linear")  # their classes end in Guest or Host


def read_fate(
    path: Path,
    role: str,
    semantics: str = "serving-2.1",
    party: str | None = None,
    hosts: Sequence[str] = (),
    strip: bool = False,
) -> Party:
    """One party's half of a model. `party`: its full name, where the file does not say; `hosts`: those that a guest
    asks, where the file does not say. `strip`: a guest's file without the weights of splits.

    Raises InputError, naming the component, for whatever cannot be scored as FATE would.
    """
    if role not in ROLES:
        raise InputError(f"'{role}' is no role: use guest or host")
    stored = read_files(path)
    held = _pipeline(stored, role)
    told = _roles(held)
    named = ordered(held.inference_dsl, role)
    kinds = {one.name: _kind(one, role) for one in named}
    messages = {one.name: _messages(one, kinds[one.name], stored) for one in named if kinds[one.name] in KINDS}
    name = party or _own_name(held, told, role, [m for n, m in messages.items() if kinds[n] == "trees"])
    if name.partition(":")[0] != role or not name.partition(":")[2]:
        raise InputError(f"party {quoted(name)} is no {role}: name it as {role}:10000")
    rules = semantics_of(semantics, held.fate_version)
    parties = _parties(told, hosts, name, role)

    def make(one: Named) -> Transform | Reporter:
        if kinds[one.name] == "passing":
            return Passing(one.kind)
        meta, param = messages[one.name]
        builders: dict[str, Callable[[], Transform | Reporter]] = {
            "data_transform": lambda: data_transform(meta, param),
            "scale": lambda: scale(meta, param, rules.scale_decimals),
            "one_hot": lambda: one_hot(meta, param),
            "binning": lambda: binning(meta, param),
            "selection": lambda: selection(meta, param),
            "trees": lambda: boosted_trees(meta, param, name, rules, strip),
            "linear": lambda: linear_model(meta, param, name, parties),
        }
        try:
            return builders[kinds[one.name]]()
        except InputError as exc:
            raise InputError(f"component {quoted(one.name)}: {exc}") from exc

    steps = [Step(one.name, make(one), one.sources[0]) for one in _leading(named, kinds)]
    info = {"format": "FATE 1.x", "file": path.name, "fate_version": held.fate_version, "semantics": rules.to_json()}
    model = f"{held.model_id}@{held.model_version}" if held.model_id else ""
    first = messages.get(next((n for n in kinds if kinds[n] == "data_transform"), ""))
    inputs = tuple(first[1].header) if first else ()
    return Party(name, Pipeline(tuple(steps)), model, inputs or _columns(steps), info)


def _pipeline(stored: Stored, role: str) -> fate.Pipeline:
    found = [raw for (_, _, file), raw in stored.items() if file == "Pipeline"]
    if len(found) == 1:
        return parsed(fate.Pipeline, found[0], "pipeline.pipeline:Pipeline")
    components = {component for component, _, _ in stored}
    if found or len(components) > 1:
        raise InputError(f"the file holds {len(found)} pipelines, it must hold one: fetch the whole model")
    module = components.pop()  # an answer of FATE's query: one component, without a pipeline
    dsl = {"components": {module: {"module": module, "input": {"data": {"data": ["args.data"]}}}}}
    return fate.Pipeline(inference_dsl=json.dumps(dsl).encode())


def _kind(one: Named, role: str) -> str:
    """Which component a class is. Raises InputError for one that is not known: nothing is passed through in silence."""
    if one.kind in PASSING:
        return "passing"
    side = next((r for r in ROLES if one.kind.endswith(r.capitalize())), None)
    kind = CLASSES.get(one.kind[: -len(side)] if side else one.kind)
    if kind is None or (kind in SIDED) != (side is not None):
        known = listed([*CLASSES, *PASSING], most=20)
        raise InputError(
            f"component {quoted(one.name)} is of class {quoted(one.kind)}, which cannot be served; known are: {known}"
        )
    if side and side != role:
        raise InputError(f"component {quoted(one.name)} is a {side}'s ({quoted(one.kind)}): import with --role {side}")
    return kind


def _messages(one: Named, kind: str, stored: Stored) -> tuple[Any, Any]:
    """Meta and Param under the alias that the DSL names, or the only one there is."""
    aliases = {alias for component, alias, _ in stored if component == one.name}
    alias = one.alias
    if alias is None:
        if len(aliases) > 1:
            raise InputError(f"component {quoted(one.name)} has the aliases {listed(sorted(aliases))}: none is named")
        alias = next(iter(aliases), None)
    out: list[Any] = []
    for end, message in zip(("Meta", "Param"), KINDS[kind], strict=True):
        files = [key for key in stored if key[:2] == (one.name, alias) and key[2].endswith(end)]
        if len(files) != 1:
            raise InputError(f"component {quoted(one.name)} has {len(files)} files *{end} under alias {quoted(alias)}")
        out.append(parsed(message, stored[files[0]], f"{files[0][0]}.{files[0][1]}:{files[0][2]}"))
    return out[0], out[1]


def _leading(named: list[Named], kinds: dict[str, str]) -> list[Named]:
    """Components that lead to a score, and those that give one; dead ends and what reads scores are left out."""
    by_name = {one.name: one for one in named}
    needed: set[str] = set()

    def need(name: str) -> None:
        if name and name not in needed:
            one = by_name[name]
            if len(one.sources) > 1:
                raise InputError(f"component {quoted(name)} is fed by {len(one.sources)} others: that is not supported")
            needed.add(name)
            need(one.sources[0])

    for one in named:
        if kinds[one.name] in ("trees", "linear"):
            need(one.name)
    return [one for one in named if one.name in needed]


def _roles(held: fate.Pipeline) -> dict[str, list[str]]:
    """Parties by role, as the file tells them in one place or another."""
    for raw in (held.roles, held.train_runtime_conf):
        try:
            told = json.loads(raw)
            told = told.get("role", told)
            found = {role: [str(i) for i in told[role]] for role in ROLES if role in told}
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue
        if found:
            return found
    return {}


def _own_name(held: fate.Pipeline, told: dict[str, list[str]], role: str, trees: list[tuple[Any, Any]]) -> str:
    try:
        local = json.loads(held.runtime_conf_on_party)["local"]
        here, number = str(local["role"]), str(local["party_id"])
    except (ValueError, KeyError, TypeError, RecursionError):
        here = number = ""
    if here and here != role:
        raise InputError(f"this is the file of a {here}: import it with --role {here}")
    if number:
        return f"{role}:{number}"
    for _, param in trees:
        if (site := site_of(param, role)) is not None and ":" in site:
            return site
    if len(told.get(role, [])) == 1:
        return f"{role}:{told[role][0]}"
    raise InputError(f"the file does not say which {role} it is of: name it with --party {role}:10000")


def _parties(told: dict[str, list[str]], hosts: Sequence[str], name: str, role: str) -> tuple[str, ...]:
    """The guest, then hosts, as all parties name them."""
    theirs = [h if ":" in h else f"host:{h}" for h in hosts] or [f"host:{i}" for i in told.get("host", [])]
    guests = [name] if role == "guest" else [f"guest:{i}" for i in told.get("guest", [])] or ["guest:?"]
    if role == "host" and name not in theirs:
        theirs.append(name)
    return (guests[0], *theirs)


def _columns(steps: Sequence[Step]) -> tuple[str, ...]:
    held: dict[str, None] = {}
    for step in steps:
        if hasattr(step.component, "merge_remote_inference"):
            held |= dict.fromkeys(step.component.columns)  # type: ignore[union-attr]
    return tuple(held)
