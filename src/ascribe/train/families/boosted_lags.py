"""Boosted trees that are asked for each step of the horizon with the step as a feature (`forecasting.lagged`).

    target:  (y - same time yesterday) / swing of the window;     loss: absolute error;     LightGBM

Leaves, learning rate and rounds are chosen on blocks of time, each held out in turn, a horizon apart from what is
fitted on. The trees of all blocks grow side by side, and what counts after each round is

    mean over blocks of log(error after it / error before the first)

so that one block unlike the others, a holiday, does not settle it by its size. Where that has not fallen for
`patience` rounds they stop, and its least serves: the trees are fitted again on the whole training part for as many
rounds. `rounds` is bounded by what serving can afford: 288 steps a window by 200 trees of 16 leaves take .6 ms of one
core.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import lightgbm
import numpy as np
import torch

from ascribe.core.errors import InputError
from ascribe.core.forecast import Series, Window
from ascribe.train.forecasting.band import LEVELS, offsets
from ascribe.train.forecasting.fitted import FittedForecast
from ascribe.train.forecasting.lagged import Answered, Lagged
from ascribe.train.forecasting.past import Past
from ascribe.train.forecasting.tree_graph import tree_graph
from ascribe.train.forecasting.windows import Windows, windows
from ascribe.train.loop import Progress

__all__ = ["BoostedOptions", "fit_boosted_lags"]

AT_ONCE = 64
LEAST = 1e-12


@dataclass(frozen=True)
class BoostedOptions:
    """`sizes`: (leaves, learning rate) that are tried; `rounds`: at most; `rows`: of (window, step) that trees are
    fitted on, the same share of each window, drawn.
    """

    sizes: tuple[tuple[int, float], ...] = ((8, 0.05), (8, 0.1), (16, 0.1))
    rounds: int = 200
    patience: int = 60
    windows: int = 2500
    rows: int = 120_000


@dataclass(frozen=True, eq=False)
class _Rows:
    """Z (r, p), targets in swings (r,), number of the window (r,); all of them measured."""

    Z: np.ndarray
    wanted: np.ndarray
    window: np.ndarray

    def of(self, mark: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Of windows marked (o,)."""
        kept = mark[self.window]
        return self.Z[kept], self.wanted[kept]


@dataclass(frozen=True, eq=False)
class _Grown:
    """Trees of each block, and errors (blocks, 1 + rounds), the first column without any tree."""

    boosters: list[lightgbm.Booster]
    errors: np.ndarray

    @property
    def curve(self) -> np.ndarray:
        held = np.log(np.maximum(self.errors, LEAST))
        return np.asarray((held - held[:, :1]).mean(axis=0))

    @property
    def best(self) -> int:
        return 1 + int(np.argmin(self.curve[1:]))


def fit_boosted_lags(
    series: Series, window: Window, until: int, *, seed: int = 0, progress: Progress | None = None,
    options: BoostedOptions | None = None,
) -> FittedForecast:  # fmt: skip
    """Deterministic for a seed. Raises InputError for a context of less than a day, or too short a training part."""
    options = options or BoostedOptions()
    seen, first = windows(series, window, until, options.windows), Lagged(Past(window))
    folds = [(_apart(seen, window, fit, held), held) for fit, held in seen.folds]
    rows = _rows(first, seen, max(1, options.rows // len(seen.at)), np.random.default_rng(seed))
    grown: dict[tuple[int, float], _Grown] = {}
    for k, size in enumerate(options.sizes):
        grown[size] = _grow(rows, folds, _parameters(*size, seed), options)
        if progress:
            least = np.exp(grown[size].curve[grown[size].best])
            progress(
                (k + 1) / (len(options.sizes) + 1), f"{size[0]} leaves, rate {size[1]:g}: {least:.3f} of yesterday"
            )
    size = min(grown, key=lambda one: grown[one].curve[grown[one].best])
    kept, rounds = grown[size], grown[size].best
    end = Answered(offsets(_missed(first, seen, kept, folds, rounds)), seen.least)
    data = lightgbm.Dataset(rows.Z, rows.wanted)
    booster = lightgbm.train(_parameters(*size, seed), data, rounds)
    if progress:
        progress(1.0, f"{rounds} rounds of {size[0]} leaves")

    def ask(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = [_curves(first, booster, end, X[k : k + AT_ONCE], rounds) for k in range(0, len(X), AT_ONCE)]
        return tuple(torch.cat(one).double().numpy() for one in zip(*found, strict=True))  # type: ignore[return-value]

    tried = {
        f"{leaves} leaves, rate {rate:g}": {"rounds": one.best, "against_yesterday": float(np.exp(one.curve[one.best]))}
        for (leaves, rate), one in grown.items()
    }
    told = {"rounds": rounds, "leaves": size[0], "rate": size[1], "windows": len(seen.at), "tried": tried,
            "error_of_blocks": kept.errors[:, [0, rounds]].tolist(), "options": asdict(options)}  # fmt: skip
    return FittedForecast("boosted_lags", ask, LEVELS, None, told, lambda x: tree_graph(first, booster, end, x))


def _parameters(leaves: int, rate: float, seed: int) -> dict[str, object]:
    return {
        "objective": "l1", "learning_rate": rate, "num_leaves": leaves, "min_data_in_leaf": 50,
        "feature_fraction": 0.8, "bagging_fraction": 0.8, "bagging_freq": 1, "seed": seed, "verbose": -1,
        "num_threads": torch.get_num_threads(), "deterministic": True, "force_row_wise": True,
    }  # fmt: skip


def _apart(seen: Windows, window: Window, fit: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Of what is fitted on, what lies a horizon from the block. Raises InputError where nothing does."""
    first, gap = seen.at[:, 0], window.horizon
    fit = fit & ((first + 2 * gap <= first[held].min()) | (first >= first[held].max() + 2 * gap))
    if not fit.any():
        raise InputError("no window lies a horizon apart from the blocks held out: give more data or a shorter horizon")
    return fit


def _rows(first: Lagged, seen: Windows, each: int, drawn: np.random.Generator) -> _Rows:
    """`each` steps of every window."""
    h = seen.y.shape[1]
    steps = np.sort(np.argsort(drawn.random(seen.y.shape), axis=1)[:, :each], axis=1)
    found, wanted = [], []
    for k in range(0, len(seen.X), AT_ONCE):
        Z, last, swing = _asked(first, seen.X[k : k + AT_ONCE])
        own, row = steps[k : k + AT_ONCE], np.arange(len(last))[:, None]
        found.append(Z.reshape(len(last), h, -1)[row, own].reshape(own.size, -1))
        wanted.append(((seen.y[k : k + AT_ONCE] - last) / swing)[row, own].ravel())
    y = np.concatenate(wanted)
    there = np.isfinite(y)
    return _Rows(np.concatenate(found)[there], y[there], np.repeat(np.arange(len(seen.X)), steps.shape[1])[there])


def _asked(first: Lagged, X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with torch.no_grad():
        Z, last, swing = first(torch.tensor(X, dtype=torch.float32))
    return Z.numpy(), last.double().numpy(), swing.double().numpy()


def _grow(
    rows: _Rows, folds: list[tuple[np.ndarray, np.ndarray]], parameters: dict[str, object], options: BoostedOptions
) -> _Grown:
    boosters, errors = [], []
    for fit, held in folds:
        data = lightgbm.Dataset(*rows.of(fit))
        booster = lightgbm.Booster(parameters, data)
        Z, wanted = rows.of(held)
        booster.add_valid(lightgbm.Dataset(Z, wanted, reference=data), "held")
        boosters.append(booster)
        errors.append([float(np.abs(wanted).mean())])
    while len(errors[0]) <= options.rounds:
        for booster, error in zip(boosters, errors, strict=True):
            booster.update()
            error.append(float(booster.eval_valid()[0][2]))
        grown = _Grown(boosters, np.array(errors))
        if len(errors[0]) - 1 - grown.best >= options.patience:
            break
    return _Grown(boosters, np.array(errors))


def _missed(
    first: Lagged, seen: Windows, grown: _Grown, folds: list[tuple[np.ndarray, np.ndarray]], rounds: int
) -> np.ndarray:
    """(o, h): (y - f) / swing by the trees of the blocks that do not hold a window; NaN for one that lies in two."""
    found = np.full(seen.y.shape, np.nan)
    for (_, held), booster in zip(folds, grown.boosters, strict=True):
        for part in np.array_split(np.flatnonzero(held), max(1, int(held.sum()) // AT_ONCE)):
            Z, last, swing = _asked(first, seen.X[part])
            told = np.asarray(booster.predict(Z, num_iteration=rounds)).reshape(last.shape)
            found[part] = (seen.y[part] - last) / swing - told
    return found


def _curves(
    first: Lagged, booster: lightgbm.Booster, end: Answered, X: np.ndarray, rounds: int
) -> tuple[torch.Tensor, torch.Tensor]:
    with torch.no_grad():
        Z, last, swing = first(torch.tensor(X, dtype=torch.float32))
        told = booster.predict(Z.numpy(), num_iteration=rounds)
        return end.curves(torch.as_tensor(told, dtype=torch.float32), last, swing)
