"""Accuracy of the conditionals, cell by cell, as tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.accuracy import ablation, servers
from benchmarks.accuracy.cells import all_cells, is_done, place_of
from benchmarks.accuracy.gathered import Known, calibrated, estimated, known, name_of, summed, table_errors
from benchmarks.accuracy.published import PUBLISHED
from benchmarks.page import accuracy_pictures
from benchmarks.page.text import three
from benchmarks.record import Raw

INTRODUCTION = """## Against rivals

The conditionals side by side, where the truth is known and on real tables. One file per cell.
"""


def text(raw: Raw) -> str:
    """Markdown of everything that is there."""
    folder = raw.root / "accuracy"
    parts = [INTRODUCTION]
    cells = all_cells()
    run = sum(is_done(place_of(folder, cell)) for cell in cells)
    if run < len(cells):
        parts.append(
            f"{run} of the {len(cells)} cells that `python -m benchmarks.accuracy --list` names have been run.\n"
        )
    parts += [f"![{caption}](images/accuracy-{name}.svg)\n" for name, caption, *_ in accuracy_pictures.shown(folder)]
    for title, group in (("Where the truth is known", "truth"), ("Published recipes", "recipes")):
        held = known(folder, group)
        if held:
            parts.append(_known(title, held))
    tables = table_errors(folder)
    if tables:
        parts.append(_tables(tables))
    spent = calibrated(folder)
    if spent:
        parts.append(_calibration(spent))
    games = estimated(folder)
    if games:
        parts.append(_estimators(games))
    parts += [text for text in (servers.page(folder), ablation.page(folder)) if text]
    return "\n".join(parts)


def _known(title: str, held: Known) -> str:
    """The summary by method, then every world at its largest number of rows."""
    most = max(rows for _, rows, _ in held)
    methods = _order({m for value in held.values() for m in value} - {"exact"})
    total = summed(held)
    numbers = sorted({rows for _, rows, _ in held})
    errors = [f"{rows:,} rows: median (worst)" for rows in numbers]
    head = ["method", *errors, "cells", "rank", "coverage", "fit s", "row s"]
    lines = [
        [name_of(m)]
        + [f"{one[f'ratio_{r}']:.2f} ({one[f'worst_ratio_{r}']:.1f})" if f"ratio_{r}" in one else "" for r in numbers]
        + [f"{one['cells']:.0f}"]
        + [three(one.get(key)) for key in ("rank", "coverage", "fit_s", "row_s")]
        for m, one in ((m, total[m]) for m in ["exact", *methods] if m in total)
    ]
    explain = (
        "Mean absolute error of the Shapley values, over that of the exact sampler (plain draws of the true law) at "
        "equal completions, over the worlds and functions (`cells`) that a method was run on: methods with other cells "
        "are compared world by world, below. Where f does not depend on the training rows: means over three draws of "
        "them, and the worst draw. Under 1 is possible, since a control variate takes out noise. "
        "Rank: Spearman's, per row. Coverage: of values ± 1.96 stated errors about the truth, misfit included. "
        "Fit and row: seconds of one core.\n"
    )
    short = [m for m in methods if m not in ("shap_permutation", "shap_sampling")]
    by_world = [
        [f"{name_of(world)}, {label}", three(next(iter(value.values()))["mean_abs_phi"])]
        + [three(value["exact"]["mae"])]
        + [f"{value[m]['mae'] / value['exact']['mae']:.2f}" if m in value else "" for m in short]
        for (world, rows, label), value in held.items()
        if rows == most and "exact" in value
    ]
    if held.keys() & {(name, most, label) for name in PUBLISHED for label in ("ols", "trees")}:
        return f"### {title}\n\n{explain}\n{_table(head, lines)}\n{_recipes(held, ['exact', *short])}"
    second = _table(["world, f", "mean \\|phi\\|", "exact sampler", *map(name_of, short)], by_world)
    return f"### {title}\n\n{explain}\n{_table(head, lines)}\nBy world, {most:,} training rows:\n\n{second}"


def _recipes(held: Known, methods: list[str]) -> str:
    lines = []
    for (world, _, _), value in held.items():
        told = PUBLISHED.get(world, {})
        marks = {m: f" ({told[m]:.3g})" if m in told else "" for m in methods}
        lines.append([name_of(world), *(three(value[m]["mae"]) + marks[m] if m in value else "" for m in methods)])
    explain = (
        "Mean absolute error here and (in brackets) as published by Aas, Jullum and Løland 2021, by their recipe: "
        "2,000 training rows, 1,024 completions here and 1,000 there, one seed here and up to ten there.\n"
    )
    return f"{explain}\n{_table(['recipe', *map(name_of, methods)], lines)}"


def _tables(held: dict[str, dict[str, dict[str, Any]]]) -> str:
    methods = _order({m for value in held.values() for m in value})
    explain = (
        "MSE_v over the least of each table, ± 1.96 standard errors of the paired difference to the least; 1.00 "
        "marks the least itself. `emshap` and its value functions share one fit.\n"
    )
    head = ["table (n)", "least MSE_v", *map(name_of, methods)]
    lines = []
    for table, value in held.items():
        least = min(v["mse_v"] for v in value.values())
        n = next(iter(value.values()))["n"]
        cells = [f"{table} ({n})", three(least)]
        for m in methods:
            one = value.get(m)
            cells.append("" if one is None else f"{one['ratio']:.2f}" + f" ± {one['half']:.2f}" * (one["ratio"] > 1))
        lines.append(cells)
    return f"### Real tables\n\n{explain}\n{_table(head, lines)}"


def _calibration(held: dict[str, dict[str, Any]]) -> str:
    head = ["fit, spent", "coverage", "least row", "RMS error", "RMS stated", "ratio"]
    lines = [
        [label, f"{v['coverage']:.3f}", f"{min(v['coverage_rows']):.3f}", three(v["rms_error"]),
         three(v["rms_stderr"]), f"{v['ratio']:.2f}"]
        for label, v in held.items()
    ]  # fmt: skip
    explain = "95 % intervals about the same fit's value at all coalitions and 16,384 completions.\n"
    return f"### Stated errors\n\n{explain}\n{_table(head, lines)}"


def _estimators(held: dict[str, dict[str, list[tuple[int, dict[str, Any]]]]]) -> str:
    """Error of each estimator, a column per game and budget; then coverage of its intervals."""
    parts = ["### Estimators at equal budget\n"]
    for title, key, kinds in (
        (
            "Mean of |error| / |phi| (Euclidean); sums of unanimity games at 4,000 coalitions.",
            "error",
            "marginal sparse",
        ),
        ("Coverage of values ± 1.96 stated errors, 12 players.", "coverage", "calibration"),
    ):
        games = {game: lines for game, lines in held.items() if game.split()[0] in kinds.split()}
        if not games:
            continue
        columns = [
            (game, budget)
            for game, lines in games.items()
            for budget in sorted({b for points in lines.values() for b, _ in points})
        ]
        names = sorted({name for lines in games.values() for name in lines}, key=lambda s: (s.startswith("shap"), s))
        found = {
            (g, b, name): a[key] for g, lines in games.items() for name, v in lines.items() for b, a in v if key in a
        }
        lines = [[name.replace("_", " "), *(three(found.get((g, b, name))) for g, b in columns)] for name in names]
        head = ["estimator", *(f"{g.split()[-1] if b else g}" + f", {b:,}" * bool(b) for g, b in columns)]
        parts.append(f"{title}\n\n{_table(head, lines)}")
    return "\n".join(parts)


def _table(head: list[str], lines: list[list[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "".join("| " + " | ".join(row) + " |\n" for row in rows)


def _order(methods: set[str]) -> list[str]:
    first = ["independent", "gaussian", "copula", "empirical", "combined", "combined_copula", "forest", "boosting",
             "emshap", "emshap_plain", "surrogate", "stacked", "auto"]  # fmt: skip
    return [m for m in first if m in methods] + sorted(methods - set(first))


def draw(raw: Raw, folder: Path) -> None:
    accuracy_pictures.draw(raw.root / "accuracy", folder)
