"""The two servers of the power study."""

from __future__ import annotations

from benchmarks.page.text import table
from benchmarks.record import Raw


def text(raw: Raw) -> str:
    servers = {name: raw(f"power_{name}") for name in ("xeon_e5_2650", "opteron6140")}
    held = servers.values()
    lines = [
        ["R2 held out, served model", *(f"{d['holdout_r2']:.4f} ({d['family']})" for d in held)],
        ["R2 held out, power_mlp", *(f"{d['families']['power_mlp']['holdout']:.4f}" for d in held)],
        ["R2 held out, plain boosting", *(", ".join(f"{r:.3f}" for r in d["plain_boosting_r2"]) for d in held)],
        ["largest efficiency gap, W", *(f"{d['efficiency_gap_w']:.1g}" for d in held)],
        ["seconds of `ascribe train`", *(f"{d['train_s']:.0f}" for d in held)],
    ]
    return f"""## The two servers of the power study

`ascribe train` on 32 counters, in time order within each workload, the last 30 % held out; beside it scikit-learn's
histogram boosting at its defaults on the same rows, three seeds.

{table(("", *servers), lines)}"""
