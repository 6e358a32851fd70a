"""How long each tier takes on this machine, and how sure it is: measured when a bundle is published, and again when a
server warms up.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from ascribe.bundle.archive import PART, Bundle, entry, open_directory, write, write_manifest
from ascribe.bundle.holdout import answerable
from ascribe.bundle.manifest import Manifest, Tier
from ascribe.bundle.runtime import load
from ascribe.bundle.sessions import cores
from ascribe.core import tiers
from ascribe.core.arrays import evenly
from ascribe.core.latency import Measured
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.tiers import TIERS

__all__ = ["BATCHES", "measure", "refreshed", "timed"]

BATCHES = (1, 16, 256)
REPEATS = 5
WARM_BATCHES, WARM_REPEATS = (1, 16), 3
SLOW_MS = 200.0  # a call above is measured once, and larger batches not at all


def measure(
    model: Model, X: np.ndarray, batches: Sequence[int] = BATCHES, repeats: int = REPEATS, some: Iterable[str] = TIERS
) -> dict[str, Measured]:
    """Median milliseconds of a call of every tier (of `some`) that the model offers, by number of rows, and the root
    mean square of the standard errors that it states. `X`: rows that can be answered; repeated to fill a batch.
    """
    found = {}
    for tier in [tier for tier in tiers.offered(model) if tier in some]:
        latency: dict[int, float] = {}
        errors: list[np.ndarray] = []
        for rows in batches:
            batch = np.resize(X, (rows, X.shape[1]))
            tiers.explain(model, batch[:1], "conditional_shap", Options(), tier)  # opens what is opened at first use
            spent: list[float] = []
            while len(spent) < repeats and (not spent or spent[-1] < SLOW_MS):
                begin = time.perf_counter()
                answer = tiers.explain(model, batch, "conditional_shap", Options(), tier)
                spent.append((time.perf_counter() - begin) * 1e3)
            latency[rows] = statistics.median(spent)
            errors.append(answer.stderr[np.isfinite(answer.stderr)])
            if latency[rows] >= SLOW_MS:
                break
        stated = np.concatenate(errors)
        found[tier] = Measured(float(np.sqrt((stated**2).mean())) if len(stated) else None, latency)
    return found


def refreshed(model: Model, X: np.ndarray) -> dict[str, Measured]:
    """What was measured where the bundle was published, as far as it holds here: compiled tiers are measured again in
    small batches, and all else is scaled by what those take here over what they took there.
    """
    found = measure(model, X, WARM_BATCHES, WARM_REPEATS, model.compiled or {})
    ratios = [
        ms / held.latency_ms[rows]
        for tier, here in found.items()
        for rows, ms in here.latency_ms.items()
        if (held := model.tiers.get(tier)) is not None and rows in held.latency_ms
    ]
    slower = statistics.median(ratios) if ratios else 1.0
    scaled = {
        tier: Measured(held.stderr, {rows: ms * slower for rows, ms in held.latency_ms.items()})
        for tier, held in model.tiers.items()
    }
    for tier, here in found.items():
        held = scaled.get(tier, here)
        scaled[tier] = Measured(held.stderr, {**held.latency_ms, **here.latency_ms})
    return scaled


def timed(directory: Path, again: bool = False) -> Bundle:
    """The bundle at a directory with its tiers and those of its parts measured on this machine: once, so that the same
    bundle keeps its version, or `again`. A bundle without tiers (but `again`) or held-out rows is left as it is.
    """
    bundle = open_directory(directory)
    manifest, files = _timed(bundle, again), {}
    entries = dict(manifest.files)
    for target, part in bundle.parts().items():
        name = manifest.roles[PART + target]
        files[name] = _timed(part, again).encode()
        entries[name] = entry(files[name])
    manifest = msgspec.structs.replace(manifest, files=entries)
    if manifest == bundle.manifest:
        return bundle
    if files:
        write(directory, manifest, files)
    else:
        write_manifest(directory, manifest)
    return Bundle(manifest, bundle.fetch, bundle.origin)


def _timed(bundle: Bundle, again: bool) -> Manifest:
    """The manifest with what is measured; as it is where there is nothing to measure."""
    manifest = bundle.manifest
    if not bundle.has("holdout") or (not again and (manifest.machine or not manifest.tiers)):
        return manifest
    model = load(bundle)
    X = answerable(bundle)
    if not len(X):
        return manifest
    found = measure(model, X[evenly(len(X), BATCHES[-1])])
    held = {
        name: msgspec.structs.replace(
            manifest.tiers.get(name, Tier()), stderr=m.stderr,
            latency_ms={str(rows): round(ms, 4) for rows, ms in m.latency_ms.items()},
        )
        for name, m in found.items()
    }  # fmt: skip
    return msgspec.structs.replace(manifest, tiers=manifest.tiers | held, machine=_machine())


def _machine() -> str:
    """Where it was measured, in words that do not name the host."""
    return f"{platform.machine()} {_processor()}, {cores()} threads, Python {platform.python_version()}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
