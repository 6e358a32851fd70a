"""A page on drift: one file, no network; the verdict, then every quantity with its histograms, the largest shift first.

Drift -> head (verdict, reasons) -> cards (predictions, errors, all inputs) -> tables (inputs, attributions) -> HTML
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from ascribe.core.drifted import Drift, Shift, Thresholds, word
from ascribe.report.page import PAGE
from ascribe.report.spark import spark
from ascribe.report.written import write_page

__all__ = ["page", "save"]

COLOURS = {"steady": "#0072B2", "watch": "#B07A00", "drifted": "#D55E00"}  # told apart by every kind of eye
MARKS = {"steady": "●", "watch": "▲", "drifted": "■"}  # and without colours
SAYS = {
    "steady": "What the model meets is what it was judged on.",
    "watch": "Something moved, not enough to act on.",
    "drifted": "The model meets other rows than it was judged on: train again, or find out what changed.",
}
FULL = 0.5  # PSI at which its bar is full


def page(drift: Drift) -> str:
    """The page as HTML. Raises MissingExtra without matplotlib."""
    t = drift.thresholds
    return PAGE.substitute(
        title=f"Drift of {escape(drift.model)}: {drift.word}",
        word=drift.word,
        mark=MARKS[drift.word],
        model=escape(drift.model),
        says=SAYS[drift.word],
        reasons="".join(f"<li>{escape(reason)}</li>" for reason in drift.reasons),
        facts=_facts(drift),
        cards=_cards(drift),
        inputs=_table(drift.inputs, t, "Input", "of the attributed output"),
        attributions=_attributions(drift),
        watch=f"{t.watch:g}",
        drifted=f"{t.drifted:g}",
        weight=f"{100 * t.weight:g}",
        p=f"{t.p:g}",
        blocks=drift.blocks,
    )


def save(drift: Drift, path: Path) -> Path:
    """Write the page. Raises InputError for another suffix or a place that cannot be written."""
    return write_page(page(drift), path)


def _facts(drift: Drift) -> str:
    tier = f"explained by tier {drift.tier}" if drift.tier else "without attributions (no cheap tier)"
    pairs = [
        ("Measured", drift.at.replace("T", " ").replace("Z", " UTC")),
        ("Version", drift.version),
        ("Before", drift.before),
        ("Now", drift.now),
        ("Compared", f"{drift.rows_before:,} rows with {drift.rows_now:,}, {tier}"),
    ]
    if drift.left_out:
        pairs.append(("Left out", f"{drift.left_out:,} rows now with a missing or impossible value"))
    return "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in pairs)


def _cards(drift: Drift) -> str:
    t = drift.thresholds
    cards = [_card("Predictions", drift.predictions, t)]
    if drift.errors is not None:
        cards.append(_card("Errors", drift.errors, t))
    else:
        cards.append(
            '<section class="card"><h2>Errors</h2><p class="soft">Too few rows have a measured value.</p></section>'
        )
    rare = drift.energy_p <= t.p
    told = (
        "rarer than chance among exchanged blocks: the rows differ as wholes"
        if rare
        else "blocks of the same rows differ as much: no evidence of change"
    )
    cards.append(
        f'<section class="card"><h2>All inputs together</h2><p class="big">{drift.energy:.3g}</p>'
        f'<p>energy distance, p {drift.energy_p:.2g}</p><p class="soft">{told}</p></section>'
    )
    return "".join(cards)


def _card(title: str, shift: Shift, t: Thresholds) -> str:
    state = word(shift, t)
    picture = _picture(shift, state, 3.1, 0.85)
    means = f"mean {_number(shift.mean_before)} → {_number(shift.mean_now)} {escape(shift.unit)}"
    return (
        f'<section class="card"><h2>{title} {_pill(state)}</h2>{picture}'
        f"<p>PSI {shift.psi:.3f} · KS {shift.ks:.3f} · {_range(shift)}</p>"
        f'<p class="soft">{means}</p></section>'
    )


def _attributions(drift: Drift) -> str:
    if not drift.attributions:
        return '<p class="soft">This bundle has no compiled tier to explain rows by: run `ascribe compile` on it.</p>'
    return _table(drift.attributions, drift.thresholds, "Attribution to", "of the attributed output")


def _table(shifts: Sequence[Shift], t: Thresholds, head: str, carried: str) -> str:
    rows = "".join(_row(shift, t) for shift in sorted(shifts, key=lambda s: (-s.psi, s.name)))
    return (
        f'<div class="wide"><table><thead><tr><th>{head}</th><th>before <i class="key"></i> now '
        '<i class="key line"></i></th><th class="n">PSI</th><th></th><th class="n">KS</th>'
        '<th class="n">mean before</th><th class="n">mean now</th><th class="n">out of range</th>'
        f'<th class="n" title="share {carried}">share</th></tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _row(shift: Shift, t: Thresholds) -> str:
    state = word(shift, t)
    unit = f' <span class="soft">{escape(shift.unit)}</span>' if shift.unit else ""
    return (
        f'<tr class="{state}"><td class="name">{escape(shift.name)}{unit}</td>'
        f"<td>{_picture(shift, state, 1.9, 0.4)}</td>"
        f'<td class="n">{shift.psi:.3f}<span class="bar"><span style="width:{100 * min(1, shift.psi / FULL):.0f}%">'
        f"</span></span></td><td>{_pill(state)}</td>"
        f'<td class="n">{shift.ks:.3f}</td><td class="n">{_number(shift.mean_before)}</td>'
        f'<td class="n">{_number(shift.mean_now)}</td><td class="n">{100 * shift.outside:.1f} %</td>'
        f'<td class="n">{100 * shift.weight:.1f} %</td></tr>'
    )


def _picture(shift: Shift, state: str, width: float, height: float) -> str:
    label = escape(f"histograms of {shift.name} before and now", quote=True)
    return spark(shift.edges, shift.shares_before, shift.shares_now, COLOURS[state], width, height, label)


def _range(shift: Shift) -> str:
    return f"{_number(shift.edges[0])} to {_number(shift.edges[-1])} {escape(shift.unit)}"


def _pill(state: str) -> str:
    return f'<span class="pill {state}">{MARKS[state]} {state}</span>'


def _number(value: float) -> str:
    return f"{value:.4g}".replace("-", "\N{MINUS SIGN}")
