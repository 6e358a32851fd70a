"""Players of a window: each input on each day, days counted back from the window's end.

    day k ago     the steps  context - k day ... context - (k-1) day - 1;  the oldest may be a part of a day
    value         of a player: the sum over its columns;  its data: their mean

"1 day ago" is the day that ends where the forecast begins, so that "7 days ago" holds the same time last week.
"""

from __future__ import annotations

from dataclasses import replace

from ascribe.core.arrays import Float, np
from ascribe.core.attribution import Attribution
from ascribe.core.layout import Layout

__all__ = ["ago", "by_player", "days_of", "grid_of", "named", "owners"]


def days_of(layout: Layout) -> np.ndarray:
    """How many days ago each step of a window is, the newest day 1.

    >>> days_of(Layout("series", (5, 1), day=2)).tolist()
    [3, 2, 2, 1, 1]
    """
    context = layout.shape[0]
    return (np.arange(context)[::-1] // (layout.day or context)) + 1


def owners(layout: Layout) -> np.ndarray:
    """The player of each column of a window: days from the oldest, inputs in their order within a day."""
    days, inputs = days_of(layout), layout.shape[1]
    return ((days.max() - days)[:, None] * inputs + np.arange(inputs)).reshape(-1)


def ago(days: int) -> str:
    """
    >>> ago(1), ago(7)
    ('1 day ago', '7 days ago')
    """
    return f"{days} day{'' if days == 1 else 's'} ago"


def named(layout: Layout) -> tuple[str, ...]:
    """Names of the players, such as `value, 7 days ago`, in the order of `owners`."""
    last = int(days_of(layout).max())
    return tuple(f"{layout.input(i)}, {ago(k)}" for k in range(last, 0, -1) for i in range(layout.shape[1]))


def grid_of(layout: Layout, values: Float[np.ndarray, "b p"]) -> Float[np.ndarray, "b days inputs"]:
    """Values of players as a map, the oldest day first."""
    return values.reshape(len(values), -1, layout.shape[1])


def by_player(a: Attribution) -> Attribution:
    """An attribution of windows with a value for each day of each input, as of a table; any other as it is.

    Where other segments were the players, their values are added up over the columns all the same: sums are kept, but a
    segment that spans several days is divided evenly. The standard error of one player's even parts is its own; those
    of single columns are taken as independent.
    """
    layout = a.layout
    if layout is None or layout.kind != "series":
        return a
    owner = owners(layout)
    p = int(owner.max()) + 1
    values, data = summed(a.values, owner, p), summed(a.data, owner, p) / np.bincount(owner, minlength=p)
    whole = a.segments is not None
    stderr = summed(a.stderr, owner, p) if whole else np.sqrt(summed(a.stderr**2, owner, p))
    return replace(
        a, values=values, stderr=stderr, data=data, features=named(layout), columns=named(layout), layout=None,
        segments=None, deviations=None,
    )  # fmt: skip


def summed(values: Float[np.ndarray, "b n"], owner: np.ndarray, p: int) -> Float[np.ndarray, "b p"]:
    """Of each player: the sum over its columns; a column below 0 is nobody's.

    >>> summed(np.array([[1.0, 2.0, 5.0]]), np.array([0, 0, 1]), 2).tolist()
    [[3.0, 5.0]]
    """
    mine = owner >= 0
    out = [np.bincount(owner[mine], row[mine], p) for row in np.asarray(values, dtype=float)]
    return np.array(out).reshape(len(values), p)
