"""Several forecasters on the same targets: measures, steps of the horizon, series, and whether it was luck.

A target that one forecaster cannot answer is left out for all, and said. MASE is by series, its scale the mean step of
a day on the part before the test. The ratio is of summed errors over that scale, so that large series do not drown the
others (of one series it is the ratio of MAE); its interval is over blocks of moments (`core.forecast.paired`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ascribe.bundle.held_windows import scale_of_training
from ascribe.core.arrays import evenly
from ascribe.core.errors import InputError
from ascribe.core.forecast import Series, Window, rows, targets
from ascribe.core.forecast import measures as m
from ascribe.core.forecast.paired import by_moment, ratio
from ascribe.train.forecasting.fitted import Ask

__all__ = ["PLAIN", "Asked", "judged"]

PLAIN = ("persistence", "yesterday", "last_week")
ROWS_AT_ONCE = 256
KEPT_ORIGINS = 6  # whose curves go into the report, for pictures


@dataclass(frozen=True, eq=False)
class Asked:
    """A forecaster to be judged. `levels` of its quantiles, the first and the last of which are its interval."""

    ask: Ask
    levels: tuple[float, ...] = ()


def judged(
    series: Series, window: Window, at: np.ndarray, until: int, models: Mapping[str, Asked], block: int
) -> dict[str, Any]:
    """Plain values of all `models` at origins `at (o, 2)`; `until`: steps before which everything was for training;
    `block`: moments of a block. Raises InputError where nothing was measured.
    """
    y, scale = targets(series, window, at), scale_of_training(series, window, until)
    told = {name: _answers(model, series, window, at) for name, model in models.items()}
    there = np.isfinite(y) & np.all([np.isfinite(f) for f, _ in told.values()], axis=0)
    lost = int(np.isfinite(y).sum() - there.sum())
    y = np.where(there, y, np.nan)
    if not there.any():
        raise InputError("no target of the test part was measured, or no forecaster answers: nothing can be judged")
    of_row = scale[at[:, 1]]
    weight = of_row if (of_row > 0).any() else np.ones(len(at))
    sums = {
        name: by_moment(np.abs(y - f) / np.where(weight > 0, weight, np.nan)[:, None], at[:, 0])
        for name, (f, _) in told.items()
    }
    plain = [name for name in PLAIN if name in sums]
    best = min(plain, key=lambda name: sums[name].sum()) if plain else ""
    found: dict[str, Any] = {}
    for name, (f, q) in told.items():
        found[name] = _measures(y, f, q, models[name].levels, of_row)
        found[name]["by_moment"] = sums[name].tolist()
        found[name]["by_step"] = _by_step(y, f, q, of_row)
        found[name]["by_series"] = {
            one: _measures(y[mine], f[mine], None if q is None else q[mine], models[name].levels, of_row[mine])
            for j, one in enumerate(series.names)
            if (mine := at[:, 1] == j).any()
        }
        by = [one["mase"] for one in found[name]["by_series"].values() if one["mase"] is not None]
        found[name]["mase_median"] = float(np.median(by)) if by else None
        if best:
            r = ratio(sums[name], sums[best], block)
            with_interval = {"ratio": r.value, "low": r.low, "high": r.high, "blocks": r.blocks}
            found[name]["ratio_to_best_plain"] = _plain(with_interval)
    return {
        "best_plain": best,
        "targets": int(there.sum()),
        "targets_left_out": lost,
        "zeros_left_out_of_mape": m.zeros(y),
        "models": found,
        "curves": _curves(series, window, at, y, told),
    }


def _answers(model: Asked, series: Series, window: Window, at: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    parts = [model.ask(rows(series, window, at[k : k + ROWS_AT_ONCE])) for k in range(0, len(at), ROWS_AT_ONCE)]
    quantiles = [q for _, q in parts if q is not None]
    return np.concatenate([f for f, _ in parts]), np.concatenate(quantiles) if quantiles else None


def _measures(
    y: np.ndarray, f: np.ndarray, q: np.ndarray | None, levels: tuple[float, ...], scale: np.ndarray
) -> dict[str, Any]:
    found = {"mae": m.mae(y, f), "mape": m.mape(y, f), "smape": m.smape(y, f), "mase": m.mase(y, f, scale)}
    if q is not None:
        low, high = q[:, :, 0], q[:, :, -1]
        ends = np.array([levels[0], levels[-1]])  # of every forecaster the same two, so that losses compare
        found["pinball"] = m.pinball(y, np.stack([low, high], axis=2), ends)
        found |= {"coverage": m.coverage(y, low, high), "width": m.width(y, low, high)}
    return _plain({name: float(value) for name, value in found.items()})


def _by_step(y: np.ndarray, f: np.ndarray, q: np.ndarray | None, scale: np.ndarray) -> dict[str, Any]:
    found = {"mae": m.mae(y, f, steps=True), "mase": m.mase(y, f, scale, steps=True)}
    if q is not None:
        found["coverage"] = m.coverage(y, q[:, :, 0], q[:, :, -1], steps=True)
    return {name: [_finite(v) for v in value.tolist()] for name, value in found.items()}


def _curves(
    series: Series, window: Window, at: np.ndarray, y: np.ndarray,
    told: Mapping[str, tuple[np.ndarray, np.ndarray | None]],
) -> list[dict[str, Any]]:  # fmt: skip
    """Some origins with their past, what came and what each forecaster said."""
    return [
        {
            "series": series.names[at[i, 1]],
            "moment_s": int(series.start_s + series.step_s * at[i, 0]),
            "past": [_finite(v) for v in series.values[at[i, 0] - window.context : at[i, 0], at[i, 1]].tolist()],
            "true": [_finite(v) for v in y[i].tolist()],
            "models": {
                name: {"forecast": f[i].tolist()}
                | ({} if q is None else {"lower": q[i, :, 0].tolist(), "upper": q[i, :, -1].tolist()})
                for name, (f, q) in told.items()
            },
        }
        for i in evenly(len(at), KEPT_ORIGINS).tolist()
    ]


def _plain(held: dict[str, Any]) -> dict[str, Any]:
    return {name: _finite(value) for name, value in held.items()}


def _finite(value: Any) -> Any:
    """JSON has no NaN."""
    return None if isinstance(value, float) and not np.isfinite(value) else value
