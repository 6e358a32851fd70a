"""The manifest: everything about a bundle that is not a tensor."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import Any

import msgspec

from ascribe.bundle.unreadable import UNREADABLE
from ascribe.core.errors import BundleError
from ascribe.core.features import Feature

__all__ = [
    "FORMAT", "Amortized", "Conditional", "FileEntry", "Layout", "Lineage", "Manifest", "Reading", "Target", "Tier",
    "digest",
]  # fmt: skip

FORMAT = 1
LATER = (
    "amortized", "reading", "tiers", "machine", "labels", "outputs", "spaces", "layout", "preparation", "origin",
)  # fmt: skip


class FileEntry(msgspec.Struct, frozen=True):
    """One file of the bundle; its bytes are hashed before any parser sees them."""

    bytes: int
    sha256: str


class Target(msgspec.Struct, frozen=True):
    """What `predict` answers, and in which unit."""

    name: str
    unit: str = ""


class Conditional(msgspec.Struct, frozen=True):
    """The energy model. `weighting` names how completions count: "proposal" (eq. 6) or "energy" (weighted draws).
    `value` names what answers v(S): "completions", "surrogate", or "stacked" by `share` (n+1 numbers, that of the
    completions by number of observed features).
    """

    method: str
    weighting: str
    rank: int
    components: int
    reason: str = ""
    value: str = "completions"
    share: list[float] = []


class Amortized(msgspec.Struct, frozen=True):
    """The one-pass explainer, and what it misses of the accurate answer by `value` on `rows` held-out rows: `rmse` of
    each feature in the target's unit, `r2` pooled.
    """

    value: str
    rmse: list[float]
    r2: float
    rows: int


class Reading(msgspec.Struct, frozen=True):
    """How values of sampled coalitions are read by a matrix made for this model (`core.adjusted.learnt`)."""

    kind: str
    b: list[float]
    rho: float
    widen: float = 1.0
    floor: list[float] = []
    judged: int = 0


class Tier(msgspec.Struct, frozen=True):
    """A tier of latency. `role`: its graph, empty where it is computed without one; then what is inside the graph:
    `value`, `law` ("mixture" or "proposal", where completions are), `estimator`, `budget`, `samples`, `seed`; `parity`,
    the largest difference to the plain computation over a row's largest value. Measured on held-out rows: `stderr`,
    root mean square in the target's unit; where the bundle was published: `latency_ms`, a call's by its rows.
    """

    role: str = ""
    value: str = ""
    law: str = ""
    estimator: str = ""
    budget: int = 0
    samples: int = 0
    seed: int = 0
    parity: float | None = None
    stderr: float | None = None
    latency_ms: dict[str, float] = {}


class Layout(msgspec.Struct, frozen=True):
    """What the columns of a row are, where they are no table's (`core.layout`); the words of a text have a role."""

    kind: str
    shape: list[int]
    padding: int = 0


class Lineage(msgspec.Struct, frozen=True):
    """Where the bundle comes from. `source`: of a lake, its version and that of its feature definitions."""

    data: str
    data_sha256: str
    code_version: str
    seed: int
    options: dict[str, Any]
    rows: dict[str, int]
    source: dict[str, Any] = {}


class Manifest(msgspec.Struct, frozen=True):
    """`roles` maps predict, proposal, energy, mixture, scores, background, holdout, control, surrogate, amortized,
    gradient, embed, layers, attention, trees, terms, words, the graphs of `tiers` and `part:<target>` (the manifest of
    another target's bundle) to file names; `files` holds their hashes. `machine`: where latencies were measured.
    `labels`: what the model is for, such as a class of nodes.

    `outputs`: what `predict` gives a number for, in each of `spaces` (margin, probability), where it is more than the
    target; `target.name` is the one explained unless asked, empty: the class predicted. `preparation`: from a file or a
    sentence to a row (`bundle.preparation`). `origin`: of an adopted model, its format, file and library.

    `base_value`: mean of f over the training rows, in the target's unit. `example`: a row and its stored answer, asked
    again before a version is served. `scaling`: the statistics of the training part that the graphs hold.
    """

    format: int
    created: str
    family: str
    features: list[dict[str, Any]]
    target: Target
    roles: dict[str, str]
    files: dict[str, FileEntry]
    base_value: float
    metrics: dict[str, Any]
    lineage: Lineage
    example: dict[str, list[float]]
    scaling: dict[str, Any]
    conditional: Conditional | None = None
    amortized: Amortized | None = None
    reading: Reading | None = None
    tiers: dict[str, Tier] = {}
    machine: str = ""
    labels: dict[str, str] = {}
    outputs: list[str] = []
    spaces: list[str] = []
    layout: Layout | None = None
    preparation: dict[str, Any] = {}
    origin: dict[str, Any] = {}

    @property
    def feature_list(self) -> tuple[Feature, ...]:
        """Raises BundleError for a feature that is not one."""
        try:
            return tuple(msgspec.convert(asdict(Feature.from_json(f)), Feature) for f in self.features)
        except (TypeError, msgspec.ValidationError) as exc:
            raise BundleError(
                f"the manifest describes a feature that cannot be read ({exc}): train the bundle again"
            ) from exc

    def encode(self) -> bytes:
        """Canonical JSON: the same manifest always has the same bytes. Fields that came after format 1 was first
        written are left out where they hold their defaults: an older bundle keeps its version.
        """
        held = msgspec.to_builtins(self)
        for name in LATER:
            if not getattr(self, name):
                del held[name]
        if not self.lineage.source:
            del held["lineage"]["source"]
        if self.conditional is not None and self.conditional.value == "completions" and not self.conditional.share:
            del held["conditional"]["value"], held["conditional"]["share"]
        return msgspec.json.format(msgspec.json.encode(held, order="sorted"), indent=2)

    @classmethod
    def decode(cls, raw: bytes) -> Manifest:
        """Raises BundleError for anything that is not a manifest of this format."""
        try:
            manifest = msgspec.json.decode(raw, type=cls)
        except UNREADABLE as exc:
            raise BundleError(
                f"manifest.json is not a bundle manifest ({exc}): train or fetch the bundle again"
            ) from exc
        if manifest.format != FORMAT:
            raise BundleError(f"bundle format {manifest.format} is not {FORMAT}: use the ascribe version that wrote it")
        return manifest

    def version(self) -> str:
        """Address of the content: time of creation and the first twelve digits of the manifest's sha256."""
        stamp = "".join(c for c in self.created if c.isalnum())
        return f"{stamp}-{digest(self.encode())[:12]}"


def digest(raw: bytes) -> str:
    """sha256 in hex."""
    return hashlib.sha256(raw).hexdigest()
