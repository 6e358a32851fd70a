"""Traffic and other series of numbers: one regular grid, a clock on the wall, windows as rows.

A `Series` is what mending leaves of telemetry, a `Window` says how a row is cut from it, `origins` says where. The same
three make rows for training, for a backtest and for an answer online.
"""

from ascribe.core.forecast.calendar import CALENDAR, calendar
from ascribe.core.forecast.rows import origins, rows, targets
from ascribe.core.forecast.series import Series, Window, window_of

__all__ = ["CALENDAR", "Series", "Window", "calendar", "origins", "rows", "targets", "window_of"]
