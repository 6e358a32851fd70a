"""Attention beside attributions of a forecast: python -m benchmarks.attended [--quick]

The network of `ascribe forecast train` on the bundled backbone series, then what `ascribe forecast predict --explain`
says of its newest windows: rank agreement by day, and a deletion test. `--quick`: two weeks, a day in, six hours out.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.power import ROOT
from benchmarks.record import keep

DATA = str(ROOT / "examples" / "data" / "B5M.csv.gz")
COLUMNS = ["--time", "timestamp", "--value", "bits", "--step", "5min", "--zone", "Europe/London"]
QUICK = ["--context", "1d", "--horizon", "6h"]


def main() -> None:
    quick = "--quick" in sys.argv[1:]
    last = ["--last", "14d"] if quick else []
    with tempfile.TemporaryDirectory() as folder:
        bundle, out = f"{folder}/bundle", f"{folder}/next.parquet"
        asked = ["forecast", "train", "--data", DATA, *last, *COLUMNS, "--family", "traffic_seq2seq", "--out", bundle]
        for arguments in (
            asked + (QUICK if quick else []),
            ["forecast", "predict", bundle, "--data", DATA, *last, "-o", out, "--explain"],
        ):
            subprocess.run([sys.executable, "-m", "ascribe", *arguments], check=True)
        found = json.loads(Path(folder, "next.attention.json").read_text())
    print(keep("attended", {"check": found}, quick))


if __name__ == "__main__":
    main()
