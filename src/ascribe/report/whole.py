"""Waterfall and bars of an answer, with what their marks say under the pointer."""

from __future__ import annotations

from dataclasses import replace
from math import isfinite

from ascribe.core.answer import Answer
from ascribe.core.quantities import Scale, scale_of
from ascribe.report import plots
from ascribe.report.account import MARKS, Entry, account_of, importance_of
from ascribe.report.drawn import Drawn, View
from ascribe.report.frame import name_of
from ascribe.report.players import chosen, of_words, shown_of

__all__ = ["bar", "waterfall"]


def waterfall(answer: Answer, view: View) -> Drawn:
    """Up to six rows of a table, side by side, or one text."""
    top = view.top or 12
    rows: tuple[int, ...]
    if answer.layout.kind == "text":
        row = chosen(answer, view.rows, 1)[0] if view.rows else chosen(answer, None, 1)[0]
        told, rows, shown, labels = of_words(answer, row), (0,), None, [answer.label(row)]
    else:
        rows = chosen(answer, view.rows, plots.MOST_PANELS) if view.rows else chosen(answer, None, 2)
        told, shown, labels = answer.attribution, shown_of(answer), [answer.label(row) for row in rows]
    clean = replace(told, features=tuple(map(name_of, told.features)))
    titles = [name_of(label) for label in labels]
    figure = plots.waterfall(clean, rows, titles, view.measured, top, own=shown)
    measured = view.measured or (None,) * len(rows)
    accounts = [account_of(told, row, top, None, m, shown) for row, m in zip(rows, measured, strict=True)]
    scale = scale_of((v for entries in accounts for e in entries for v in (e.start, e.end)), told.info.unit)
    tips: dict[str, list[str]] = {}
    for k, (axes, entries) in enumerate(zip(figure.axes, accounts, strict=True)):
        tips |= _named(axes, [e for e in entries if e.kind not in MARKS], f"waterfall-{k}", scale)
    return Drawn(
        figure, f"Waterfalls of {', '.join(labels)}.", ("row", "line", "starts at", "value", "standard error"),
        tuple((label, e.label, e.start, e.value, e.error) for label, entries in zip(labels, accounts, strict=True)
              for e in entries),
        tips,
    )  # fmt: skip


def bar(answer: Answer, view: View) -> Drawn:
    """Mean |value|, with the mean standard error as whisker."""
    a, top = answer.attribution, view.top or 15
    figure = plots.bars(replace(a, features=tuple(map(name_of, a.features))), top)
    entries = importance_of(a, top)
    scale = scale_of((e.end for e in entries), a.info.unit)
    return Drawn(
        figure, f"Mean size of the values of {len(a.features)} players.", ("player", "mean |value|", "standard error"),
        tuple((e.label, e.value, e.error) for e in entries), _named(figure.axes[0], entries, "bar", scale),
    )  # fmt: skip


def _named(axes: object, entries: list[Entry] | tuple[Entry, ...], prefix: str, scale: Scale) -> dict[str, list[str]]:
    """Each bar gets an id of its own; what it says."""
    bars = [patch for patch in axes.patches if patch.get_gid()]  # type: ignore[attr-defined]
    drawn = [p for p in bars if p.get_gid() not in MARKS]
    tips = {}
    for j, (patch, entry) in enumerate(zip(drawn, entries, strict=True)):
        patch.set_gid(f"{prefix}-{j}")
        error = f" ± {scale.number(entry.error, 3)}" if isfinite(entry.error) and entry.error > 0 else ""
        tips[f"{prefix}-{j}"] = [f"{entry.label}: {scale.amount(entry.value, 3, sign=True)}{error}"]
    return tips
