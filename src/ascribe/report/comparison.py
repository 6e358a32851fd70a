"""A page on methods compared: one file, no network; a line for each method, and the curves."""

from __future__ import annotations

from html import escape
from pathlib import Path

from ascribe.core.faithfulness.compare import RANDOM, Comparison, Judged
from ascribe.report.comparison_figure import figure
from ascribe.report.written import inline, number, plain_page, table, write_page

__all__ = ["page", "save"]

RANDOMISED = "rank correlation with the values of the model with all its layers drawn anew; near 1 is bad"
SAYS = "The same rows, asked of every method that this model offers."
FOOT = (
    "Insertion and deletion: area under the mean prediction while features are put in, or taken out, most raising "
    "first by the signed values; gain is insertion minus deletion, with its own sign: random orders have none in the "
    "mean. Missed: share of the change under random masking that the values do not follow at their best scale "
    "(infidelity; 0: all followed). Moves: largest relative change of the values within the radius around a row "
    "(max-sensitivity). After ±: standard error over rows. A good method gains more, misses less and moves little; no "
    "number decides alone, and hiding a feature may make a row that the model never met."
)


def page(c: Comparison) -> str:
    """The page as HTML. Raises MissingExtra without matplotlib."""
    unit = f" in {c.unit}" if c.unit else ""
    heads = (
        ("method", ""), ("ms a row", "time of the method alone"), (f"insertion{unit}", "area, larger is better"),
        (f"deletion{unit}", "area, smaller is better"), (f"gain{unit}", "insertion - deletion"),
        ("missed", "0 ... 1, smaller is better"), ("moves", "relative, smaller is steadier"), ("rows", "answered"),
        *([("randomised", RANDOMISED)] if c.likeness else []),
    )  # fmt: skip
    rows = [("aside" if j.method == RANDOM or j.refused else "", _cells(j, c)) for j in c.judged]
    refused = [f"<li><b>{escape(j.method)}</b>: {escape(j.refused)}</li>" for j in c.judged if j.refused]
    facts = [
        ("Model", c.version), ("Output", f"{c.output}{unit}"), ("Rows", f"{c.rows:,}"),
        ("Radius", f"{c.radius:g} of each feature's range"), ("Seed", str(c.seed)),
    ]  # fmt: skip
    body = [table(heads, rows), inline(figure(c), "curves and rank agreement of the methods")]
    if c.likeness:
        body += ["<h2>As layers are randomised, from the output down</h2>", _layers(c)]
    if refused:
        body.append(f"<h2>Not asked</h2><ul>{''.join(refused)}</ul>")
    return plain_page("Methods compared", SAYS, facts, body, FOOT)


def save(c: Comparison, path: Path) -> Path:
    """Write the page. Raises InputError for another suffix or a place that cannot be written."""
    return write_page(page(c), path)


def _cells(j: Judged, c: Comparison) -> list[str]:
    means = [number(m.mean, m.stderr) for m in (j.insertion, j.deletion, j.gain, j.missed, j.sensitivity)]
    found = c.likeness.get(j.method, ())
    last = [number(found[-1].signed) if found else number(float("nan"))] if c.likeness else []
    return [j.method, number(1e3 * j.seconds), *means, str(j.rows), *last]


def _layers(c: Comparison) -> str:
    names = [found.layer for found in next(iter(c.likeness.values()))]
    rows = [
        ("", [method, *(f"{number(k.signed, digits=2)} | {number(k.absolute, digits=2)}" for k in found)])
        for method, found in c.likeness.items()
    ]
    told = "rank correlation of the values | of their sizes, with this layer and all above it drawn anew"
    return table((("method", ""), *((name, told) for name in names)), rows)
