"""What the commands of forecasts say in tables: candidates, measures, attention held against attributions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ascribe.console import bars, err, out

if TYPE_CHECKING:
    from ascribe.bundle.forecast import Forecaster

__all__ = ["attended", "candidates", "judged"]


def attended(opened: Forecaster, series: Any, of: str, output: Path, seed: int) -> None:
    """The check of attention as a table, and as JSON beside the forecast."""
    from ascribe.bundle.written import write_whole
    from ascribe.forecasted import checked

    if opened.model.attention is None:
        err.print("this model shows no attention: nothing to check")
        return
    with bars() as shown:
        task = shown.add_task("checking attention", total=3)
        found = checked(opened, series, of, seed=seed, step=lambda _: shown.advance(task))
    place = output.with_suffix(".attention.json")
    write_whole(place, json.dumps(found.to_json(), indent=1) + "\n")
    from rich.table import Table

    unit = f", {found.unit}" if found.unit else ""
    table = Table("days by", "rank", "same first", f"first day removed{unit}", f"area{unit}", box=None)
    for h in found.held:
        rank = "" if h.method == "random" else _number(h.rank.mean)
        same = "" if h.method == "random" else _percent(h.same)
        table.add_row(h.method, rank, same, f"{h.first.mean:.4g}", f"{h.area.mean:.4g} ± {h.area.stderr:.2g}")
    out.print(table)
    out.print("rank, same first: with attention; removed, area: how far the forecast moves, more is better")
    err.print(f"{found.rows} windows, days removed by '{found.baseline}' -> {place}", highlight=False)


def candidates(report: Any) -> None:
    """All families that were fitted, and which one serves."""
    from rich.table import Table

    if not report.candidates:  # one family by name is not compared
        return
    table = Table("family", "MAE", "MASE", "coverage", "", box=None)
    for name, held in report.candidates.items():
        numbers = [_number(held.get(word)) for word in ("mae", "mase", "coverage")]
        table.add_row(name, *numbers, "serves" if name == report.family else "")
    out.print(table)


def judged(report: Mapping[str, Any]) -> None:
    from rich.table import Table

    table = Table("model", "MAE", "MAPE", "MASE", "coverage", "pinball", "of best plain", box=None)
    for name, held in report["models"].items():
        ratio = (held.get("ratio_to_best_plain") or {}).get("ratio")
        numbers = [_number(held.get(word)) for word in ("mae", "mape", "mase", "coverage", "pinball")]
        table.add_row(name, *numbers, _number(ratio))
    out.print(table)


def _number(value: float | None) -> str:
    return "" if value is None or value != value else f"{value:.4g}"


def _percent(value: float) -> str:
    return "" if value != value else f"{100 * value:.0f} %"
