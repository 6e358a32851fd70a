"""A conditional that regresses instead of completing: v(S) from a surrogate fitted to the function that is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ascribe.core.arrays import Float, Predict, np
from ascribe.core.errors import CapabilityError
from ascribe.core.surrogate import Surrogate

__all__ = ["Regression"]

NO_COMPLETIONS = "a surrogate has no completions to draw: fit_conditional(X, method='emshap') has"


@dataclass(frozen=True, eq=False)
class Regression:
    """`fit`: a function -> its surrogate on `background`; the surrogates of the last few functions are kept."""

    background: Float[np.ndarray, "rows n"]
    fit: Callable[[Predict], Surrogate]
    name: str = "surrogate"
    _kept: dict[Predict, Surrogate] = field(default_factory=dict, init=False, repr=False)

    def surrogate_of(self, predict: Predict) -> Surrogate:
        """Fitted at the first call for a function."""
        if predict not in self._kept:
            while len(self._kept) >= 4:
                self._kept.pop(next(iter(self._kept)))
            self._kept[predict] = self.fit(predict)
        return self._kept[predict]

    def noise(self, s: int, seed: int) -> np.ndarray:
        raise CapabilityError(NO_COMPLETIONS)

    def complete(self, x: np.ndarray, S: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, None]:
        """Raises CapabilityError."""
        raise CapabilityError(NO_COMPLETIONS)

    def draw(self, X: np.ndarray, S: np.ndarray, n_samples: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
        """Raises CapabilityError."""
        raise CapabilityError(NO_COMPLETIONS)
