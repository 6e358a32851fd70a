"""Pictures of an attribution, and the file they are saved to.

waterfall    base_value + sum_i values_i = prediction, one panel per row
bars         mean_i |values_i| over rows: which players matter at all
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ascribe.bundle.written import write_whole
from ascribe.core.answer import additive, answered
from ascribe.core.attribution import Attribution
from ascribe.core.errors import InputError
from ascribe.core.quantities import scale_of
from ascribe.report.account import account_of, importance_of
from ascribe.report.captions import words_for
from ascribe.report.panel import LOWERS, RAISES, SOFT, Panel
from ascribe.report.sheet import draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["bars", "save", "waterfall"]

SUFFIXES = (".png", ".svg")
MOST_PANELS = 6
DOTS_PER_INCH = 160


def waterfall(
    attribution: Attribution,
    rows: Sequence[int],
    titles: Sequence[str] | None = None,
    measured: Sequence[float | None] | None = None,
    top: int = 12,
    units: Mapping[str, str] | None = None,
    own: Callable[[int, int], str] | None = None,
) -> Figure:
    """One panel per row of `rows`: bars lead from the base value to the prediction, the `top` largest players first.

    `titles`, `measured`: one per panel; a measurement (in the output's unit, None or NaN where there is none) adds
    the unexplained rest as a bar. `units`: {feature: unit} for the features' own values, or `own`: (row, number of
    the feature) -> its text. Whiskers are +- one standard
    error; that of the folded bar is sqrt(sum se^2). Raises InputError for rows without an answer, with the reason.

    >>> from ascribe.core.attribution import Attribution, Info, np
    >>> info = Info("kernel_shap", "marginal", "background", "exact", 4, 100, 0, unit="W", output="power")
    >>> told = Attribution(np.array([[30.0, -4.0]]), 105.0, np.array([131.0]), np.zeros((1, 2)), np.ones(1),
    ...                    np.array(["ok"]), ("",), ("cpu", "fan"), np.array([[61.2, 900.0]]), info)
    >>> [text.get_text() for text in waterfall(told, [0], units={"cpu": "percent"}).axes[0].get_yticklabels()]
    ['base value, E f(X)', 'cpu = 61.2 %', 'fan = 900', 'prediction']
    """
    if not additive(attribution):
        told = attribution.info.method.replace("_", " ")
        raise InputError(f"{told} does not add up to the prediction, so it has no waterfall: draw bars")
    chosen = list(rows)
    if not 1 <= len(chosen) <= MOST_PANELS:
        raise InputError(f"{len(chosen)} rows were chosen: one sheet holds 1 to {MOST_PANELS}")
    for name, given in (("titles", titles), ("measured", measured)):
        if given is not None and len(given) != len(chosen):
            raise InputError(f"{len(given)} {name} for {len(chosen)} rows: give one per chosen row")
    panels = [
        Panel(
            titles[k] if titles else f"row {row}",
            account_of(attribution, row, top, units, measured[k] if measured is not None else None, own),
            _caution(attribution, row),
        )
        for k, row in enumerate(chosen)
    ]
    scale = scale_of((at for p in panels for e in p.entries for at in (e.start, e.end)), attribution.info.unit)
    legend = [(RAISES, "+ raises the prediction"), (LOWERS, "\N{MINUS SIGN} lowers it")]
    kinds = {e.kind for p in panels for e in p.entries}
    if "unexplained" in kinds:
        legend.append((SOFT, "hatched: not explained by the model"))
    if any(e.error > 0 for p in panels for e in p.entries):
        legend.append((SOFT, "whisker: ± standard error"))
    words = words_for(attribution, "", scale.unit, "folded" in kinds, tuple(legend))
    return draw(panels, words, scale)


def bars(attribution: Attribution, top: int = 15) -> Figure:
    """Mean |value| of each player over the rows that were answered; the rest folded into one bar, which is their sum.

    The whisker is the mean standard error of the rows, an upper bound for that of their mean.
    """
    entries = importance_of(attribution, top)
    used = int(answered(attribution).sum())
    unit = attribution.info.unit if additive(attribution) else ""
    scale = scale_of((e.end for e in entries), unit)
    title = f"mean |value| over {used} row{'s' * (used != 1)}"
    if len(attribution) > used:
        title += f" ({len(attribution) - used} without an answer left out)"
    legend = ((SOFT, "whisker: ± mean standard error of the rows"),) if any(e.error > 0 for e in entries) else ()
    folded = entries[-1].kind == "sum"
    return draw([Panel(title, entries)], words_for(attribution, "mean |value| of ", scale.unit, folded, legend), scale)


def save(figure: Figure, path: str | Path) -> Path:
    """Write PNG or SVG, as the suffix says. Raises InputError for another suffix or a place that cannot be written."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"cannot save a figure as '{path.name}': end it in {' or '.join(SUFFIXES)}")
    vector = path.suffix.lower() == ".svg"
    held = io.BytesIO()
    figure.savefig(held, format=path.suffix.lower()[1:], dpi=DOTS_PER_INCH, metadata={"Date": None} if vector else None)
    return write_whole(path, held.getvalue())


def _caution(attribution: Attribution, row: int) -> str:
    """The row's status where it is not plain ok, with its reason."""
    if attribution.status[row] == "ok":
        return ""
    return ": ".join(filter(None, (f"caution, {attribution.status[row]}".replace("_", " "), attribution.reasons[row])))
