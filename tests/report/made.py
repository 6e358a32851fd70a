"""An attribution as a power model would give it: 32 counters, five rows, two of them without an answer."""

from __future__ import annotations

import numpy as np

from ascribe.core.attribution import Attribution, Info

COUNTERS = (
    "instructions", "cpu-cycles", "ref-cycles", "cache-misses", "cache-references", "branch-instructions",
    "branch-misses", "L1-dcache-load-misses", "L1-dcache-loads", "L1-icache-load-misses", "LLC-load-misses",
    "LLC-loads", "LLC-store-misses", "dTLB-load-misses", "dTLB-loads", "iTLB-load-misses", "page-faults",
    "context-switches", "cpu-migrations", "bus-cycles", "mem-loads", "mem-stores", "uops-retired", "uops-issued",
)  # fmt: skip
OTHERS = {
    "cpu_user": "percent", "cpu_idle": "percent", "mem_used_bytes": "bytes", "disk_read_bytes_per_s": "bytes/s",
    "cpu_frequency_mhz": "MHz", "package_temperature": "celsius", "load_ratio": "ratio", "uptime": "s",
}  # fmt: skip
NAMES = (*COUNTERS, *OTHERS)
UNITS = dict.fromkeys(COUNTERS, "count") | OTHERS
BASE = 105.0
BUSY, IDLE, TINY, INVALID, BROKEN = range(5)


def power(**changes) -> Attribution:
    """Base 105 W; busy 187 W, idle 64 W, tiny 105.004 W."""
    rng = np.random.default_rng(7)
    p = len(NAMES)
    size = np.sort(rng.standard_exponential((5, p)) ** 2)[:, ::-1] * np.where(rng.random((5, p)) < 0.2, -1, 1)
    size[:, 0] = np.abs(size[:, 0])
    values = size / size.sum(axis=1, keepdims=True) * np.array([82.0, -41.0, 0.004, 1.0, 1.0])[:, None]
    values[INVALID:] = np.nan
    data = np.concatenate(
        [10 ** rng.uniform(4, 10.5, (5, len(COUNTERS))), rng.uniform(1, 90, (5, len(OTHERS)))], axis=1
    )
    data[:, 0], data[:, 1] = 6.3e9, 27.6e9
    info = Info(
        "conditional_shap", "conditional", "completions", "kernel", 2048, 64, 0,
        unit="W", output="node power", version="9f3ac1d20b7e",
    )  # fmt: skip
    made = {
        "values": values,
        "base_value": BASE,
        "prediction": BASE + values.sum(axis=1),
        "stderr": np.abs(values) * 0.05 + 1e-4,
        "ess": np.full(5, 50.0),
        "status": np.array(["ok", "ok", "out_of_domain", "invalid", "not_finite"]),
        "reasons": ("", "", "uptime = 9 s outside", "cpu_user = 140 percent", "the model gave no finite number"),
        "features": NAMES,
        "data": data,
        "info": info,
    }
    return Attribution(**(made | changes))
