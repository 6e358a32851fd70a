"""One cell: a bundle on one thread or two; everything that is compared is timed in the same run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from ascribe.bench import floor, milliseconds
from ascribe.bundle import archive, sessions
from ascribe.bundle.holdout import answerable, holdout
from ascribe.bundle.runtime import compiled, load
from ascribe.bundle.sessions import session
from ascribe.core import tiers
from ascribe.core.options import Options
from ascribe.train.compile import Wanted, told
from benchmarks.latency.bundles import bundle_of, variant
from benchmarks.latency.peers import peers, tree_peer

__all__ = ["BATCHES", "cell", "peak_mib"]

BATCHES = (1, 16, 256)
BUDGET, SAMPLES = 256, 16  # of the completions that are compared with peers
REPEATS = 5


def cell(name: str, threads: int, quick: bool = False) -> dict[str, Any]:
    """Milliseconds of a call by batch: predict, every tier, completions with and without the energy; peers, one row."""
    place = bundle_of(name)
    bundle = archive.open_directory(place)
    with mock.patch.object(sessions, "cores", return_value=threads):
        model = load(bundle)
    X = answerable(bundle)
    rows = {b: np.resize(X, (b, X.shape[1])).astype(np.float32) for b in BATCHES}
    bare = session(bundle.read("predict"), name, threads)
    answer: dict[str, Any] = {
        "bundle": name, "threads": threads, "features": X.shape[1], "family": bundle.manifest.family,
        "predict_ms": {str(b): milliseconds(lambda b=b: bare.run(None, {"x": rows[b]}), REPEATS) for b in BATCHES},
        "tiers": {}, "completions": {}, "peers_ms": {},
    }  # fmt: skip
    for tier in ("fast", "balanced"):
        if tier in bundle.manifest.tiers:
            answer["tiers"][tier] = _graph(bundle, tier, rows, threads)
    for tier in ("accurate", "exact"):
        if tier in tiers.offered(model):
            spent = milliseconds(lambda tier=tier: tiers.explain(model, rows[1], "", Options(), tier), 3)
            found = tiers.explain(model, X[:8], "", Options(), tier)
            answer["tiers"][tier] = {"ms": {"1": spent}, "stderr": float(np.sqrt((found.stderr**2).mean()))}
    for weighting in ("proposal", "energy"):
        other = archive.open_directory(variant(name, weighting, Wanted(value="completions", budget=BUDGET,
                                                                       samples=SAMPLES)))  # fmt: skip
        answer["completions"][weighting] = _graph(other, "balanced", rows, threads)
    if threads == 1 and not quick:
        assert model.predict is not None and model.background is not None
        run = bare.run
        calls = peers(lambda Z: run(None, {"x": np.asarray(Z, np.float32)})[0], model.background, X[0])
        answer["peers_ms"] = {peer: milliseconds(call, 3) for peer, call in calls.items()}
        if bundle.manifest.family == "power_xgboost":
            trees = int(bundle.manifest.lineage.options["power"]["trees_used"])
            own = tree_peer(X, np.asarray(model.predict(X)), trees)
            answer["peers_ms"]["xgboost pred_contribs"] = milliseconds(lambda: own(rows[1]), REPEATS)
    if threads == 1:
        answer["peak_mib"] = {tier: peak_mib(place, tier) for tier in answer["tiers"] if tier in ("fast", "balanced")}
    return answer


def _graph(bundle: archive.Bundle, tier: str, rows: dict[int, np.ndarray], threads: int) -> dict[str, Any]:
    run = compiled(bundle, tier, threads).run
    held = bundle.manifest.tiers[tier]
    found: dict[str, Any] = {
        "what": told(held, bundle.manifest.target.unit), "stderr": held.stderr, "parity": held.parity,
        "ms": {str(b): milliseconds(lambda b=b: run(rows[b]), REPEATS if b < 256 else 3) for b in BATCHES},
    }  # fmt: skip
    if held.budget:
        found["floor"] = floor(bundle, tier, rows[1], threads)
    return found


def peak_mib(place: Path, tier: str, rows: int = 256) -> float:
    """The most resident memory of a process that explains one batch, less that of one that explains one row.

    Of the program itself: what `getrusage` tells begins with the memory of the process that started it.
    """
    found = [
        float(subprocess.run([sys.executable, "-m", "benchmarks.latency.cells", str(place), tier, str(b)],
                             check=True, capture_output=True, text=True).stdout)
        for b in (1, rows)
    ]  # fmt: skip
    return found[1] - found[0]


if __name__ == "__main__":
    held = archive.open_directory(Path(sys.argv[1]))
    batch = np.resize(holdout(held)[0], (int(sys.argv[3]), len(held.manifest.features))).astype(np.float32)
    compiled(held, sys.argv[2], 1).run(batch)
    (peak_kib,) = re.findall(r"^VmHWM:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.M)
    print(int(peak_kib) / 1024)
