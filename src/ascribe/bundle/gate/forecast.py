"""May this forecast go to production? Judged on whole windows that training held out, at rolling origins.

error       |y - f| over the scale of its series (MASE), or |y - f| where no series has a scale; mean of each origin
plain       the last value, the same time yesterday, the same time last week: taken from the windows themselves
interval    share of targets between the bounds, nominal less `TOO_FEW` to nominal and `TOO_MANY`

A candidate is refused where its error is above that of a plain forecast by more than one per cent, which costs nothing
and is its own excuse; where it is worse than production beyond chance and by more than one per cent; where its
interval covers too little or almost everything. Differences are paired by moment; origins that forecast the same hours
share their errors, so chance is judged over blocks of at least two horizons.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.bundle.forecast import Forecaster, open_forecaster
from ascribe.bundle.gate.compare import MARGIN, POWER_BLOCKS, Said, compare
from ascribe.bundle.held_windows import ROLE, HeldWindows, held_windows
from ascribe.core.forecast.measures import coverage, mae, mape, mase, pinball, width
from ascribe.core.forecast.series import Window
from ascribe.core.words import listed

__all__ = ["PLAIN", "forecasts", "judge_forecast", "plain_forecasts"]

PLAIN = {"the last value": 0, "the same time yesterday": 1, "the same time last week": 7}  # days back
TOO_FEW, TOO_MANY = 0.10, 0.07  # of the nominal coverage


@dataclass(frozen=True, eq=False)
class _Told:
    """`error (m,)`: of each moment, scaled; `numbers`: for the verdict."""

    error: np.ndarray
    numbers: dict[str, Any]


def forecasts(bundle: Bundle) -> bool:
    """Whether the gate judges a bundle here."""
    return bundle.manifest.layout is not None and bundle.manifest.layout.kind == "series"


def judge_forecast(candidate: Bundle, production: Bundle | None, said: Said) -> dict[str, Any]:
    """Reasons into `said`; returns the numbers. Raises BundleError for a bundle without held-out windows."""
    mine, held = open_forecaster(candidate), held_windows(candidate)
    champion = None if production is None or not forecasts(production) else open_forecaster(production)
    if production is not None:
        changed = "production forecasts nothing" if champion is None else _changes(mine, champion)
        if changed:
            said.say(False, f"production cannot be asked the same windows: {changed}")
            champion = None
    told = _told(mine, held)
    numbers: dict[str, Any] = {"rows": len(held.x), "candidate": told.numbers}
    _alone(mine, told, held, said, numbers)
    if champion is None or production is None:
        return numbers
    judged = [("its own", held, told)]
    if production.has(ROLE) and candidate.digest(ROLE) != production.digest(ROLE):
        theirs = held_windows(production)
        judged.append(("production's", theirs, _told(mine, theirs)))
    for whose, windows, here in judged:
        other = _told(champion, windows)
        what = f"forecast error on {whose} held-out origins"
        found = compare(what, here.error, other.error, _word(windows), _blocks(windows, mine.window), said)
        numbers[f"on {whose} rows"] = {
            "candidate": here.numbers, "production": other.numbers, "difference": found,
        }  # fmt: skip
    return numbers


def plain_forecasts(window: Window, x: np.ndarray) -> dict[str, np.ndarray]:
    """Those of `PLAIN` that a context is long enough for, of rows (o, n): (o, h)."""
    values = x.reshape(len(x), *window.shape)[:, :, 0].astype(float)
    found = {}
    for name, days in PLAIN.items():
        back = days * window.day
        if back > window.context:
            continue
        at = window.context - back + np.arange(window.horizon) % window.day if days else [-1] * window.horizon
        found[name] = values[:, at]
    return found


def _alone(mine: Forecaster, told: _Told, held: HeldWindows, said: Said, numbers: dict[str, Any]) -> None:
    """Whole answers, no worse than what needs no model, and an interval that means what it says."""
    n, unit = told.numbers, mine.curves.unit
    whole = bool(np.isfinite(told.error).all())
    scaled = "" if np.isnan(n["mase"]) else f", MASE {n['mase']:.3f}"
    text = f"MAE {n['mae']:.4g} {unit}".rstrip() + f"{scaled} over {n['moments']} origins of {n['series']} series"
    said.say(whole, text if whole else "some held-out windows get no forecast that is a number")
    plain = {name: _error(f, held) for name, f in plain_forecasts(mine.window, held.x).items()}
    numbers["plain"] = {name: float(error.mean()) for name, error in plain.items()}
    allowed, error = 1 + MARGIN, float(told.error.mean())
    worse = [name for name, level in numbers["plain"].items() if not error <= allowed * level]
    word = _word(held)
    for name in worse:
        said.say(False, f"worse than {name}: {error:.4g} against {numbers['plain'][name]:.4g} {word}")
    if plain and not worse:
        best = min(numbers["plain"], key=lambda name: numbers["plain"][name])
        level = numbers["plain"][best]
        said.say(True, f"no worse than {listed(list(plain))}: {error:.4g} {word}, {level:.4g} of the best of them")
    nominal = mine.curves.levels[1] - mine.curves.levels[0]
    covered, low, high = n["coverage"], nominal - TOO_FEW, min(nominal + TOO_MANY, 1.0)
    good = low <= covered <= high
    text = f"{100 * covered:.1f} % of targets lie in the {100 * nominal:.0f} % interval"
    said.say(good, text if good else f"{text}: {100 * low:.0f} to {100 * high:.0f} % must")


def _told(model: Forecaster, held: HeldWindows) -> _Told:
    f, low, high = model.forecast(held.x)
    y, levels = held.y, np.array(model.curves.levels)
    numbers = {
        "mae": float(mae(y, f)), "mape": float(mape(y, f)), "mase": float(mase(y, f, held.scale)),
        "pinball": float(pinball(y, np.stack([low, high], axis=2), levels)),
        "coverage": float(coverage(y, low, high)), "width": float(width(y, low, high)),
        "moments": len(np.unique(held.moment)), "series": len(np.unique(held.series)),
    }  # fmt: skip
    return _Told(_error(f, held), numbers)


def _error(f: np.ndarray, held: HeldWindows) -> np.ndarray:
    """(m,): mean scaled error of each moment that has targets; NaN where a forecast of one is no number."""
    scale = held.scale if _scaled(held) else np.ones(len(held.x))
    unit = np.where(scale > 0, scale, np.nan)[:, None]
    there = np.isfinite(held.y / unit)
    missed = np.where(there, np.abs(held.y - f) / unit, 0.0)
    place = np.unique(held.moment, return_inverse=True)[1]
    count = np.bincount(place, weights=there.sum(axis=1))
    return np.bincount(place, weights=missed.sum(axis=1))[count > 0] / count[count > 0]


def _scaled(held: HeldWindows) -> bool:
    return bool((held.scale > 0).any())


def _word(held: HeldWindows) -> str:
    return "MASE" if _scaled(held) else "MAE"


def _blocks(held: HeldWindows, window: Window) -> int:
    span = held.moment.max() - held.moment.min()
    return int(np.clip(span / (2 * window.horizon), 2, POWER_BLOCKS))


def _changes(mine: Forecaster, theirs: Forecaster) -> str:
    """In words, or "" where both read and answer the same."""
    ours, others = mine.window, theirs.window
    pairs = (
        ("context", ours.context, others.context), ("horizon", ours.horizon, others.horizon),
        ("step_s", ours.step_s, others.step_s), ("unit", mine.curves.unit, theirs.curves.unit),
        ("inputs", listed(ours.inputs), listed(others.inputs)),
    )  # fmt: skip
    return "; ".join(f"{name} is {a}, not {b}" for name, a, b in pairs if a != b)
