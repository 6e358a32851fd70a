"""Forecasts: measures of every forecaster, and error by hour of the horizon."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.forecast import BLOCK
from benchmarks.page.text import row, share, three
from benchmarks.record import Raw

PLAIN = ("persistence", "yesterday", "last_week")
TITLES = {"b5m": "B5M, one backbone", "bitbrains": "Bitbrains, 24 virtual machines"}
INTRODUCTION = """## Forecasts

Five-minute steps, seven days in, one day out, an origin every six hours of the last quarter, all on the same
targets. Everything is fitted on the first three quarters; statsforecast's models anew at each origin on the 28 days
before it, on hourly means where the name says so (an hour's forecast stands for its twelve steps). MASE: 1 is the
mean step of a day on the training part. The last column is the ratio of scaled errors, with a 95 % interval over
blocks of two days. The band is nominally 90 %. Fit: seconds of one core. Where values come near 0, MAPE says little.

![Error by step of the horizon](images/forecast.svg)
"""


def text(raw: Raw) -> str:
    cells = list(raw.cells("forecast").values())
    parts, every = [INTRODUCTION], {c["model"]: None for c in cells}
    for data, title in TITLES.items():
        held = sorted((c for c in cells if c["data"] == data), key=lambda c: c["mase"])
        if held:
            parts.append(_table(title, held))
            if absent := [name.replace("_", " ") for name in every if name not in {c["model"] for c in held}]:
                parts.append("\n".join([*textwrap.wrap(f"Not run on it: {', '.join(absent)}.", 120), ""]))
    return "\n".join(parts)


def _table(title: str, held: list[dict[str, Any]]) -> str:
    from ascribe.core.forecast.paired import ratio

    first = held[0]
    plain = [c for c in held if c["model"] in PLAIN]
    best = min(plain, key=lambda c: sum(c["by_moment"]))
    many = first["series"] > 1
    zeros = first["zeros_left_out_of_mape"]
    lines = [
        f"### {title}",
        "",
        f"{first['origins']:,} origins at {first['moments']} moments, {first['targets']:,} targets"
        + (f", {zeros:,} of them 0 and left out of MAPE" if zeros else "")
        + ".",
        "",
        row("forecaster", f"MAE, {first['unit']}", "MAPE", "MASE", *(["median MASE"] if many else []), "pinball",
             "covered", "width", "fit, s", f"against {best['model'].replace('_', ' ')}"),
        row(*["---"] * (10 if many else 9)),
    ]  # fmt: skip
    for c in held:
        r = ratio(np.array(c["by_moment"]), np.array(best["by_moment"]), BLOCK)
        against = "" if c is best else f"{r.value:.2f} ({r.low:.2f} to {r.high:.2f})"
        lines.append(row(
            c["model"].replace("_", " "), f"{c['mae']:.4g}", share(c["mape"]), f"{c['mase']:.3f}",
            *([f"{c['mase_median']:.3f}"] if many else []), f"{c['pinball']:.3g}", f"{100 * c['coverage']:.1f} %",
            f"{c['width']:.4g}", three(c.get("fit_s")), against,
        ))  # fmt: skip
    return "\n".join([*lines, ""])


def draw(raw: Raw, folder: Path) -> None:
    """MASE by hour of the horizon, a panel for each data set."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt

    from ascribe.report.forecast_table import LINES, line_of

    cells = list(raw.cells("forecast").values())
    shown = [data for data in TITLES if any(c["data"] == data for c in cells)]
    figure, axes = plt.subplots(1, len(shown), figsize=(5.2 * len(shown), 4.4), squeeze=False)
    names = sorted({c["model"] for c in cells}, key=lambda n: (list(LINES).index(n) if n in LINES else len(LINES), n))
    for axis, data in zip(axes[0], shown, strict=True):
        for k, name in enumerate(names):
            held = [c for c in cells if c["data"] == data and c["model"] == name]
            if not held:
                continue
            by = np.array([np.nan if v is None else v for v in held[0]["by_step"]["mase"]])
            fold = max(1, 3600 // held[0]["step_s"])
            hours = by[: len(by) // fold * fold].reshape(-1, fold).mean(axis=1)
            axis.plot(np.arange(1, len(hours) + 1), hours, label=name.replace("_", " "), **line_of(name, k))
        axis.set_title(TITLES[data], fontsize=10, loc="left")
        axis.set_xlabel("hour of the horizon", fontsize=9)
        axis.set_ylabel("MASE, logarithmic", fontsize=9)
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(mpl.ticker.LogLocator(subs=(1, 1.5, 2, 3, 5)))
        axis.yaxis.set_major_formatter(mpl.ticker.FuncFormatter(lambda v, _: f"{v:g}"))
        axis.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
        axis.tick_params(labelsize=8, which="both")
        axis.set_xlim(1, len(hours))
        axis.set_xticks([1, 6, 12, 18, 24])
        axis.grid(alpha=0.25, which="both")
        axis.spines[["top", "right"]].set_visible(False)
    lines: dict[str, Any] = {}
    for axis in axes[0]:
        lines |= dict(zip(*reversed(axis.get_legend_handles_labels()), strict=True))
    figure.legend(lines.values(), lines.keys(), loc="lower center", ncol=5, fontsize=8, frameon=False)
    figure.tight_layout(rect=(0, 0.11, 1, 1))
    figure.savefig(folder / "forecast.svg", metadata={"Date": None})
    plt.close(figure)
