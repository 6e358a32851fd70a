"""What is explained where the truth is known: worlds, functions, numbers of rows, and the published recipes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks.accuracy.functions import boosted, gam, least_squares, linear, steps
from benchmarks.accuracy.worlds import World, burr, clusters, gaussian, mixed, skewed, twins

__all__ = ["SETTINGS", "Setting", "setting"]

F = Callable[[np.ndarray], np.ndarray]
Make = Callable[[World, np.ndarray], F]  # a world and its training rows -> f

TREE_ROWS, TREE_SEED, NOISE_SEED = 5000, 71, 72


@dataclass(frozen=True)
class Setting:
    """`functions`: by name, made from the world and the training rows. `samples` completions per coalition; `draws` of
    the exact law for truths without a closed form. `per_rows`: f depends on the training rows, so its truth does too.
    """

    group: str
    name: str
    world: Callable[[], World]
    functions: dict[str, Make]
    rows: tuple[int, ...] = (1000, 5000)
    samples: int = 64
    draws: int = 4096
    per_rows: bool = False

    def training(self, rows: int, draw: int = 0) -> np.ndarray:
        return self.world().sample(rows, 1 + 1000 * draw)

    def explicands(self, count: int) -> np.ndarray:
        return self.world().sample(100, 2)[:count]


def _linear(world: World, train: np.ndarray) -> F:
    return linear(world.n)


def _gam(world: World, train: np.ndarray) -> F:
    return gam(world.n)


def _trees_of(response: Callable[[World], F]) -> Make:
    """Trees fitted on rows of their own, the same for all numbers of training rows."""

    def make(world: World, train: np.ndarray) -> F:
        X = world.sample(TREE_ROWS, TREE_SEED)
        y = response(world)(X)
        return boosted(X, y + 0.1 * y.std() * np.random.default_rng(NOISE_SEED).standard_normal(len(y)))

    return make


def _fitted(response: F, fit: Callable[[np.ndarray, np.ndarray], F]) -> Make:
    """As published: fitted on the training rows, noise of standard deviation .1."""

    def make(world: World, train: np.ndarray) -> F:
        noise = np.random.default_rng(NOISE_SEED).standard_normal(len(train))
        return fit(train, response(train) + 0.1 * noise)

    return make


def _sum(X: np.ndarray) -> np.ndarray:
    return X[:, :9].sum(axis=1)


SIMPLE: dict[str, Make] = {"linear": _linear, "gam": _gam, "trees": _trees_of(lambda w: gam(w.n))}
OF_BURR: dict[str, Make] = {
    "linear": _linear,
    "response": lambda world, train: burr()[1],
    "trees": _trees_of(lambda world: burr()[1]),
}


def _published(name: str, world: Callable[[], World], kind: str) -> Setting:
    if kind == "A":
        return Setting("recipes", name, world, {"ols": _fitted(_sum, least_squares)}, (2000,), 1024, 8192, True)
    return Setting("recipes", name, world, {"trees": _fitted(steps, boosted)}, (2000,), 1024, 8192, True)


def _burr() -> World:
    return burr()[0]


SETTINGS: tuple[Setting, ...] = (
    *(
        Setting("truth", f"gaussian{n}_rho{100 * rho:02.0f}", partial(gaussian, n, rho), SIMPLE)
        for n in (8, 10)
        for rho in (0, 0.3, 0.5, 0.9)
    ),
    Setting("truth", "clusters8", clusters, SIMPLE),
    Setting("truth", "mixed7", mixed, SIMPLE),
    Setting("truth", "burr10", _burr, OF_BURR),
    *(
        _published(f"{kind}10_rho{100 * rho:02.0f}", partial(gaussian, 10, rho), kind)
        for kind in "AB"
        for rho in (0.1, 0.5, 0.9)
    ),
    _published("D10", skewed, "B"),
    *(
        _published(f"{name}_c{c}", partial(twins, c), kind)
        for name, kind in (("E3", "A"), ("F3", "B"))
        for c in (1, 3, 10)
    ),
)


def setting(name: str) -> Setting:
    """By name."""
    return next(s for s in SETTINGS if s.name == name)


def made(chosen: Setting, train: np.ndarray) -> dict[str, Any]:
    """The functions of a setting with these training rows."""
    world = chosen.world()
    return {name: make(world, train) for name, make in chosen.functions.items()}
