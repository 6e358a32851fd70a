"""How often a model is asked for one row, at most: predictions, or slopes of a gradient method.

    coalitions of a table          budget                          whatever stands for absent features
    coalitions of an image, text   budget x references             a network is asked for each of them; of a window too
    lime                           perturbations
    occlusion                      windows, segments or groups, and two ends
    a path                         steps                           noisy copies, baselines: draws

A service compares it with its limit before any work; `ascribe explainers` says it.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, prod

from ascribe.core.arrays import np
from ascribe.core.days import owners
from ascribe.core.estimators import (
    AUTO_EXACT_PLAYERS,
    ESTIMATORS,
    FITTED_BUDGET,
    FITTED_PER_PLAYER,
    MAX_EXACT_PLAYERS,
)
from ascribe.core.estimators.enumeration import usual_budget
from ascribe.core.matched import CALENDAR, NEAREST
from ascribe.core.model import Model
from ascribe.core.options import Options, Patch
from ascribe.core.players import GRID
from ascribe.core.shapley import MOST_BUDGET

__all__ = [
    "LIME", "LIME_EACH", "LIME_GROWN", "LIME_TABLE", "MOST_STEPS", "OF_IMAGE", "coalitions", "draws", "once", "orders",
    "perturbations", "players", "sides_of", "steps", "windows",
]  # fmt: skip

LIME_TABLE, LIME = 4096, 1024  # perturbations of a table, of others
LIME_EACH = 4  # for each player, at least, where no budget is named
LIME_GROWN = 16  # times as many at most, where an error is asked for and no budget is named
OF_IMAGE = 8  # windows that lie side by side where none is named
MOST_STEPS = 1024  # of a path whose steps are doubled


def players(model: Model, options: Options, X: np.ndarray | None = None) -> int:
    """Of one row, at most. `X (b, n)`: the rows, whose words are counted where they are texts."""
    layout = model.layout
    if layout.kind == "table":
        grouped = {name for members in (options.groups or {}).values() for name in members}
        return len(options.groups or ()) + len(set(model.names) - grouped)
    if options.segments is not None:
        given = np.asarray(options.segments)
        return int(given) if given.ndim == 0 else len(np.unique(given[given >= 0]))
    if layout.kind == "image":
        return min(GRID, layout.shape[0]) * min(GRID, layout.shape[1])
    if layout.kind == "series":
        return int(owners(layout).max()) + 1
    return layout.n if X is None else int(np.not_equal(X, layout.padding).sum(axis=1).max(initial=0))


def once(model: Model, options: Options, X: np.ndarray | None = None) -> int:
    """One pass, or none."""
    return 1


def coalitions(model: Model, options: Options, X: np.ndarray | None = None) -> int:
    """Of a Shapley estimator."""
    p = players(model, options, X)
    if options.estimator == "exact":
        spent = 2 ** min(p, MAX_EXACT_PLAYERS)
    elif options.budget is not None:
        spent = options.budget
    elif options.target_stderr is not None:
        spent = MOST_BUDGET
    elif options.estimator in ESTIMATORS:
        spent = min(2**p, usual_budget(p))
    else:
        spent = 2**p if p <= AUTO_EXACT_PLAYERS else max(FITTED_BUDGET, FITTED_PER_PLAYER * p)
    if model.layout.kind == "series" and model.background is not None:
        by_name = isinstance(options.baseline, str) and options.baseline == CALENDAR
        most = NEAREST if by_name else 1 if options.baseline is not None else options.samples
        return spent * min(most, len(model.background))
    alone = model.layout.kind == "table" or options.baseline is not None or model.background is None
    return spent if alone or model.background is None else spent * len(model.background)


def orders(model: Model, options: Options, X: np.ndarray | None = None) -> int:
    """Of permutation sampling, whatever estimator is named."""
    return coalitions(model, replace(options, estimator="permutation"), X)


def perturbations(model: Model, options: Options, X: np.ndarray | None = None) -> int:
    """Of LIME."""
    if options.budget is not None:
        return options.budget
    usual = LIME_TABLE if model.layout.kind == "table" else LIME
    return max(usual, LIME_EACH * players(model, options, X)) * (1 if options.target_stderr is None else LIME_GROWN)


def windows(model: Model, options: Options, X: np.ndarray | None = None) -> int:
    """Of occlusion."""
    layout, patch = model.layout, options.patch
    if options.groups or options.segments is not None or layout.kind == "series":
        return players(model, options, X) + 2
    sides, window, stride = sides_of(layout.kind, layout.shape or (len(model.names),), patch)
    return prod(max(0, ceil((side - window) / max(1, stride))) + 1 for side in sides) + 2


def sides_of(kind: str, shape: tuple[int, ...], patch: Patch) -> tuple[tuple[int, ...], int, int]:
    """Along which sides occlusion lays its windows, how long these are and how far apart."""
    image = kind == "image"
    sides = shape[:2] if image else shape
    window = (max(1, min(sides) // OF_IMAGE) if image else 1) if patch.window is None else patch.window
    stride = (max(1, window // 2) if image else 1) if patch.stride is None else patch.stride
    return sides, window, stride


def steps(model: Model, options: Options, X: np.ndarray | None = None) -> int:
    """Of a path from a baseline."""
    return MOST_STEPS if options.path.steps is None else options.path.steps


def draws(model: Model, options: Options, X: np.ndarray | None = None) -> int:
    """Noisy copies of a row, or baselines."""
    return options.path.draws
