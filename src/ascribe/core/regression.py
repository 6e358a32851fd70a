"""A conditional that regresses instead of completing: v(S) from a surrogate fitted to the function that is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ascribe.core.arrays import Float, Predict, np
from ascribe.core.errors import CapabilityError
from ascribe.core.surrogate import Surrogate

__all__ = ["Regression", "known_by"]

ROWS = 8  # of the background, by whose answers a function is known again
NO_COMPLETIONS = "a surrogate has no completions to draw: fit_conditional(X, method='emshap') has"


@dataclass(frozen=True, eq=False)
class Regression:
    """`fit`: a function -> its surrogate on `background`; the surrogates of the last few functions are kept."""

    background: Float[np.ndarray, "rows n"]
    fit: Callable[[Predict], Surrogate]
    name: str = "surrogate"
    _kept: dict[tuple[Predict, bytes], Surrogate] = field(default_factory=dict, init=False, repr=False)

    def surrogate_of(self, predict: Predict) -> Surrogate:
        """Fitted at the first call for a function."""
        key = known_by(predict, self.background)
        if key not in self._kept:
            while len(self._kept) >= 4:
                self._kept.pop(next(iter(self._kept)))
            self._kept[key] = self.fit(predict)
        return self._kept[key]

    def noise(self, s: int, seed: int) -> np.ndarray:
        raise CapabilityError(NO_COMPLETIONS)

    def complete(self, x: np.ndarray, S: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, None]:
        """Raises CapabilityError."""
        raise CapabilityError(NO_COMPLETIONS)

    def draw(self, X: np.ndarray, S: np.ndarray, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Raises CapabilityError."""
        raise CapabilityError(NO_COMPLETIONS)


def known_by(predict: Predict, background: Float[np.ndarray, "rows n"]) -> tuple[Predict, bytes]:
    """A function and what it says of a few rows: a model's method is equal to itself after the model was fitted again,
    its answers are not.
    """
    some = background[np.linspace(0, len(background) - 1, min(ROWS, len(background))).astype(int)]
    return predict, np.asarray(predict(some), dtype=float).tobytes()
