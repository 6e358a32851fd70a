"""Drift of what production meets: its inputs, its predictions, their attributions, its errors.

Before are the rows that training held out and left in the bundle: the newest that the model was judged on. Now are the
newest rows of the lake, or rows that servers answered. Both are thinned evenly, which keeps them in the order of time
within each node, so that runs of neighbours can stand for independent rows (`core.drift.energy`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ascribe.bundle.archive import Bundle
from ascribe.bundle.holdout import holdout
from ascribe.bundle.live import Live
from ascribe.bundle.runtime import load
from ascribe.bundle.state import State
from ascribe.core import tiers
from ascribe.core.arrays import evenly
from ascribe.core.drift import energy
from ascribe.core.drifted import Drift, Shift, Thresholds, shifts, verdict
from ascribe.core.errors import InputError, RegistryError, SchemaError
from ascribe.core.features import out_of_bounds
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.words import listed
from ascribe.train.runs.snapshot import GROUP, TARGET, TIME

__all__ = ["DRIFT", "LEAST_ROWS", "Rows", "drift", "lake_rows", "live_rows", "newest", "save"]

DRIFT = "drift"
LEAST_ROWS, MOST_ROWS = 50, 2000
EXPLAINED_ROWS = 500  # of each side: PSI of ten bins then wanders by .04
BLOCKS = 20  # of each side
KEPT = 100  # comparisons of a model
TO = "%Y-%m-%d %H:%M"
TIERS = ("fast", "balanced")


@dataclass(frozen=True, eq=False)
class Rows:
    """`X (rows, n)` as they came, NaN where a value is missing; `y (rows,)` measured, NaN without a label; `words`:
    where they come from.
    """

    X: np.ndarray
    y: np.ndarray
    words: str


def lake_rows(table: pa.Table, names: Sequence[str], version: int) -> Rows:
    """Newest rows of a lake, thinned. Raises InputError for none, SchemaError for a feature that the lake lacks."""
    if not len(table):
        raise InputError(f"lake version {version} holds no rows: `ascribe lake show` says why they were refused")
    if missing := [name for name in names if name not in table.column_names]:
        raise SchemaError(f"the lake has no column {listed(missing)}, which the model in production needs")
    ends = pc.min_max(table[TIME]).as_py()
    words = f"lake version {version}, {len(table)} newest rows, {ends['min']:{TO}} to {ends['max']:{TO}} UTC"
    table = table.sort_by([(GROUP, "ascending"), (TIME, "ascending")]).take(evenly(len(table), MOST_ROWS))
    return Rows(np.column_stack([_numbers(table, name) for name in names]), _numbers(table, TARGET), words)


def live_rows(live: Live) -> Rows:
    """What servers answered. They are explained again: callers may have asked for any tier, and only attributions by
    one explainer compare.
    """
    X = np.array(live.X, dtype=float)
    at = evenly(len(X), MOST_ROWS)
    words = f"live traffic, {len(X)} of {live.seen or len(X)} rows answered until {live.at}"
    return Rows(X[at], np.full(len(at), np.nan), words)


def drift(bundle: Bundle, name: str, now: Rows, at: str, thresholds: Thresholds | None = None) -> Drift:
    """Compare a bundle's held-out rows with `now`. Attributions are those of its cheapest compiled tier; without one
    they are left out, and inputs count alike. Raises InputError for too few rows, BundleError.
    """
    thresholds = thresholds or Thresholds()
    model = load(bundle)
    assert model.predict is not None
    X, y = holdout(bundle)
    known, good = _answerable(model, X), _answerable(model, now.X)
    X, y, Y, measured = X[known], y[known], now.X[good], now.y[good]
    if min(len(X), len(Y)) < LEAST_ROWS:  # fewer say nothing by PSI of ten bins
        raise InputError(
            f"{len(Y)} rows now and {len(X)} before can be compared, {LEAST_ROWS} are the least: wait for more rows"
        )
    f, g = (np.asarray(model.predict(part), dtype=float) for part in (X, Y))
    tier, phi, phi_now = _explained(model, X, Y)
    weights = _weights(phi, phi_now, len(model.names))
    units = [feature.unit for feature in model.features]
    inputs = shifts(model.names, units, X, Y, weights)
    whole = np.ones(1)
    predictions = shifts([model.output], [model.unit], f[:, None], g[:, None], whole)[0]
    attributions = shifts(model.names, [model.unit] * len(units), phi, phi_now, weights) if tier else ()
    errors = _errors(model, np.abs(y - f), np.abs(measured - g))
    apart = energy(X, Y, np.random.default_rng(0), BLOCKS)
    word, reasons = verdict(inputs, predictions, attributions, errors, apart.p, thresholds)
    return Drift(
        name, model.version, at, f"{len(X)} held-out rows of version {model.version}", now.words, len(X), len(Y),
        int((~good).sum()), inputs, predictions, attributions, errors, apart.distance, apart.p, BLOCKS, tier,
        thresholds, word, reasons,
    )  # fmt: skip


def save(state: State, found: Drift) -> None:
    """Write a comparison under its model and time; the oldest beyond `KEPT` go. Raises RegistryError."""
    state.put(found, DRIFT, found.model, found.at)
    for at in state.names(DRIFT, found.model)[:-KEPT]:
        state.remove(DRIFT, found.model, at)


def newest(state: State, name: str) -> Drift | None:
    """The last comparison of a model. Raises RegistryError for a blob that is none."""
    names = state.names(DRIFT, name)
    if not names:
        return None
    try:
        return msgspec.convert(state.get(DRIFT, name, names[-1]), Drift)
    except msgspec.ValidationError as exc:
        raise RegistryError(f"{DRIFT}/{name}/{names[-1]} of {state.uri} is no comparison ({exc}): remove it") from exc


def _answerable(model: Model, X: np.ndarray) -> np.ndarray:
    """Rows without a missing or impossible value."""
    return np.asarray(~out_of_bounds(model.features, X).any(axis=1))


def _explained(model: Model, X: np.ndarray, Y: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
    """The tier, and attributions of some rows before and now; "" and nothing where no tier is cheap enough."""
    tier = next((tier for tier in TIERS if tier in tiers.offered(model)), "")

    def attributed(rows: np.ndarray) -> np.ndarray:
        part = rows[evenly(len(rows), EXPLAINED_ROWS)]
        phi = tiers.explain(model, part, "conditional_shap", Options(), tier).values if tier else part[:0]
        return np.asarray(phi[np.isfinite(phi).all(axis=1)])

    before, now = attributed(X), attributed(Y)
    return (tier, before, now) if len(before) and len(now) else ("", before[:0], now[:0])


def _weights(phi: np.ndarray, phi_now: np.ndarray, n: int) -> np.ndarray:
    """Each feature's share of mean |attribution|, the larger of before and now, so that a newcomer counts too; together
    they are 1.
    """
    if not len(phi):
        return np.full(n, 1 / n)
    sizes = [np.abs(part).mean(axis=0) for part in (phi, phi_now)]
    larger = np.maximum(*(size / max(size.sum(), np.finfo(float).tiny) for size in sizes))
    return np.asarray(larger / max(larger.sum(), np.finfo(float).tiny))


def _errors(model: Model, before: np.ndarray, now: np.ndarray) -> Shift | None:
    """Of the rows that have a label now; None where too few have."""
    now = now[np.isfinite(now)]
    if len(now) < LEAST_ROWS:
        return None
    name = f"|{model.output} - prediction|"
    return shifts([name], [model.unit], before[:, None], now[:, None], np.ones(1))[0]


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    if name not in table.column_names:
        return np.full(len(table), np.nan)
    return np.asarray(table[name].cast(pa.float64()).to_numpy(zero_copy_only=False))
