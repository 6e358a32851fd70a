"""A party's half of a model as a bundle: `party.json`, `arrays.npz`, a manifest. It opens without anything of FATE."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from ascribe.bundle.archive import Bundle, entry, open_directory, write
from ascribe.bundle.federated.records import decoded, encoded
from ascribe.bundle.federated.replies import ROLE, Replies, written
from ascribe.bundle.manifest import FORMAT, Lineage, Manifest, Target
from ascribe.bundle.npz import arrays
from ascribe.core.arrays import np
from ascribe.core.errors import BundleError, InputError
from ascribe.core.features import Feature
from ascribe.core.federated.party import Party
from ascribe.core.federated.pipeline import Pipeline, Step
from ascribe.core.trees.shape import UNITS

__all__ = ["FAMILY", "open_party", "write_party"]

FAMILY = "federated"
DECISIONS = ("tells_defaults", "minimum_fill", "shares_columns")  # a host's own
BROKEN = (ValueError, TypeError, KeyError, IndexError, AttributeError, OverflowError, RecursionError)


def write_party(
    directory: Path, party: Party, created: str, code_version: str, replies: Replies | None = None
) -> Bundle:  # fmt: skip
    """The same party always gives the same bytes, for one `created`. `replies`: rows to judge a guest by."""
    packed: dict[str, np.ndarray] = {}
    steps = []
    for i, step in enumerate(party.pipeline.steps):
        kind, record, held = encoded(step.component)
        packed |= {f"{i}.{name}": array for name, array in held.items()}
        steps.append({"name": step.name, "source": step.source, "kind": kind, "record": record})
    told = {"name": party.name, "model": party.model, "inputs": list(party.inputs), "info": dict(party.info)}
    told |= {name: getattr(party, name) for name in DECISIONS} | {"steps": steps}
    out = io.BytesIO()
    np.savez(out, **packed)  # type: ignore[arg-type]
    files = {"party.json": json.dumps(told, indent=1, sort_keys=True).encode(), "arrays.npz": out.getvalue()}
    roles = {"party": "party.json", "arrays": "arrays.npz"}
    if replies is not None:
        roles[ROLE] = "replies.npz"
        files["replies.npz"] = written(party, replies)
    info = {str(k): v for k, v in party.info.items()}
    manifest = Manifest(
        FORMAT, created, FAMILY, [Feature(name, missing=True).to_json() for name in party.inputs],
        Target("margin", _unit(party)), roles,
        {name: entry(raw) for name, raw in files.items()}, 0.0, {},
        Lineage(str(info.get("file", "")), "", code_version, 0, {}, {}), {}, {},
        labels={"role": party.role, "party": party.name}, origin=info,
    )  # fmt: skip
    write(directory, manifest, files)
    return open_directory(directory)


def open_party(bundle: Bundle, role: str | None = None) -> Party:
    """A party from its bundle. Raises BundleError for a bundle of another family or role, or that does not hold
    together; TamperedError where bytes are not the manifest's.
    """
    if bundle.manifest.family != FAMILY:
        raise BundleError(f"{bundle.origin} is no half of a federated model: write one with `ascribe federated`")
    raw, by_name = bundle.read("party"), arrays(bundle, "arrays")
    try:
        told = json.loads(raw)
        steps = tuple(_step(i, held, by_name) for i, held in enumerate(told["steps"]))
        decisions: dict[str, Any] = {name: type(getattr(Party, name))(told[name]) for name in DECISIONS}
        party = Party(
            str(told["name"]), Pipeline(steps), str(told["model"]), tuple(str(c) for c in told["inputs"]),
            dict(told["info"]), **decisions,
        )  # fmt: skip
        owners = {str(c.party) for c in party.pipeline.reporters.values()}  # type: ignore[attr-defined]
        if owners != {party.name} or party.role not in ("guest", "host"):
            raise InputError(f"it is of {party.name}, and holds the half of {', '.join(sorted(owners))}")
        if party.pipeline.last[1].merges != (party.role == "guest"):
            raise InputError("a guest's half has leaves, a host's has none")
    except BROKEN as exc:
        first = (str(exc).splitlines() or [""])[0]
        raise BundleError(f"{bundle.origin} is no whole half of a model ({first}): import or split it again") from exc
    if role is not None and party.role != role:
        raise BundleError(f"{bundle.origin} is the half of {party.name}: a {role}'s is needed")
    return party


def _unit(party: Party) -> str:
    """Of the margin, which the guest's values sum to; empty at a host."""
    return UNITS.get(party.pipeline.last[1].link, "") if party.role == "guest" else ""


def _step(i: int, held: dict[str, Any], arrays: dict[str, np.ndarray]) -> Step:
    own = {name.partition(".")[2]: a for name, a in arrays.items() if name.partition(".")[0] == str(i)}
    return Step(str(held["name"]), decoded(held["kind"], held["record"], own), str(held["source"]))
