"""The bundles that are timed, trained at their first use by `ascribe train` on a server's telemetry: 8 and 12 counters
with a 64-32 network, all 32 with a network and with trees; `opteron32` is the other server, as in the accuracy bench.
`normal12`: 12 normal features, neighbours correlated by .6, and a 64-32 network: the law needs a single component.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from ascribe.bundle import archive
from ascribe.train.compile import Wanted, compile_bundle
from benchmarks.accuracy import servers
from benchmarks.power import FEATURES, ROOT, TARGET, UNITS

__all__ = ["BUNDLES", "bundle_of", "variant"]

CACHE = ROOT / "runs" / "latency"
DATA = ROOT / "examples" / "data"
XEON = "xeon_e5_2650.parquet"
SECONDS = 40  # of each fit of the small ones: how good they are does not change how long they take
TWELVE = (
    "cpu_user", "cpu_system", "cpu_idle", "cpu-cycles", "instructions", "branches", "LLC-loads", "LLC-stores",
    "contexts", "interrupts", "pkts_in", "mem_cached",
)  # fmt: skip
NORMAL = tuple(f"x{j}" for j in range(12))
BUNDLES = {
    "normal12": ("", NORMAL, "power_mlp"),
    "net8": (XEON, TWELVE[:8], "power_mlp"),
    "net12": (XEON, TWELVE, "power_mlp"),
    "net32": (XEON, tuple(FEATURES), "power_mlp"),
    "trees32": (XEON, tuple(FEATURES), "power_xgboost"),
}


def bundle_of(name: str) -> Path:
    """The bundle's folder."""
    if name == "opteron32":
        return servers.bundle_of("opteron6140")[0]
    place = CACHE / name
    if not (place / "manifest.json").exists():
        data, features, family = BUNDLES[name]
        command = [sys.executable, "-m", "ascribe", "train", "--features", ",".join(features), "--family", family]
        command += ["--out", str(place), "--target", TARGET, "--units", str(UNITS)]
        telemetry = ["--data", str(DATA / data), "--time", "seq", "--group", "source,workload"]
        command += telemetry if data else ["--data", str(_normal())]
        command += ["--max-seconds", str(SECONDS)] if len(features) < len(FEATURES) else []
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return place


def _normal() -> Path:
    """5,000 rows of the features of `normal12` and a smooth target."""
    CACHE.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    C = 0.6 ** np.abs(np.subtract.outer(np.arange(12), np.arange(12)))
    X = rng.standard_normal((5000, 12)) @ np.linalg.cholesky(C).T
    pairs = 2 * np.sin(X[:, 0] * X[:, 1]) + X[:, 2] ** 2 + 1.5 * X[:, 3] * X[:, 4]
    y = 100 + 5 * (pairs + X[:, 5:] @ np.linspace(1, -1, 7)) + rng.standard_normal(5000)
    place = CACHE / "normal12.parquet"
    pl.DataFrame(dict(zip(NORMAL, X.T, strict=True)) | {TARGET: y}).write_parquet(place)
    return place


def variant(name: str, weighting: str, wanted: Wanted) -> Path:
    """A copy whose completions are weighted as named, with one tier compiled as wanted."""
    place = CACHE / f"{name}_{weighting}_{wanted.value}_{wanted.budget}x{wanted.samples}"
    if (place / "explain.onnx").exists():
        return place
    source = archive.open_directory(bundle_of(name))
    files = {file: source.read(role) for role, file in source.manifest.roles.items()}
    told = source.manifest.conditional
    assert told is not None
    kept = msgspec.structs.replace(source.manifest, conditional=msgspec.structs.replace(told, weighting=weighting))
    shutil.rmtree(place, ignore_errors=True)
    archive.write(place, kept, files)
    compile_bundle(place, [wanted])
    return place
