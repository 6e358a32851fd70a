"""The newest context of every series beside the lake, so that the service answers "now" by one look-up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from ascribe.bundle.state import State, beside
from ascribe.core.durations import in_words
from ascribe.core.forecast.context import latest_plain
from ascribe.core.forecast.rows import reach
from ascribe.core.forecast.series import Series, Window
from ascribe.train.series.options import SeriesOptions
from ascribe.train.series.read import Read, read_series

__all__ = ["leave_latest", "refresh_latest"]

AT_ONCE = 16
WEEKS_S = 15 * 86400  # beside the context: to fill its gaps by a week before, and to know what is in character


def leave_latest(series: Series, window: Window, zone: str, state: State) -> int:
    """Write `series/<name>` for each series that has a measured step in its newest context; returns how many. Others
    keep what was left of them before, with its own times.
    """
    steps = reach(window)
    alive = [j for j in range(len(series.names)) if series.observed[-steps:, j].any()]

    def put(j: int) -> None:
        state.put({**latest_plain(series, j, steps), "zone": zone}, "series", series.names[j])

    if alive:
        with ThreadPoolExecutor(min(AT_ONCE, len(alive)), "state") as pool:  # an object store is far away
            list(pool.map(put, alive))
    return len(alive)


def refresh_latest(options: SeriesOptions, window: Window) -> Read:
    """Read the newest days of a lake (or of what else `options` name) and leave the contexts in the state beside it.

    Raises what `read_series` raises, RegistryError if the state cannot be written.
    """
    seconds = reach(window) * window.step_s + WEEKS_S
    read = read_series(replace(options, last=in_words(seconds), step=in_words(window.step_s)))
    leave_latest(read.series, window, read.zone, State(beside(options.data)))
    return read
