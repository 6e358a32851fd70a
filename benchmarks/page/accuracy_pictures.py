"""Pictures of the accuracy cells. Draws what is there: cells that are missing or failed leave a gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.accuracy.gathered import Known, calibrated, estimated, known, name_of, table_errors

INK = {
    "exact": "#444444", "independent": "#b5b5b5", "gaussian": "#8fb8de", "copula": "#4c86c6", "empirical": "#e3b778",
    "combined": "#c98a2b", "combined_copula": "#8a5a10", "emshap": "#c0392b", "emshap_plain": "#c0392b",
    "surrogate": "#8e6bbf", "stacked": "#5b3a8e", "auto": "#111111", "forest": "#7fb77e", "boosting": "#3f8f55",
    "shap_kernel": "#d9d9d9", "shap_permutation": "#cccccc", "shap_sampling": "#bfbfbf", "shapiq_gaussian": "#a0c4c4",
}  # fmt: skip
MARK = {"emshap": "D", "auto": "*", "exact": "|", "surrogate": "v", "stacked": "P", "forest": "^", "boosting": "s"}


def shown(folder: Path) -> Iterator[tuple[str, str, Any, Callable[[Any, Any], Any]]]:
    """Name, caption, numbers and drawing of each picture that the cells in `folder` allow."""
    for name, caption, numbers, drawing in (
        ("truth", "Error over that of the exact sampler, 5,000 training rows", known(folder, "truth"), _truth),
        ("recipes", "Error over that of the exact sampler, published recipes, 2,000 training rows",
         known(folder, "recipes"), _recipes),
        ("tables", "MSE_v over the least, real tables", table_errors(folder), _tables),
        ("calibration", "Coverage and stated error", calibrated(folder), _calibration),
        ("estimators", "Error of the estimators against their budget", estimated(folder), _estimators),
    ):  # fmt: skip
        if numbers:
            yield name, caption, numbers, drawing


def draw(folder: Path, images: Path) -> None:
    """accuracy-NAME.svg of each."""
    import matplotlib.pyplot as plt

    style: Any = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False,
             "axes.grid": True, "grid.color": "#eeeeee", "axes.axisbelow": True}  # fmt: skip
    with plt.rc_context(style):
        for name, _, numbers, drawing in shown(folder):
            figure = drawing(plt, numbers)
            if figure is not None:
                figure.savefig(images / f"accuracy-{name}.svg", metadata={"Date": None}, bbox_inches="tight")
                plt.close(figure)


def _truth(plt: Any, held: Known) -> Any:
    return _ratios(plt, held, 5000)


def _recipes(plt: Any, held: Known) -> Any:
    return _ratios(plt, held, 2000)


def _ratios(plt: Any, held: Known, rows: int) -> Any:
    """A line per world and function, a mark per method: error over that of the exact sampler."""
    most = max((r for _, r, _ in held), default=0)
    lines = {key: value for key, value in held.items() if key[1] == min(rows, most) and "exact" in value}
    if not lines:
        return None
    figure, axis = plt.subplots(figsize=(7.5, 0.8 + 0.24 * len(lines)))
    methods = _in_order({m for value in lines.values() for m in value} - {"exact"} - _peers())
    for method in methods:
        at = [(v[method]["mae"] / v["exact"]["mae"], y) for y, v in enumerate(lines.values()) if method in v]
        x, y = zip(*at, strict=True)
        loud = method in ("emshap", "auto", "surrogate", "stacked")
        axis.scatter(
            x, y, s=46 if loud else 30, color=INK.get(method, "#999999"), marker=MARK.get(method, "o"),
            label=name_of(method), zorder=3 if loud else 2, linewidths=0,
        )  # fmt: skip
    axis.axvline(1, color=INK["exact"], lw=1)
    axis.set_yticks(range(len(lines)), [f"{name_of(world)}, {label}" for world, _, label in lines])
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter(plt.FuncFormatter(lambda v, _: f"{v:g}"))
    axis.invert_yaxis()
    axis.set_xlabel("mean |error of a Shapley value|, over that of the exact sampler at equal completions (log scale)")
    axis.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncol=5, frameon=False, handletextpad=0.1)
    return figure


def _tables(plt: Any, held: dict[str, dict[str, dict[str, Any]]]) -> Any:
    """A panel per table: MSE_v over the least, with the 95 % interval of the paired difference to the least."""
    if not held:
        return None
    across = min(3, len(held))
    down = -(-len(held) // across)
    most = max(len(v) for v in held.values())
    figure, axes = plt.subplots(
        down, across, figsize=(1.2 + 3.0 * across, down * (0.7 + 0.2 * most)), squeeze=False, layout="constrained"
    )
    for axis in axes.ravel()[len(held) :]:
        axis.set_visible(False)
    for axis, (name, methods) in zip(axes.ravel(), held.items(), strict=False):
        order = sorted(methods, key=lambda m: methods[m]["ratio"])
        for y, method in enumerate(order):
            m = methods[method]
            ink = INK.get(method, "#999999")
            axis.errorbar(m["ratio"], y, xerr=m["half"], color=ink, fmt=MARK.get(method, "o"), ms=5, lw=1.2)
        axis.axvline(1, color=INK["exact"], lw=0.8)
        axis.set_yticks(range(len(order)), [name_of(m) for m in order])
        axis.set_title(f"{name} (n = {next(iter(methods.values()))['n']})", fontsize=9)
        axis.invert_yaxis()
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(plt.FuncFormatter(lambda v, _: f"{v:g}"))
        axis.xaxis.set_minor_formatter(plt.FuncFormatter(lambda v, _: f"{v:g}" if v in (2, 3, 5) else ""))
    figure.supxlabel("MSE_v over the least (bars: 95 % of the paired difference)", fontsize=9)
    return figure


def _calibration(plt: Any, held: dict[str, dict[str, Any]]) -> Any:
    """Coverage and RMS error / RMS se by what was spent; thin marks are single rows."""
    if not held:
        return None
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 0.9 + 0.3 * len(held)), sharey=True, layout="constrained")
    for y, (label, numbers) in enumerate(held.items()):
        ink = INK["emshap"] if "emshap" in label else INK["copula"]
        for axis, key in ((left, "coverage"), (right, "ratio")):
            rows = numbers[f"{key}_rows"]
            axis.scatter(rows, [y] * len(rows), color=ink, s=12, alpha=0.3, linewidths=0)
            axis.scatter([numbers[key]], [y], color=ink, s=36, linewidths=0)
    left.axvline(0.95, color=INK["exact"], lw=1)
    right.axvline(1, color=INK["exact"], lw=1)
    left.set_xlim(right=1.002)
    left.set_yticks(range(len(held)), list(held))
    left.invert_yaxis()
    left.set_xlabel("coverage of 95 % intervals (faint: single rows)")
    right.set_xlabel("RMS error / RMS stated error (below 1: cautious)")
    return figure


def _estimators(plt: Any, found: dict[str, dict[str, list[tuple[int, dict[str, Any]]]]]) -> Any:
    """A panel per marginal game: error against budget, a line per estimator."""
    held = {
        game.removeprefix("marginal "): {name: [(b, a["error"]) for b, a in points] for name, points in lines.items()}
        for game, lines in found.items()
        if game.startswith("marginal ")
    }
    if not held:
        return None
    across = min(2, len(held))
    down = -(-len(held) // across)
    figure, axes = plt.subplots(down, across, figsize=(3.6 * across, 2.7 * down), squeeze=False, layout="constrained")
    for axis in axes.ravel()[len(held) :]:
        axis.set_visible(False)
    names = sorted({name for lines in held.values() for name in lines})
    shades = plt.get_cmap("tab20")
    for axis, (game, lines) in zip(axes.ravel(), held.items(), strict=False):
        for name, points in lines.items():
            ours = not name.startswith("shap")
            axis.plot(*zip(*sorted(points), strict=True), marker="o", ms=3, lw=2 if ours else 1, label=name,
                      color=shades(names.index(name) % 20), zorder=3 if ours else 2)  # fmt: skip
        axis.set(title=game, xscale="log", yscale="log", xlabel="budget (coalitions)", ylabel="relative error")
        axis.set_xticks(budgets := sorted({b for points in lines.values() for b, _ in points}))
        axis.set_xticklabels([f"{b:g}" for b in budgets])
        axis.minorticks_off()
        axis.title.set_fontsize(9)
    handles = {label: h for axis in axes.ravel() for h, label in zip(*axis.get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncol=4, frameon=False)
    return figure


def _in_order(methods: set[str]) -> list[str]:
    return [m for m in INK if m in methods] + sorted(methods - set(INK))


def _peers() -> set[str]:
    return {"shap_permutation", "shap_sampling"}  # the same game as shap_kernel: in the tables only
