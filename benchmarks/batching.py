"""A million rows through random batching on a real model: no answer may cross, each must be the unbatched one.

    python -m benchmarks.batching [--rows 1000000] [--quick]

Requests of 1 to 200 rows by 16 callers arrive at random for predictions and for compiled tiers of a small model; their
answers are compared with those of the same rows asked alone, before. Tolerance: 1e-6 of the answer's scale.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from ascribe.bundle.archive import open_directory
from ascribe.bundle.runtime import load
from ascribe.core.options import Options
from ascribe.serve import kinds
from ascribe.serve.batcher import Batcher
from ascribe.train.compile import Wanted, compile_bundle
from benchmarks.record import keep
from tests.bundle import made

KNOWN = 400  # different rows
CALLERS, AT_ONCE = 16, 64
TOLERANCE = 1e-6


def soak(count: int, seed: int = 0) -> dict[str, Any]:
    """Counts of rows, of answers that belong to other rows, and of answers that differ from the unbatched ones."""
    with tempfile.TemporaryDirectory() as folder:
        made.made(Path(folder) / "bundle", amortized=True)
        compile_bundle(Path(folder) / "bundle", [Wanted("balanced"), Wanted("fast")], lambda _: None)
        model = load(open_directory(Path(folder) / "bundle"))
    X = made.rows(KNOWN, 5)
    ways = {"predict": kinds.predicting(model)}
    ways |= {tier: kinds.explaining(model, "", Options(), tier, 64) for tier in ("fast", "balanced")}
    alone = {name: np.concatenate([_numbers(way.run(X[i : i + 1], lambda: None)) for i in range(KNOWN)])
             for name, way in ways.items()}  # fmt: skip
    scale = {name: np.abs(table).max() for name, table in alone.items()}
    found = {"rows": 0, "crossed": 0, "different": 0, "largest": 0.0, "requests": 0}

    async def caller(batcher: Batcher, rng: np.random.Generator) -> None:
        while found["rows"] < count:
            name = ("predict", "fast", "balanced")[rng.choice(3, p=[0.5, 0.35, 0.15])]
            at = rng.integers(0, KNOWN, rng.integers(1, 200) if rng.random() < 0.2 else rng.integers(1, 8))
            answer = _numbers((await batcher.submit(ways[name], X[at], str(rng.integers(CALLERS)))).value)
            off = np.abs(answer - alone[name][at]).max(axis=1) / scale[name]
            found["different"] += int((off > TOLERANCE).sum())
            found["crossed"] += sum(int((np.abs(alone[name] - answer[i]).max(axis=1) / scale[name]).argmin() not in
                                        np.flatnonzero((X[at[i]] == X).all(axis=1))) for i in np.flatnonzero(off > TOLERANCE))  # noqa: E501  # fmt: skip
            found["largest"] = max(found["largest"], float(off.max()))
            found["rows"] += len(at)
            found["requests"] += 1
            if rng.random() < 0.1:
                await asyncio.sleep(rng.random() / 1000)

    async def main() -> None:
        cores = len(os.sched_getaffinity(0))
        with ThreadPoolExecutor(cores) as pool:
            batcher = Batcher(pool, cores, 1 << 20)
            await asyncio.gather(*(caller(batcher, np.random.default_rng(seed + i)) for i in range(AT_ONCE)))
            await batcher.idle()

    start = time.perf_counter()
    asyncio.run(main())
    return found | {"seconds": time.perf_counter() - start}


def _numbers(answer: Any) -> np.ndarray:
    """What a row's answer consists of (rows, numbers)."""
    return answer[:, None] if isinstance(answer, np.ndarray) else np.column_stack([answer.prediction, answer.values])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true")
    asked = parser.parse_args()
    held = soak(50_000 if asked.quick else asked.rows)
    print(held)
    keep("batching", held, asked.quick)
    sys.exit(bool(held["crossed"] or held["different"]))


if __name__ == "__main__":
    main()
