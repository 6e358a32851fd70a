"""Cells of the two servers' telemetry, through the bundle that `ascribe train` writes (32 counters).

stderr     of 1,024 coalitions over the standard deviation of the prediction, by the value that serves
error      at growing budgets against 65,536 coalitions of the surrogate's game, auto beside KernelSHAP
one pass   R2 against the accurate answer on held-out rows, microseconds a row in batches of 256, one core
"""

from __future__ import annotations

import io
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.feather

from benchmarks.accuracy.cells import answers
from benchmarks.accuracy.truth import CACHE

__all__ = ["cells", "one", "page"]

SERVERS = ("xeon_e5_2650", "opteron6140")
BUDGETS = (128, 256, 512, 1024, 2048, 4096)
ROWS, SEEDS, REFERENCE = 8, 3, 65_536


def cells(quick: bool = False) -> list[tuple[str, str, Any]]:
    """(group, name, callable)."""
    return [] if quick else [("servers", name, partial(one, name)) for name in SERVERS]


def bundle_of(name: str) -> tuple[Path, float | None]:
    """The bundle, trained at the first call; seconds of training if it was trained now."""
    from benchmarks.power import FEATURES, ROOT, TARGET, UNITS

    place = CACHE / f"bundle_{name}"
    if (place / "manifest.json").exists():
        return place, None
    data = ROOT / "examples" / "data" / f"{name}.parquet"
    command = [sys.executable, "-m", "ascribe", "train", "--data", str(data), "--target", TARGET, "--features"]
    command += [",".join(FEATURES), "--time", "seq", "--group", "source,workload", "--units", str(UNITS)]
    begin = time.perf_counter()
    subprocess.run([*command, "--out", str(place)], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return place, time.perf_counter() - begin


def one(name: str) -> dict[str, Any]:
    """Everything of one server."""
    import ascribe

    place, seconds = bundle_of(name)
    with _on_one_core():
        return {"server": name, "train_s": seconds} | _measured(ascribe.open(place))


@contextmanager
def _on_one_core() -> Iterator[None]:
    """A model shares rows out to the cores that it finds when it is opened, and two that share a unit take more
    processor time than one.
    """
    all_of_them = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(all_of_them)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, all_of_them)


def _measured(model: Any) -> dict[str, Any]:
    table = pyarrow.feather.read_table(io.BytesIO(model.bundle.read("holdout")))
    X = np.column_stack([table[f].to_numpy() for f in model.features]).astype(float)
    spread = float(np.std(model.predict(X)))
    some = X[np.linspace(0, len(X) - 1, ROWS).astype(int)]
    answer: dict[str, Any] = {
        "prediction_sd": spread,
        "metrics": model.bundle.manifest.metrics,
        "served": model.model.value,
        "values": {},
    }
    for value in ("surrogate", "completions", "stacked"):
        begin = time.process_time()
        a = model.explain(some, budget=1024, samples=32, value=value)
        answer["values"][value] = {
            "row_s": (time.process_time() - begin) / len(some),
            "stderr_over_sd": float(np.sqrt((a.stderr**2).mean()) / spread),
            "estimator": a.info.estimator,
        }
    answer["errors"] = _errors(model, some)
    answer["one_pass"] = _one_pass(model, X[:256])
    return answer


def _errors(model: Any, X: np.ndarray) -> dict[str, list[float]]:
    """RMS error of each estimator by budget, in the output's unit, on the surrogate's game."""
    truth = model.explain(X, budget=REFERENCE, estimator="kernel", value="surrogate").values
    found: dict[str, list[float]] = {"auto": [], "leverage": [], "kernel": [], "kernel, unpaired": []}
    for budget in BUDGETS:
        for name in ("auto", "leverage", "kernel"):
            parts = [
                model.explain(X, budget=budget, estimator=name, value="surrogate", seed=seed).values - truth
                for seed in range(SEEDS)
            ]
            found[name].append(float(np.sqrt(np.mean(np.square(parts)))))
        parts = [
            _unpaired(model, x, budget, seed) - phi for x, phi in zip(X, truth, strict=True) for seed in range(SEEDS)
        ]
        found["kernel, unpaired"].append(float(np.sqrt(np.mean(np.square(parts)))))
    return found


def _unpaired(model: Any, x: np.ndarray, budget: int, seed: int) -> np.ndarray:
    """KernelSHAP as published: coalitions drawn by the kernel's law with replacement, constrained least squares."""
    n = len(x)
    rng = np.random.default_rng(seed)
    sizes = np.arange(1, n)
    law = 1 / (sizes * (n - sizes))
    size = rng.choice(sizes, p=law / law.sum(), size=budget - 2)
    S = rng.random((budget - 2, n)).argsort(axis=1).argsort(axis=1) < size[:, None]
    base, fx = model.model.base_value, float(model.predict(x[None])[0])
    Z, y, T = S.astype(float), model.model.surrogate.value(x, S) - base, fx - base
    inverse = np.linalg.pinv(Z.T @ Z)
    a, g = inverse @ (Z.T @ y), inverse.sum(axis=1)
    return a + g * (T - a.sum()) / g.sum()


def _one_pass(model: Any, X: np.ndarray) -> dict[str, Any]:
    model.explain(X, "amortized_shap")
    times = []
    for _ in range(5):
        begin = time.process_time()
        a = model.explain(X, "amortized_shap")
        times.append((time.process_time() - begin) / len(X) * 1e6)
    told = model.bundle.manifest.amortized
    return {
        "us_a_row": statistics.median(times),
        "r2": told.r2,
        "gap": a.info.gaps["efficiency_gap"],
        "value": told.value,
    }


def page(folder: Path) -> str:
    """Markdown, or nothing without cells."""
    held = {a["server"]: a for a in answers(folder, "servers")}
    if not held:
        return ""
    lines = [
        "| server | value | 1,024 coalitions: s.e. / sd of the prediction | s a row | read by |",
        "|---|---|---|---|---|",
    ]
    for name, a in held.items():
        for value, v in a["values"].items():
            mark = " (serves)" if value == a["served"] else ""
            lines.append(
                f"| {name} | {value}{mark} | {v['stderr_over_sd']:.2%} | {v['row_s']:.3f} | {v['estimator']} |"
            )
    lines += [
        "",
        "| server, RMS error (W) | " + " | ".join(f"{b:,}" for b in BUDGETS) + " |",
        "|" + "---|" * (len(BUDGETS) + 1),
    ]
    for name, a in held.items():
        lines += [f"| {name}, {k} | " + " | ".join(f"{e:.3g}" for e in v) + " |" for k, v in a["errors"].items()]
    lines += ["", "| server | one pass: R2 | us a row, 256 rows, one core |", "|---|---|---|"]
    lines += [f"| {name} | {a['one_pass']['r2']:.3f} | {a['one_pass']['us_a_row']:.0f} |" for name, a in held.items()]
    text = (
        "Through the bundles of `ascribe train`. Errors are those of the coalitions alone, on the surrogate's game "
        f"against {REFERENCE:,} coalitions; `kernel, unpaired` is KernelSHAP as published.\n"
    )
    return "### The two servers, 32 counters\n\n" + text + "\n" + "\n".join(lines) + "\n"
