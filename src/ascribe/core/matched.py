"""Background windows whose end lies at the same time of the day and the week: references matched by calendar.

    distance of windows   |c - c'|,   c = (minute_sin, minute_cos, weekday_sin, weekday_cos) of the last step

The nearest `NEAREST` stand for what is absent, so that a Saturday night is compared with Saturday nights. That is an
empirical conditional law on the calendar alone, and no more: given the calendar, what is absent still does not follow
what is present. Answers say `game="calendar"`.
"""

from __future__ import annotations

from ascribe.core.arrays import Float, np
from ascribe.core.errors import CapabilityError
from ascribe.core.model import Model

__all__ = ["CALENDAR", "CLOCK", "NEAREST", "matched", "usual_baseline"]

CALENDAR = "calendar"  # the name of the baseline, and of the game
CLOCK = ("minute_sin", "minute_cos", "weekday_sin", "weekday_cos")
NEAREST = 8


def matched(model: Model, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, "k n"]:
    """Of the background, the nearest to the window x; equal ones as they lie. Raises CapabilityError where the model
    has no background, or its windows do not say what time it is.
    """
    layout, names = model.layout, _inputs(model)
    if model.background is None or not set(CLOCK) <= set(names):
        raise CapabilityError(
            f"baseline '{CALENDAR}' needs background windows with the inputs {', '.join(CLOCK)}: use 'mean'"
        )
    at = layout.n - layout.shape[1] + np.array([names.index(name) for name in CLOCK])
    rows = np.asarray(model.background, dtype=float)
    far = ((rows[:, at] - x[at]) ** 2).sum(axis=1)
    return rows[np.argsort(far.round(12), kind="stable")[:NEAREST]]


def usual_baseline(model: Model) -> str | None:
    """The reference for a forecast where nobody names one: matched by calendar where that can be, else the method's."""
    return CALENDAR if model.background is not None and set(CLOCK) <= set(_inputs(model)) else None


def _inputs(model: Model) -> list[str]:
    layout = model.layout
    return [layout.input(i) for i in range(layout.shape[1])] if layout.kind == "series" else []
