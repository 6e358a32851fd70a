"""Where a moment stands in its day, week and month, as points on circles."""

from __future__ import annotations

from jaxtyping import Int

from ascribe.core.arrays import Float, np

__all__ = ["CALENDAR", "DAY_S", "YEARS_S", "calendar"]

DAY_S = 86400
YEARS_S = (-62_135_510_400, 253_402_214_400)  # epoch seconds of 2 January 1 and 31 December 9999: what a clock can say
THURSDAY = 3  # 1970-01-01, counted from Monday
CALENDAR = ("minute_sin", "minute_cos", "weekday_sin", "weekday_cos", "monthday_sin", "monthday_cos")


def calendar(local_s: Int[np.ndarray, " t"]) -> Float[np.ndarray, "t 6"]:
    """`CALENDAR` of wall-clock seconds, as if these were seconds since 1970 in the zone itself:

        minute    2 pi (local mod 86400) / 86400           runs on evenly within the day
        weekday   2 pi w / 7,  w = 0 on Monday             steps at midnight
        monthday  2 pi (d - 1) / days of the month         steps at midnight

    Daylight saving is in `local_s`: the hour that comes twice has equal encodings.

    >>> calendar(np.array([6 * 3600])).round(3).tolist()  # Thursday 1 January 1970, 06:00
    [[1.0, 0.0, 0.434, -0.901, 0.0, 1.0]]
    """
    local_s = np.asarray(local_s, dtype=np.int64)
    day = local_s // DAY_S
    date = day.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    first = month.astype("datetime64[D]").astype(np.int64)
    length = (month + 1).astype("datetime64[D]").astype(np.int64) - first
    turns = ((local_s - day * DAY_S) / DAY_S, ((day + THURSDAY) % 7) / 7, (day - first) / length)
    return np.stack([f(2 * np.pi * turn) for turn in turns for f in (np.sin, np.cos)], axis=-1)
