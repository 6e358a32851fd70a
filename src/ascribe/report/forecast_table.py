"""A backtest on one sheet: error by step of the horizon, and a row of measures for each forecaster, the best first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ascribe.core.arrays import np
from ascribe.core.conversions import conversion
from ascribe.core.durations import in_words
from ascribe.core.errors import InputError
from ascribe.core.quantities import scale_of
from ascribe.report.ink import Ink, blank, lettered, measured
from ascribe.report.panel import INK, RULE, SMALL, SOFT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LINES", "figure", "line_of", "rows_of"]

# Plain forecasters are grey, told apart by dashes; those that learn have the colours of Okabe and Ito.
LINES: dict[str, dict[str, Any]] = {
    "persistence": {"color": "#9A9A9A", "linestyle": ":"},
    "yesterday": {"color": "#9A9A9A", "linestyle": "-"},
    "last_week": {"color": "#9A9A9A", "linestyle": "--"},
    "seasonal_mean": {"color": "#9A9A9A", "linestyle": "-."},
    "ridge_lags": {"color": "#0072B2"},
    "boosted_lags": {"color": "#009E73"},
    "traffic_seq2seq": {"color": "#D55E00"},
}
COLOURS = ("#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8A6D00")
COLUMNS = ("forecaster", "MAE", "MAPE", "MASE", "pinball", "covered", "width", "against the best plain one")
WIDE, TALL, MARGIN, ABOVE, BELOW, LINE = 8.6, 3.0, 0.3, 0.85, 0.62, 0.25  # inches
LEFT, HEAD, TEXT = 0.75, 12.0, 8.5


def line_of(model: str, k: int) -> dict[str, Any]:
    """How a forecaster is drawn; one without a line of its own takes the k-th colour."""
    return {"linewidth": 1.4, **LINES.get(model, {"color": COLOURS[k % len(COLOURS)]})}


def rows_of(report: dict[str, Any], wanted: str = "") -> list[tuple[str, ...]]:
    """Of the table, by error; empty where there is no interval. Raises InputError for a unit that cannot be had."""
    by, _ = _unit(report, wanted)
    found: list[tuple[str, ...]] = []
    for name in _order(report):
        m = report["models"][name]
        r = m.get("ratio_to_best_plain")
        against = "" if r is None or r["ratio"] is None or name == report["best_plain"] else (
            f"{r['ratio']:.2f} ({r['low']:.2f} to {r['high']:.2f})"
        )  # fmt: skip
        found.append((
            name.replace("_", " "), _number(m["mae"], by), _share(m["mape"]),
            "" if m["mase"] is None else f"{m['mase']:.3f}",
            _number(m.get("pinball"), by), _share(m.get("coverage")), _number(m.get("width"), by), against,
        ))  # fmt: skip
    return found


@lettered()
def figure(report: dict[str, Any], wanted: str = "") -> Figure:
    """Of a backtest's report. `wanted`: the unit to draw in. Raises MissingExtra without matplotlib."""
    if not report.get("models"):
        raise InputError("this report judges no forecaster: write one with `ascribe forecast backtest`")
    ink = measured()
    by, unit = _unit(report, wanted)
    rows = rows_of(report, wanted)
    height = ABOVE + TALL + BELOW + LINE * (len(rows) + 1) + MARGIN
    drawn = blank(WIDE, height)
    names = _order(report)
    legend = max(ink.width(name.replace("_", " "), TEXT) for name in names) + 0.5
    wide = WIDE - MARGIN - LEFT - legend
    axes = drawn.add_axes(
        (LEFT / WIDE, 1 - (ABOVE + TALL) / height, wide / WIDE, TALL / height), facecolor="white"
    )  # fmt: skip
    hours = report["data"]["step_s"] / 3600 * np.arange(1, report["window"]["horizon"] + 1)
    others = [name for name in names if name not in LINES]
    top = 0.0
    for name in names:
        values = np.array([np.nan if v is None else v for v in report["models"][name]["by_step"]["mae"]]) * by
        style = line_of(name, others.index(name) if name in others else 0)
        axes.plot(hours, values, label=name.replace("_", " "), marker="o" if len(hours) == 1 else None, **style)
        top = max(top, float(np.nanmax(values)) if np.isfinite(values).any() else 0.0)
    axes.set_xlim(0, hours[-1])
    if hours[-1] == 24:
        axes.set_xticks(range(0, 25, 6))
    axes.set_ylim(0, 1.05 * top or 1)
    axes.set_xlabel("hours ahead", size=SMALL, color=SOFT)
    axes.set_ylabel(f"MAE ({unit})" if unit else "MAE", size=SMALL, color=SOFT, parse_math=False)
    axes.tick_params(labelsize=SMALL, labelcolor=SOFT, color=RULE)
    axes.grid(color=RULE, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    keys = drawn.legend(
        *axes.get_legend_handles_labels(), loc="upper left", frameon=False, fontsize=TEXT, borderpad=0, borderaxespad=0,
        bbox_to_anchor=((LEFT + wide + 0.1) / WIDE, 1 - ABOVE / height), handlelength=1.8,
    )  # fmt: skip
    for told in keys.get_texts():
        told.set_parse_math(False)  # names are only text
    test = report["test"]
    sub = (
        f"{test['origins']:,} origins of {len(report['data']['series'])} series, every {test['every']} from "
        f"{test['first'][:10]} to {test['last'][:10]}, {in_words(report['data']['step_s'])} steps"
    )
    for y, text, size, colour in (
        (0.12, "Backtest: error by hour of the horizon", HEAD, INK),
        (0.42, sub, SMALL, SOFT),
    ):
        drawn.text(MARGIN / WIDE, 1 - y / height, ink.fitted(text, size, WIDE - 2 * MARGIN), size=size, color=colour,
                   va="top", parse_math=False)  # fmt: skip
    _table(drawn, rows, unit, ink, ABOVE + TALL + BELOW, height)
    return drawn


def _table(drawn: Figure, rows: list[tuple[str, ...]], unit: str, ink: Ink, top: float, height: float) -> None:
    """Words to the left, numbers to the right of their columns, each as wide as its widest text."""
    heads = [f"{name} ({unit})" if unit and name in ("MAE", "pinball", "width") else name for name in COLUMNS]
    widths = [max(ink.width(text, TEXT) for text in column) for column in zip(heads, *rows, strict=True)]
    gap = max(0.12, (WIDE - 2 * MARGIN - sum(widths)) / (len(widths) - 1))
    for k, row in enumerate([tuple(heads), *rows]):
        x, y = MARGIN, 1 - (top + LINE * k) / height
        for j, (text, width) in enumerate(zip(row, widths, strict=True)):
            at, side = (x, "left") if j == 0 else (x + width, "right")
            drawn.text(
                at / WIDE, y, text, size=TEXT, color=SOFT if k == 0 else INK, ha=side, va="baseline", parse_math=False
            )
            x += width + gap


def _unit(report: dict[str, Any], wanted: str) -> tuple[float, str]:
    unit = report["data"]["unit"]
    if wanted:
        return conversion(unit, wanted, report["data"]["step_s"]), wanted
    scale = scale_of([m["mae"] for m in report["models"].values() if m["mae"] is not None], unit)
    return 10.0**-scale.power, scale.unit


def _order(report: dict[str, Any]) -> list[str]:
    models = report["models"]
    return sorted(models, key=lambda name: (sum(models[name].get("by_moment", ())), models[name]["mae"] or 0.0))


def _number(value: float | None, by: float = 1.0) -> str:
    if value is None:
        return ""
    held = value * by
    return f"{held:,.0f}" if abs(held) >= 1000 else f"{held:.3g}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.3g} %"
