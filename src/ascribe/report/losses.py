"""Loss by epoch, of what is fitted on and of what is held out, with the epoch whose weights are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ascribe.core.arrays import np
from ascribe.core.conversions import conversion
from ascribe.core.errors import InputError
from ascribe.report.ink import blank, lettered, measured
from ascribe.report.panel import INK, LOWERS, RAISES, RULE, SMALL, SOFT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["figure"]

WIDE, TALL = 6.4, 3.6  # inches
HEAD, TEXT = 12.0, 8.5


@lettered()
def figure(
    fitted: Sequence[float], held: Sequence[float] = (), what: str = "loss", unit: str = "", wanted: str = "",
    step_s: float | None = None, head: str = "Training",
) -> Figure:  # fmt: skip
    """`fitted`, `held`: by epoch, either may be empty; the best held-out epoch is marked. `wanted`: another unit.

    Raises InputError where nothing was noted; MissingExtra without matplotlib.
    """
    if not len(fitted) and not len(held):
        raise InputError("no losses were noted: this family is not trained by epochs")
    ink = measured()
    by = conversion(unit, wanted, step_s) if wanted else 1.0
    drawn = blank(WIDE, TALL)
    axes = drawn.add_axes((0.13, 0.15, 0.83, 0.66), facecolor="white")
    lines = [("fitted on", fitted, RAISES), ("held out", held, LOWERS)]
    for name, values, colour in lines:
        if len(values):
            epochs = np.arange(1, len(values) + 1)
            mark = "o" if len(values) == 1 else None
            axes.plot(epochs, np.asarray(values, float) * by, color=colour, linewidth=1.4, label=name, marker=mark)
    if len(held) and np.isfinite(held).any():
        best = int(np.nanargmin(held))
        low = float(held[best]) * by
        axes.plot(best + 1, low, "o", color=LOWERS, markersize=6, label=f"kept: epoch {best + 1}, {low:.4g}")
    most = max(len(fitted), len(held))
    axes.set_xlim(0.5, most + 0.5)
    every = [v * by for values in (fitted, held) for v in values if np.isfinite(v)]
    if every and min(every) > 0 and max(every) > 20 * min(every):
        axes.set_yscale("log")
    axes.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]
    axes.set_xlabel("epoch", size=SMALL, color=SOFT)
    axes.set_ylabel(f"{what} ({wanted or unit})" if wanted or unit else what, size=SMALL, color=SOFT, parse_math=False)
    axes.tick_params(labelsize=SMALL, labelcolor=SOFT, color=RULE)
    axes.grid(color=RULE, linewidth=0.6)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    drawn.text(0.13, 0.965, ink.fitted(head, HEAD, WIDE * 0.83), size=HEAD, color=INK, va="top", parse_math=False)
    drawn.legend(
        *axes.get_legend_handles_labels(), loc="upper left", bbox_to_anchor=(0.13, 0.885), ncol=3, frameon=False,
        fontsize=TEXT, borderpad=0, borderaxespad=0, handlelength=1.6,
    )  # fmt: skip
    return drawn
