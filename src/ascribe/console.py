"""What the commands show: progress, tables, verdicts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

__all__ = ["bar", "bars", "err", "now", "out", "show_compared", "show_report", "show_verdict", "watcher"]

err = Console(stderr=True, soft_wrap=True)  # one message, one line: a terminal folds it, a pipe keeps it whole
out = Console(soft_wrap=True)

SHOWN, COLUMNS = 10, 8  # of a lake: parts, and columns of its newest rows


def now() -> str:
    """UTC, ISO 8601, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def bar(shown: Progress, stage: str) -> Callable[[float, str], None]:
    """A bar of which share is done, and what is under way."""
    task = shown.add_task(stage, total=1.0)
    return lambda done, text: shown.update(task, completed=done, description=f"{stage}  {text}")


def watcher(shown: Progress) -> Any:
    """Shows cleaning, stages and notes of a training run."""
    from ascribe.train.watch import Watcher

    class Shown(Watcher):
        def progress(self, stage: str) -> Callable[[float, str], None]:
            return bar(shown, stage)

        def cleaned(self, cleaned: Any, total: int, quarantine: Path) -> None:
            count = len(cleaned.quarantine)
            shown.console.print(f"{total} rows read, {len(cleaned.rows)} kept, {count} in quarantine ({quarantine})")
            for reason, n in cleaned.reasons.items():
                shown.console.print(f"  {n:6d}  {reason}", highlight=False)
            if cleaned.constant:
                shown.console.print(f"  left out, never vary: {', '.join(cleaned.constant)}", highlight=False)
            if cleaned.narrow:
                why = "too narrow for single precision (subtract an offset; a time is no feature)"
                shown.console.print(f"  left out, {why}: {', '.join(cleaned.narrow)}", highlight=False)

        def note(self, text: str) -> None:
            shown.console.print(text, highlight=False)

    return Shown()


def show_report(report: Any, place: Path) -> None:
    """Both families, which one serves, other targets, and where the bundle is."""
    table = Table("family", "R2 validation", "R2 held out", "MAE held out", "MAPE held out", "", box=None)
    for name, numbers in report.metrics["families"].items():
        v, h = numbers["validation"], numbers["holdout"]
        mark = "serves" if name == report.family else ""
        table.add_row(name, f"{v['r2']:.4f}", f"{h['r2']:.4f}", f"{h['mae']:.3f}", f"{100 * h['mape']:.2f} %", mark)
    out.print(table)
    for target, told in report.metrics.get("targets", {}).items():
        held = told["holdout"]
        out.print(f"{target}: R2 {held['r2']:.4f}, MAE {held['mae']:.3f} held out", highlight=False)
    out.print(f"bundle {report.version} -> {place}", highlight=False)


def show_lake(told: Any, to: Console) -> None:
    """What a lake holds, and its newest rows."""
    to.print(f"{told.uri}, version {told.version} of {told.newest_version}, {told.days[0]} to {told.days[1]}")
    to.print(f"definitions {told.definitions or 'none: everything finite is taken'}", highlight=False)
    table = Table("table", "rows", "files", "MiB", box=None)
    for name, sizes in told.tables.items():
        table.add_row(name, str(sizes["rows"]), str(sizes["files"]), f"{sizes['bytes'] / 2**20:.1f}")
    to.print(table)
    parts = ", ".join(f"{name} {count}" for name, count in list(told.parts.items())[:SHOWN])
    to.print(f"rows by part: {parts}" + (f" and {len(told.parts) - SHOWN} more" if len(told.parts) > SHOWN else ""))
    for reason, count in sorted(told.reasons.items(), key=lambda item: -item[1]):
        to.print(f"  refused {count:6d}  {reason}", highlight=False)
    columns = told.newest.columns[:COLUMNS]
    newest = Table(*columns, box=None, title="newest rows", title_justify="left")
    for row in told.newest.select(columns).iter_rows():
        newest.add_row(*(f"{cell:.6g}" if isinstance(cell, float) else str(cell) for cell in row))
    to.print(newest)
    if more := len(told.newest.columns) - len(columns):
        to.print(f"and {more} more columns: {', '.join(told.newest.columns[COLUMNS:])}", highlight=False)


def show_compared(found: Any) -> None:
    """A quantised bundle beside its original."""
    table = Table("", "variant", "original", "ratio", box=None)
    mine, theirs = found.bytes
    table.add_row("graph, KiB", f"{mine / 1024:.1f}", f"{theirs / 1024:.1f}", f"{mine / theirs:.2f}")
    for rows, (ms, before) in found.ms.items():
        what = f"{rows} row{'' if rows == '1' else 's'}, ms"
        table.add_row(what, f"{ms:.3g}", f"{before:.3g}", f"{ms / before:.2f}")
    out.print(table)
    unit, e = f" {found.unit}".rstrip(), found.error
    same = "" if e.agreement is None else f", {100 * e.agreement:.3g} % of the rows in the same class"
    told = f"RMS {e.rms:.3g}{unit} ({100 * e.share:.2g} % of the spread), most {e.most:.3g}{unit}{same}"
    out.print(f"answers on {e.rows} rows: {told}", highlight=False)
    drift = Table("attributions", "rows", "rank", "rank, 5 %", f"MAE{unit}", "of |value|", "gap of sums", box=None)
    for d in found.drift.values():
        gap = "" if d.efficiency_gap is None else f"{d.efficiency_gap:.2g}"
        drift.add_row(
            d.method, str(d.rows), f"{d.rank:.3f}", f"{d.rank_low:.3f}", f"{d.mae:.3g}", f"{100 * d.share:.2g} %", gap
        )
    out.print(drift)


def show_verdict(verdict: Any) -> None:
    """Each reason on a line."""
    for reason in verdict.reasons:
        err.print(f"gate: {reason}", highlight=False)


class _Bars(Progress):
    """Nothing is drawn before there is something to show, and nothing stays of what failed: an error is one line."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.live.transient = self.live.transient or raised[0] is not None
        if self.live.is_started:  # a bar's own stop ends its line in a file, also one that leaves nothing
            (self.live if self.live.transient else self).stop()

    def add_task(self, *args: Any, **kwargs: Any) -> TaskID:
        self.start()
        return super().add_task(*args, **kwargs)


def bars(keep: bool = True) -> Progress:
    """Progress bars on the error stream; standard output stays for answers."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return _Bars(*columns, console=err, transient=not keep)
