"""Which rows are drawn one by one, and their players: features of a table, words of a text."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ascribe.core.answer import Answer, answered, words_of
from ascribe.core.arrays import np
from ascribe.core.attribution import Attribution
from ascribe.core.errors import InputError
from ascribe.report.account import Entry, account_of
from ascribe.report.drawn import View

__all__ = ["accounts_of", "chosen", "of_words", "shown_of"]


def chosen(answer: Answer, view_rows: tuple[int, ...] | None, most: int) -> tuple[int, ...]:
    """The rows asked for, or the first that were answered. Raises InputError for too many, none, or unanswered."""
    a = answer.attribution
    good = answered(a)
    rows = tuple(np.flatnonzero(good)[:most].tolist()) if view_rows is None else view_rows
    if not rows:
        raise InputError("no row of this answer holds numbers: look at its status and reason")
    if len(rows) > most:
        raise InputError(f"{len(rows)} rows were chosen: one sheet holds 1 to {most}")
    for row in rows:
        if row not in range(len(a)):
            raise InputError(f"there is no row {row}: choose from 0 to {len(a) - 1}")
        if not good[row]:
            reason = a.reasons[row] or "its values are not finite numbers"
            raise InputError(f"row {row} has no answer to draw ({a.status[row]}: {reason}): choose another row")
    return rows


def of_words(answer: Answer, row: int) -> Attribution:
    """One row of a text as an attribution whose players are its words."""
    a = answer.attribution
    words, values, errors = words_of(answer, row)
    at = slice(row, row + 1)
    return replace(
        a, values=values[None], stderr=errors[None], features=tuple(f"“{word}”" for word in words),
        prediction=a.prediction[at], ess=a.ess[at], status=a.status[at], reasons=a.reasons[at], data=np.empty((1, 0)),
        columns=(), layout=None, segments=None, deviations=None, base_value=float(a.bases[row]), base_values=None,
    )  # fmt: skip


def shown_of(answer: Answer) -> Callable[[int, int], str]:
    """The own value of a row's player, which is known by its number: two long names may be drawn alike."""
    names = answer.attribution.features
    return lambda row, player: answer.shown(row, names[player])


def accounts_of(answer: Answer, view: View, top: int, most: int) -> list[tuple[str, float, float, tuple[Entry, ...]]]:
    """Label, base value, prediction and shares of each chosen row."""
    found = []
    for row in chosen(answer, view.rows, most):
        if answer.layout.kind == "text":
            entries = account_of(of_words(answer, row), 0, view.top or top)
        else:
            entries = account_of(answer.attribution, row, view.top or top, own=shown_of(answer))
        a = answer.attribution
        shares = tuple(e for e in entries if e.kind in ("player", "folded", "gap"))
        found.append((answer.label(row), float(a.bases[row]), float(a.prediction[row]), shares))
    return found
