"""`ascribe bench`: what each tier of a bundle takes here, and what its parts alone would take.

    floor = predict, proposal, energy and surrogate of a compiled tier, each once, on the shapes that one row needs

A law that is a mixture is drawn without the proposal. A compiled tier near its floor leaves nothing to win but smaller
parts.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

from ascribe.bundle.archive import Bundle
from ascribe.bundle.holdout import answerable
from ascribe.bundle.latency import BATCHES, timed
from ascribe.bundle.manifest import Tier
from ascribe.bundle.runtime import compiled
from ascribe.bundle.sessions import session
from ascribe.bundle.written import write_whole
from ascribe.console import err, out
from ascribe.core.errors import InputError
from ascribe.core.tiers import TIERS

__all__ = ["floor", "milliseconds", "run"]

REPEATS = 9


def run(directory: Path, output: Path | None) -> dict[str, Any]:
    """Measure, record latencies in the bundle's manifest, show a table, and keep the numbers where a file is named.
    Raises InputError without held-out rows that lie in the training range.
    """
    with err.status("measuring"):
        bundle = timed(directory, again=True)
        manifest = bundle.manifest
        if not any(tier.latency_ms for tier in manifest.tiers.values()):
            raise InputError(f"{directory} has no held-out rows in its training range to ask about: train it again")
        X, unit = answerable(bundle), manifest.target.unit
        answer: dict[str, Any] = {
            "version": manifest.version(),
            "machine": manifest.machine,
            "tiers": {
                name: {"stderr": manifest.tiers[name].stderr, "latency_ms": manifest.tiers[name].latency_ms}
                for name in TIERS
                if name in manifest.tiers and manifest.tiers[name].latency_ms
            },
            "floors": {
                name: floor(bundle, name, X) for name, tier in manifest.tiers.items() if tier.role and tier.budget
            },
        }
    table = Table("tier", *(f"{rows} rows, ms" for rows in BATCHES), "standard error", "over its floor", box=None)
    for name, m in answer["tiers"].items():
        cells = [f"{m['latency_ms'][str(b)]:.3g}" if str(b) in m["latency_ms"] else "" for b in BATCHES]
        ratio = answer["floors"].get(name, {}).get("ratio")
        stated = "" if m["stderr"] is None else f"{m['stderr']:.3g} {unit}"
        table.add_row(name, *cells, stated, f"{ratio:.2f}" if ratio else "")
    out.print(table)
    if output is not None:
        write_whole(output, json.dumps(answer, indent=1) + "\n")
        err.print(f"-> {output}")
    return answer


def floor(bundle: Bundle, name: str, X: np.ndarray, threads: int = 1) -> dict[str, Any]:
    """One row by a compiled tier beside its parts alone, each in one call, on as many threads: milliseconds, and the
    ratio. `X`: rows, the first is asked.
    """
    tier = bundle.manifest.tiers[name]
    whole = compiled(bundle, name, threads)
    row = X[:1].astype(np.float32)
    parts = {part: milliseconds(call) for part, call in _parts(bundle, tier, row, threads).items()}
    total = milliseconds(lambda: whole.run(row))
    return {"whole_ms": total, "parts_ms": parts, "ratio": total / sum(parts.values())}


def _parts(bundle: Bundle, tier: Tier, row: np.ndarray, threads: int) -> dict[str, Callable[[], object]]:
    inner, n = tier.budget - 2, row.shape[1]
    rng = np.random.default_rng(0)

    def scored(rows: int) -> dict[str, np.ndarray]:
        return {"score": rng.standard_normal((rows, n)).astype(np.float32), "observed": rng.random((rows, n)) < 0.5}

    def call(role: str, fed: dict[str, np.ndarray]) -> Callable[[], object]:
        held = session(bundle.read(role), role, threads)
        return lambda: held.run(None, fed)

    completed = inner * tier.samples
    parts = {"predict": call("predict", {"x": np.repeat(row, max(completed, 1), axis=0)})}
    if completed:
        if tier.law != "mixture":
            parts["proposal"] = call("proposal", scored(inner))
        told = bundle.manifest.conditional
        if told is not None and told.weighting == "energy":
            parts["energy"] = call("energy", scored(completed))
    if tier.value != "completions":
        parts["surrogate"] = call("surrogate", scored(inner))
    return parts


def milliseconds(call: Callable[[], object], repeats: int = REPEATS) -> float:
    """Median of a call's time, the first not counted."""
    call()
    spent = []
    for _ in range(repeats):
        begin = time.perf_counter()
        call()
        spent.append((time.perf_counter() - begin) * 1e3)
    return statistics.median(spent)
