"""The inference DSL: which components, of which class, fed by which, reading which files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from ascribe.core.errors import InputError
from ascribe.core.words import quoted

__all__ = ["Named", "ordered"]


@dataclass(frozen=True)
class Named:
    """A component: `kind`, its class; `sources`, producers ("" is the party's rows); `alias` of its files, or None."""

    name: str
    kind: str
    sources: tuple[str, ...]
    alias: str | None


def ordered(dsl: bytes, role: str) -> list[Named]:
    """Components, producers first. Raises InputError for text that is no DSL, cycles and unknown producers."""
    try:
        components = json.loads(dsl)["components"]
        named = {str(name): _named(str(name), held, role) for name, held in components.items()}
    except InputError:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as exc:
        raise InputError("the pipeline's inference DSL cannot be read: fetch the model again") from exc
    for one in named.values():
        for source in one.sources:
            if source and source not in named:
                raise InputError(f"component {quoted(one.name)} is fed by {quoted(source)}, which is not there")
    out: list[Named] = []
    done: set[str] = {""}
    while len(out) < len(named):
        ready = [one for one in named.values() if one.name not in done and set(one.sources) <= done]
        if not ready:
            raise InputError("components of the pipeline feed one another in a circle: fetch the model again")
        out += ready
        done |= {one.name for one in ready}
    return out


def _named(name: str, held: dict[str, Any], role: str) -> Named:
    data = (held.get("input") or {}).get("data") or {}
    sources = [str(text).partition(".")[0] for key in data for text in data[key]]
    aliases = {str(text).split(".", 2)[2] for text in (held.get("input") or {}).get("model") or []}
    if len(aliases) > 1:
        raise InputError(f"component {quoted(name)} reads several models: fetch the model again")
    path = held.get("CodePath")
    kind = str(path).rpartition("/")[2] if path else _by_module(str(held["module"]), role)
    feeds = dict.fromkeys("" if source == "args" else source for source in sources)
    return Named(name, kind, tuple(feeds) or ("",), next(iter(aliases), None))


def _by_module(module: str, role: str) -> str:
    """The class of a module that is named without its path."""
    side = role.capitalize()
    return {
        "HeteroLR": f"HeteroLR{side}", "HeteroSecureBoost": f"HeteroSecureBoostingTree{side}",
        "HeteroFastSecureBoost": f"HeteroFastSecureBoostingTree{side}",
        "HeteroFeatureBinning": f"HeteroFeatureBinning{side}",
        "HeteroFeatureSelection": f"HeteroFeatureSelection{side}",
        "Intersection": f"Intersect{side}", "FeatureScale": "Scale", "OneHotEncoder": "OneHotEncoder",
    }.get(module, module)  # fmt: skip
