"""Latency of every tier beside the bare model and peers."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from ascribe.core.tiers import TIERS
from benchmarks.latency.reading import BUDGETS
from benchmarks.page.text import row, three
from benchmarks.record import Raw

INTRODUCTION = """## Latency

Telemetry of one server, 8, 12 and 32 counters; a 64-32 network or boosted trees as f; everything of a row in one
process, medians of five (of three for 256 rows, `accurate`, `exact` and peers). One file per cell.

![Milliseconds of one row, one thread](images/latency.svg)
"""


def text(raw: Raw) -> str:
    cells = list(raw.cells("latency").values())
    held = _held(raw)
    doors = [c for c in cells if "door" in c]
    read = [c for c in cells if "reading" in c]
    parts = [INTRODUCTION, _tiers(held), _completions(held), _peers(held), *([_door(doors)] if doors else [])]
    parts += [_readings(read)] if read else []
    return "\n".join(parts)


def _held(raw: Raw) -> list[dict[str, Any]]:
    """Bundles by threads, their tiers in order."""
    held = [c for c in raw.cells("latency").values() if "threads" in c]
    for c in held:
        c["tiers"] = {tier: c["tiers"][tier] for tier in TIERS if tier in c["tiers"]}
    return held


def _tiers(held: list[dict[str, Any]]) -> str:
    lines = [
        "Milliseconds of a call; standard error in W. Two threads share out the rows of a batch.",
        "",
        row("bundle", "threads", "tier", "1 row", "16 rows", "256 rows", "256 rows: cheaper per row by", "s.e."),
        row(*["---"] * 8),
    ]
    for c in held:
        bare = c["predict_ms"]
        lines.append(row(c["bundle"], c["threads"], "predict alone", *(three(bare[b]) for b in ("1", "16", "256")),
                          f"{256 * bare['1'] / bare['256']:.1f} x", ""))  # fmt: skip
        for tier, t in c["tiers"].items():
            ms = t["ms"]
            gain = f"{256 * ms['1'] / ms['256']:.1f} x" if "256" in ms else ""
            lines.append(row(c["bundle"], c["threads"], tier, *(three(ms.get(b)) for b in ("1", "16", "256")), gain,
                              three(t["stderr"])))  # fmt: skip
    lines += ["", "What the graphs hold:", ""]
    lines += [f"- {c['bundle']}, {tier}: {t['what']}" for c in held if c["threads"] == 1
              for tier, t in c["tiers"].items() if "what" in t]  # fmt: skip
    peaks = [f"{c['bundle']} {tier} {mib:.0f} MiB" for c in held for tier, mib in c.get("peak_mib", {}).items()]
    return "\n".join([*lines, "", f"Peak memory of a batch of 256 over that of one row: {', '.join(peaks)}.", ""])


def _completions(held: list[dict[str, Any]]) -> str:
    lines = [
        "### Completions: 256 coalitions x 16",
        "",
        "`floor`: predict, proposal (a mixture is drawn without that network) and energy of the bundle on the same",
        "shapes, each in one call.",
        "",
        row(
            "bundle", "threads", "energy", "law", "1 row, ms", "floor, ms", "over floor", "KernelSHAP's default / this"
        ),
        row(*["---"] * 8),
    ]
    for c in held:
        default = next((x["peers_ms"].get("shap kernel, default") for x in held if x["bundle"] == c["bundle"]
                        and x["threads"] == 1), None)  # fmt: skip
        for weighting, t in c["completions"].items():
            law = "mixture" if "(mixture)" in t["what"] else "proposal"
            whole = t["floor"]["whole_ms"]
            against = f"{default / whole:.2g} x" if default and c["threads"] == 1 else ""
            lines.append(row(c["bundle"], c["threads"], "on" if weighting == "energy" else "off", law,
                              three(whole), three(sum(t["floor"]["parts_ms"].values())),
                              f"{t['floor']['ratio']:.2f}", against))  # fmt: skip
    return "\n".join([*lines, ""])


def _peers(held: list[dict[str, Any]]) -> str:
    with_peers = [c for c in held if c["peers_ms"]]
    if not with_peers:
        return ""
    names = list(dict.fromkeys(name for c in with_peers for name in c["peers_ms"]))
    lines = ["### Peers, one row, one thread, ms", "", row("explainer", *(c["bundle"] for c in with_peers)),
             row(*["---"] * (1 + len(with_peers)))]  # fmt: skip
    for tier in ("fast", "balanced"):
        own = (three(c["tiers"].get(tier, {}).get("ms", {}).get("1")) for c in with_peers)
        lines += [row(f"**{tier}**", *own)]
    drawn = (three(c["completions"].get("energy", {}).get("ms", {}).get("1")) for c in with_peers)
    lines += [row("**completions, 256 x 16**", *drawn)]
    lines += [row(name, *(three(c["peers_ms"].get(name)) for c in with_peers)) for name in names]
    told = (
        "`equal`: 4,096 evaluations of the model, as 256 x 16 completions are. These draw what is hidden from a law "
        "that a network fitted, and pay for it; shap and Captum put in background rows. `fast` and `balanced` read "
        "networks that were fitted before: what that took is not in the table."
    )
    return "\n".join([*lines, "", *textwrap.wrap(told, 120), ""])


def _door(doors: list[dict[str, Any]]) -> str:
    lines = ["### Through gRPC, ms a call", "", row("bundle", "tier", "1 row", "16 rows", "256 rows", "per row by"),
             row(*["---"] * 6)]  # fmt: skip
    for c in doors:
        for tier, t in c["tiers"].items():
            ms = t["ms"]
            lines.append(row(c["bundle"], tier, *(three(ms[b]) for b in ("1", "16", "256")),
                              f"{256 * ms['1'] / ms['256']:.1f} x"))  # fmt: skip
    return "\n".join([*lines, ""])


def _readings(read: list[dict[str, Any]]) -> str:
    told = (
        "Root mean square error in W of the coalitions alone, 32 counters, the surrogate's game, 12 later rows; "
        "what `learnt` errs and states on 40."
    )
    head = [row("bundle", "reading", *(f"{m:,}" for m in BUDGETS)), row(*["---"] * (2 + len(BUDGETS)))]
    lines = ["### Readings of sampled coalitions", "", told, "", *head]
    for c in read:
        lines += [row(c["bundle"], name, *map(three, errors)) for name, errors in c["rmse"].items()]
        lines.append(row(c["bundle"], "learnt, 40 rows", *map(three, c["true"])))
        lines.append(row(c["bundle"], "stated", *map(three, c["stated"])))
        lines.append(row(c["bundle"], "95 % intervals cover", *(f"{100 * share:.1f} %" for share in c["coverage"])))
    return "\n".join([*lines, ""])


def draw(raw: Raw, folder: Path) -> None:
    """Bars of one row by bundle, logarithmic: the bare model, tiers, completions, peers."""
    from matplotlib import pyplot as plt

    held = [c for c in _held(raw) if c["threads"] == 1]
    colours = {"model": "#8a8f98", "ascribe": "#1f6fb2", "peer": "#d0812b"}
    figure, axes = plt.subplots(
        1, max(len(held), 1), figsize=(3.6 * max(len(held), 1), 5.2), sharex=True, squeeze=False
    )
    for axis, c in zip(axes[0], held, strict=False):
        bars = [("predict alone", c["predict_ms"]["1"], "model")]
        bars += [(tier, t["ms"]["1"], "ascribe") for tier, t in c["tiers"].items()]
        bars += [(f"256 x 16, energy {'on' if w == 'energy' else 'off'}", t["ms"]["1"], "ascribe")
                 for w, t in c["completions"].items()]  # fmt: skip
        bars += [(name, ms, "peer") for name, ms in c["peers_ms"].items()]
        bars.reverse()
        axis.barh([b[0] for b in bars], [b[1] for b in bars], color=[colours[b[2]] for b in bars])
        for k, b in enumerate(bars):
            axis.text(b[1] * 1.15, k, f"{b[1]:.3g}", va="center", fontsize=7)
        axis.set_xscale("log")
        axis.set_title(f"{c['bundle']}: {c['features']} features, {c['family'].removeprefix('power_')}", fontsize=9)
        axis.set_xlabel("ms a row, one thread", fontsize=8)
        axis.tick_params(labelsize=7)
        axis.margins(x=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(folder / "latency.svg", metadata={"Date": None})
    plt.close(figure)
