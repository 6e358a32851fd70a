"""The account of one row: from the base value to the prediction, and on to what was measured.

    base_value + sum_shown values + sum_folded values (+ gap) = prediction
    prediction + unexplained = measured

Every entry starts where the one before it ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite, nan

from ascribe.core.answer import answered
from ascribe.core.arrays import Float, np
from ascribe.core.attribution import Attribution
from ascribe.core.errors import InputError
from ascribe.core.quantities import in_units

__all__ = ["MARKS", "Entry", "account_of", "grouped", "importance_of"]

MARKS = ("base", "prediction", "measured")
VISIBLE_GAP = 1e-3  # of the largest bar: below it no eye sees that bars end beside the prediction
MEANINGS = {"baseline": "f(reference)", "occlusion": "f(reference)", "local linear": "the local model's"}  # of a base


@dataclass(frozen=True)
class Entry:
    """One line: a bar from `start` to `start + value`, or a mark at `start`; all in the output's unit.

    `kind`: one of `MARKS`, or player, folded, gap, unexplained; size and sum in a list of sizes. `error`: standard
    error, NaN where unknown.
    """

    label: str
    kind: str
    start: float
    value: float = 0.0
    error: float = nan

    @property
    def end(self) -> float:
        return self.start + self.value


def account_of(
    attribution: Attribution,
    row: int,
    top: int,
    units: Mapping[str, str] | None = None,
    measured: float | None = None,
    own: Callable[[int, int], str] | None = None,
) -> tuple[Entry, ...]:
    """Base, the `top` players by |value|, the others as one, prediction; then unexplained and measured.

    The error of the folded players is sqrt(sum se^2), as if their errors were independent. A single player is never
    folded. Raises InputError for a row that does not exist or that has no answer.
    """
    _check(attribution, row)
    phi, se = attribution.values[row], attribution.stderr[row]
    base, prediction = float(attribution.bases[row]), float(attribution.prediction[row])
    shown, folded = _by_size(np.abs(phi), top)
    shares = [(_name(attribution, row, int(j), units or {}, own), "player", float(phi[j]), float(se[j])) for j in shown]
    if len(folded):
        shares.append((others(attribution, len(folded)), "folded", float(phi[folded].sum()), _joint(se[folded])))
    left = prediction - base - sum(value for _, _, value, _ in shares)
    if abs(left) > VISIBLE_GAP * max((abs(value) for _, _, value, _ in shares), default=0.0):
        shares.append(("left over by the method", "gap", left, nan))
    meaning = MEANINGS.get(attribution.info.game, "E f(X)")
    entries, at = [Entry(f"base value, {meaning}", "base", base)], base
    for label, kind, value, error in shares:
        entries.append(Entry(label, kind, at, value, error))
        at += value
    entries.append(Entry("prediction", "prediction", prediction))
    if measured is not None and isfinite(measured):
        entries.append(Entry("unexplained", "unexplained", prediction, float(measured) - prediction))
        entries.append(Entry("measured", "measured", float(measured)))
    return tuple(entries)


def importance_of(attribution: Attribution, top: int) -> tuple[Entry, ...]:
    """Mean |value| of each player over the rows that were answered, largest first; the others together.

    The error is the mean standard error over rows: rows share coalitions and noise, so it does not shrink with their
    number. Raises InputError where no row was answered.
    """
    usable = answered(attribution)
    if not usable.any():
        raise InputError("no row of this attribution was answered: look at its status and reasons")
    size, se = np.abs(attribution.values[usable]).mean(axis=0), attribution.stderr[usable].mean(axis=0)
    shown, folded = _by_size(size, top)
    entries = [Entry(attribution.features[j], "size", 0.0, float(size[j]), float(se[j])) for j in shown]
    if len(folded):
        label = f"{others(attribution, len(folded))}, sum"
        entries.append(Entry(label, "sum", 0.0, float(size[folded].sum()), _joint(se[folded])))
    return tuple(entries)


def grouped(attribution: Attribution) -> bool:
    """Whether players are groups: then a player has no value of its own to show."""
    return bool(attribution.data.shape[1] != len(attribution.features))


def others(attribution: Attribution, count: int) -> str:
    return f"{count} other {'players' if grouped(attribution) else 'features'}"


def _check(attribution: Attribution, row: int) -> None:
    b = len(attribution)
    if row not in range(b):
        raise InputError(f"there is no row {row}: " + (f"choose from 0 to {b - 1}" if b else "nothing was explained"))
    if not answered(attribution)[row]:
        reason = attribution.reasons[row] or "its values are not finite numbers"
        raise InputError(f"row {row} has no answer to draw ({attribution.status[row]}: {reason}): choose another row")


def _by_size(size: Float[np.ndarray, " p"], top: int) -> tuple[np.ndarray, np.ndarray]:
    """Players shown and players folded, each by falling size; folding one would save no line."""
    if top < 1:
        raise InputError(f"top is {top}: show at least one player")
    order = np.argsort(-size, kind="stable")
    cut = top if len(order) > top + 1 else len(order)
    return order[:cut], order[cut:]


def _joint(se: Float[np.ndarray, " p"]) -> float:
    return float(np.sqrt((se**2).sum()))


def _name(
    attribution: Attribution, row: int, player: int, units: Mapping[str, str], own: Callable[[int, int], str] | None
) -> str:
    """With its own value: as `own` says it of (row, player), or by its unit."""
    name = attribution.features[player]
    if own is not None:
        value = own(row, player)
    else:
        value = "" if grouped(attribution) else in_units(float(attribution.data[row, player]), units.get(name, ""))
    return f"{name} = {value}" if value else name
