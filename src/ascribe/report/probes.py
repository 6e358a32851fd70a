"""A page on probes: predictions against the size of an attack, and how far explanations can be moved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ascribe.core.arrays import np
from ascribe.core.probes import Probes, Robustness, Stability
from ascribe.core.probes.stability import largest
from ascribe.report.ink import blank, lettered
from ascribe.report.panel import INK, RULE, SOFT
from ascribe.report.written import inline, number, plain_page, table, write_page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["figure", "page", "save"]

COLOURS, MARKERS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7"), ("o", "s", "^", "D")
PANEL, TALL = 4.2, 3.0  # inches
TEXT, SMALL = 9.5, 8.0  # points
SAYS = "What a small change of a row can do to the prediction, and to its explanation."
FOOT = (
    "Sizes are shares of each feature's range, or of 255 of a pixel. Attacks follow the gradient (FGSM: one step; PGD: "
    "many, with a random start); a change that they find exists, one that they do not find may exist all the same. "
    "Explanations are moved by a random search among rows whose prediction moves less than delta: moved is the change "
    "of the values over their size, rank Spearman's correlation with the row's own values, Lipschitz the largest "
    "change of the values over the distance. All are lower bounds."
)


@lettered()
def figure(p: Probes) -> Figure:
    """Accuracy, or the largest change, against epsilon. Raises MissingExtra without matplotlib."""
    drawn = blank(PANEL + 1.2, TALL + 1.0)
    axes = drawn.add_axes((0.8 / (PANEL + 1.2), 0.6 / (TALL + 1.0), PANEL / (PANEL + 1.2), TALL / (TALL + 1.0)))
    for k, r in enumerate(p.robust):
        axes.plot(
            r.epsilons, r.moved if r.accuracy is None else r.accuracy, color=COLOURS[k % 4], marker=MARKERS[k % 4],
            markersize=6.5 - 2 * k, linewidth=3 - 1.6 * min(k, 1), label=r.method,  # what lies below stays to be seen
        )  # fmt: skip
    classes = p.robust[0].accuracy is not None
    unit = f" ({p.unit})" if p.unit else ""
    what = (
        ("share of rows " + ("right" if p.robust[0].labelled else "of the same class"))
        if classes
        else f"mean change{unit}"
    )
    axes.set_title(what, size=TEXT, color=INK, loc="left", parse_math=False)
    axes.set_xlabel(f"epsilon, {p.robust[0].norm}, share of each feature's range", size=SMALL, color=SOFT)
    axes.set_ylim(0, 1.03 if classes else None)
    axes.set_xlim(left=0)
    axes.grid(color=RULE, linewidth=0.6)
    axes.tick_params(labelsize=SMALL, colors=SOFT)
    axes.legend(frameon=False, fontsize=TEXT)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return drawn


def page(p: Probes) -> str:
    """The page as HTML."""
    unit = f" in {p.unit}" if p.unit else ""
    facts = [("Model", p.version), ("Output", f"{p.output}{unit}"), ("Rows", f"{p.rows:,}"), ("Seed", str(p.seed))]
    body = ["<h2>Predictions under attack</h2>"]
    if p.robust:
        body += [_robust(p, unit), inline(figure(p), "predictions against the size of the attack")]
    body += [f"<p>{text}</p>" for text in p.refused]
    if p.stable:
        body += ["<h2>Explanations while the prediction stays</h2>", _stable(p.stable, unit)]
    return plain_page("Probes", SAYS, facts, body, FOOT)


def save(p: Probes, path: Path) -> Path:
    """Write the page. Raises InputError for another suffix or a place that cannot be written."""
    return write_page(page(p), path)


def _robust(p: Probes, unit: str) -> str:
    heads = [("epsilon", "")]
    for r in p.robust:
        heads += [(f"{r.method}: right" if r.labelled else f"{r.method}: same class", "share")] * (
            r.accuracy is not None
        )
        heads.append((f"{r.method}: mean change{unit}", "of the output explained"))
    rows = []
    for k, epsilon in enumerate(p.robust[0].epsilons):
        rows.append(("", [f"{epsilon:g}", *(cell for r in p.robust for cell in _cells(r, k))]))
    return table(heads, rows)


def _cells(r: Robustness, k: int) -> list[str]:
    held = [] if r.accuracy is None else [f"{100 * r.accuracy[k]:.1f} %"]
    return [*held, number(float(r.moved[k]))]


def _stable(found: tuple[Stability, ...], unit: str) -> str:
    heads = (
        ("method", ""), ("moved", "mean over rows of |change of the values| / |values|"), ("most", "of any row"),
        ("rank", "mean rank correlation with the row's own values"), ("Lipschitz", "largest, values over distance"),
        ("epsilon", "largest distance"), (f"delta{unit}", "the prediction moved less"),
    )  # fmt: skip
    rows = [
        (
            "",
            [
                s.method, number(_mean(s.moved)), number(largest(s.moved)), number(_mean(s.rank)),
                number(largest(s.lipschitz)), f"{s.epsilon:g}", number(s.delta),
            ],
        )
        for s in found
    ]  # fmt: skip
    return table(heads, rows)


def _mean(v: np.ndarray) -> float:
    held = v[np.isfinite(v)]
    return float(held.mean()) if len(held) else float("nan")
