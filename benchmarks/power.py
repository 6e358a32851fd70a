"""Both servers of the power study through the command line, beside a plain boosted-tree fit in the same run.

    python -m benchmarks.power [xeon_e5_2650 | opteron6140] [--quick]

Time-ordered within workload, first 70 % trains. Reports R2 on the rest for both families and for scikit-learn's
histogram boosting at its defaults (three seeds), seconds to train, and seconds to explain a row. `--quick`: the first
server, ten seconds of fitting.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import tempfile
import time
import tomllib
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow.feather
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import r2_score

import ascribe
from benchmarks.record import keep

ROOT = Path(__file__).parents[1]
UNITS = ROOT / "examples" / "units_power.toml"
TARGET = "powerWatts"
FEATURES = [name for name in tomllib.loads(UNITS.read_text()) if name != TARGET]


def plain_boosting(data: Path) -> list[float]:
    """R2 on the held-out part of scikit-learn's boosting, the same split, the same impossible rows left out."""
    rows = pl.read_parquet(data).filter(pl.col("cpu_wio") <= 100).sort("seq")
    blocks = rows.partition_by(["source", "workload"], maintain_order=True)
    cut = [round(0.7 * len(block)) for block in blocks]
    train = pl.concat([block[:k] for block, k in zip(blocks, cut, strict=True)])
    rest = pl.concat([block[k:] for block, k in zip(blocks, cut, strict=True)])
    X, X_rest = (part.select(FEATURES).to_numpy() for part in (train, rest))
    return [
        float(
            r2_score(rest[TARGET], HistGradientBoostingRegressor(random_state=s).fit(X, train[TARGET]).predict(X_rest))
        )
        for s in range(3)
    ]


def one(name: str, quick: bool = False) -> dict[str, object]:
    data = ROOT / "examples" / "data" / f"{name}.parquet"
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        command = [sys.executable, "-m", "ascribe", "train", "--data", str(data), "--target", TARGET, "--features"]
        command += [",".join(FEATURES), "--time", "seq", "--group", "source,workload", "--units", str(UNITS)]
        command += ["--max-seconds", "10"] if quick else []
        begin = time.perf_counter()
        subprocess.run([*command, "--out", str(bundle)], check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - begin
        metrics = json.loads((bundle / "manifest.json").read_text())["metrics"]
        model = ascribe.open(bundle)
        held = pyarrow.feather.read_table(io.BytesIO(model.bundle.read("holdout"))).slice(0, 16)
        model.explain(held.slice(0, 1), samples=32)
        begin = time.perf_counter()
        a = model.explain(held, samples=32)
        row_s = (time.perf_counter() - begin) / len(a)
        plain = plain_boosting(data)
        return {
            "family": model.bundle.manifest.family,
            "holdout_r2": metrics["holdout"]["r2"],
            "families": {
                k: {part: v[part]["r2"] for part in ("validation", "holdout")} for k, v in metrics["families"].items()
            },
            "plain_boosting_r2": plain,
            "r2_minus_plain_mean": metrics["holdout"]["r2"] - float(np.mean(plain)),
            "train_s": seconds,
            "emshap_s": metrics["conditional"]["seconds"],
            "weighting": model.bundle.manifest.conditional.weighting,  # type: ignore[union-attr]
            "conditional": metrics["conditional"]["reason"],
            "explain_s_per_row_1024x32": row_s,
            "efficiency_gap_w": a.info.gaps["efficiency_gap"],
            "stderr_mean_w": float(np.nanmean(a.stderr)),
            "prediction_sd_w": float(
                np.std(model.predict(pyarrow.feather.read_table(io.BytesIO(model.bundle.read("holdout")))))
            ),
        }


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    asked = [name for name in sys.argv[1:] if name != "--quick"]
    for name in asked or ["xeon_e5_2650", "opteron6140"][: 1 if quick else 2]:
        numbers = one(name, quick)
        for key, value in numbers.items():
            print(f"{key:28s} {value}")
        print(keep(f"power_{name}", numbers, quick))


if __name__ == "__main__":
    main()
