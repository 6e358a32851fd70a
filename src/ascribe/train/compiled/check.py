"""Does the graph say what the plain computation says?

    parity = max over rows of  max_i |phi_i (graph) - phi_i (plain)|  /  max_i |phi_i (plain)|

on identical completions: single precision may move a completion across a tree's split, or to a neighbouring component,
and is right to; such completions are counted, and the plain computation is given the graph's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ascribe.bundle.sessions import session
from ascribe.core.energy import Drawn, EmShap
from ascribe.core.explainers.conditional_shap import conditional_game
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.shapley import shapley

__all__ = ["Parity", "parity"]

MOVED = 1e-6  # of the largest prediction: a completion whose prediction differs by more is another one


@dataclass(frozen=True)
class Parity:
    """`worst` as above; `moved` of `completions` were other ones."""

    worst: float
    moved: int
    completions: int


def parity(open_graph: bytes, model: Model, X: np.ndarray, options: Options) -> Parity:
    """`open_graph` has `completions (b, m, s, n)` and their `scores` among its outputs where values come from any.
    `model.conditional` is the law that was compiled; `X (b, n)` rows that can be answered.
    """
    run = session(open_graph, "compiled graph")
    names = [output.name for output in run.get_outputs()]
    found = dict(zip(names, run.run(names, {"x": X.astype(np.float32)}), strict=True))
    replayed = None
    if "completions" in found:
        assert isinstance(model.conditional, EmShap)
        replayed = _Replayed(model.conditional, X, found["completions"], found["scores"])
        model = replace(model, conditional=replayed)
    plain = shapley(model, conditional_game(model, options), X, "conditional_shap", options).values
    gap = np.abs(found["attribution"] - plain).max(axis=1) / np.maximum(np.abs(plain).max(axis=1), 1e-12)
    moved = 0 if replayed is None else replayed.moved(model)
    return Parity(float(gap.max()), moved, 0 if replayed is None else found["completions"][..., 0].size)


class _Replayed:
    """A law that answers with completions drawn elsewhere, coalition after coalition, and remembers its own."""

    def __init__(self, law: EmShap, X: np.ndarray, Z: np.ndarray, z: np.ndarray) -> None:
        self.law, self.background, self.name = law, law.background, law.name
        self._drawn = {x.tobytes(): (Z[i], z[i]) for i, x in enumerate(X.astype(float))}
        self._at = dict.fromkeys(self._drawn, 0)
        self._own: list[tuple[np.ndarray, np.ndarray]] = []

    def noise(self, s: int, seed: int) -> np.ndarray:
        return self.law.noise(s, seed)

    def latent(self, x: np.ndarray, S: np.ndarray, noise: np.ndarray) -> Drawn:
        own = self.law.latent(x, S, noise)
        begin = self._at[x.tobytes()]
        Z, z = (a[begin : begin + len(S)] for a in self._drawn[x.tobytes()])
        self._at[x.tobytes()] = (begin + len(S)) % len(self._drawn[x.tobytes()][0])  # a row may come again
        self._own.append((own.Z, Z))
        if own.log_weight is None:
            return replace(own, Z=Z, z=z)
        assert self.law.tilt is not None
        observed = np.broadcast_to(S[:, None, :], z.shape).reshape(-1, len(x))
        t = self.law.tilt(z.reshape(-1, len(x)), observed).reshape(z.shape[:2])
        return replace(own, Z=Z, z=z, log_weight=-t.astype(float))

    def complete(self, x: np.ndarray, S: np.ndarray, noise: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        drawn = self.latent(x, S, noise)
        return drawn.Z, drawn.log_weight

    def moved(self, model: Model) -> int:
        """Completions whose prediction is another than that of the law's own."""
        assert model.predict is not None
        count = 0
        for own, given in self._own:
            a, b = (model.predict(Z.reshape(-1, Z.shape[2])).astype(float) for Z in (own, given))
            count += int((np.abs(a - b) > MOVED * np.abs(a).max()).sum())
        return count
