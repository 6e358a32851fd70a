"""Robustness: how predictions stand up to attacks of growing size.

Of a classifier: the share of rows whose class is still the one that it was (or, with labels, the right one). Of a model
of a quantity: how far the prediction can be moved, in its unit. An attack shows that a change exists; that none was
found is no proof that there is none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ascribe.core.arrays import Float, np
from ascribe.core.errors import InputError
from ascribe.core.faithfulness.sensitivity import ends, scale_of
from ascribe.core.gradient import Gradient
from ascribe.core.model import Model
from ascribe.core.probes.attack import attack
from ascribe.core.probes.ball import Ball

__all__ = ["EPSILONS", "Robustness", "ball_of", "robustness"]

EPSILONS = (0.0, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064)


@dataclass(frozen=True, eq=False)
class Robustness:
    """At each of `epsilons (k,)`, in units of the columns. `accuracy (k,)`: of a classifier; None of a quantity.
    `moved (k,)`: mean over rows of the largest change found of the explained output; `held (k, b)`: rows whose class
    stayed right; `worst (k, b)`: the change of each row. `rows (k, b, n)`: the attacked rows.
    """

    method: str
    norm: str
    epsilons: tuple[float, ...]
    accuracy: Float[np.ndarray, " k"] | None
    moved: Float[np.ndarray, " k"]
    held: np.ndarray | None
    worst: Float[np.ndarray, "k b"]
    rows: np.ndarray
    unit: str
    labelled: bool


def ball_of(model: Model, X: Float[np.ndarray, "b n"], norm: str, epsilon: float) -> Ball:
    """Of this model's columns."""
    return Ball(norm, epsilon, scale_of(model, X), *ends(model, X.shape[1]))


def robustness(
    model: Model,
    X: Float[np.ndarray, "b n"],
    epsilons: Sequence[float] = EPSILONS,
    method: str = "pgd",
    norm: str = "linf",
    labels: Sequence[str] | None = None,
    seed: int = 0,
    step: Callable[[], None] | None = None,
) -> Robustness:
    """A classifier is attacked by lowering the margin of each row's class over its nearest rival; a quantity in both
    directions. `labels`: the true class of each row (None: the class predicted). A row that fell at a size counts as
    fallen at all larger ones. `step`: called after each size.

    Raises as `attack`; InputError for sizes that do not grow, labels of no class, or no row that can be answered.
    """
    X = model.rows(X)
    good = (model.check(X)[0] != "invalid") & np.isfinite(X).all(axis=1)
    if not good.any():
        raise InputError("no row can be probed: every row holds a value that is missing or impossible")
    if not epsilons or list(epsilons) != sorted(set(epsilons)) or epsilons[0] < 0:
        raise InputError("epsilons are sizes that grow, such as 0,0.01,0.02")
    if labels is not None and len(labels) != len(good):
        raise InputError(f"labels are one a row: got {len(labels)} for {len(good)} rows")
    X = X[good]
    classes = model.outputs if model.scores is not None and len(model.outputs) > 1 else ()
    if labels is not None and not classes:
        raise InputError("labels are of classes: this model predicts a quantity")
    true = _true(model, X, None if labels is None else np.asarray(labels, dtype=str)[good]) if classes else None
    rows, worst, held = [], [], []
    standing = np.ones(len(X), bool)
    before = X
    for epsilon in epsilons:
        ball = ball_of(model, X, norm, epsilon)
        if true is not None:
            Z, margins = _against(model, X, true, ball, method, seed)
            Z = np.where(standing[:, None], Z, before)
            standing = standing & (margins > 0)
            held.append(standing.copy())
            moved = _own(model, Z, true) - _own(model, X, true)
        else:
            both = [attack(model, X, ball, method, way, seed=seed) for way in (-1.0, 1.0)]
            change = np.stack([_asked(model, Z) - _asked(model, X) for Z in both])
            far = np.argmax(np.abs(change), axis=0)
            Z = np.where((far == 0)[:, None], both[0], both[1])
            moved = change[far, np.arange(len(X))]
        rows.append(Z)
        worst.append(moved)
        before = Z
        if step:
            step()
    return Robustness(
        method, norm, tuple(epsilons), np.mean(held, axis=1) if held else None, np.mean(np.abs(worst), axis=1),
        np.array(held) if held else None, np.array(worst), np.array(rows), model.unit, labels is not None,
    )  # fmt: skip


def _true(model: Model, X: np.ndarray, labels: np.ndarray | None) -> np.ndarray:
    assert model.scores is not None
    if labels is None:
        return np.asarray(np.argmax(model.scores(X), axis=1))
    number = {name: k for k, name in enumerate(model.outputs)}
    if unknown := sorted(set(labels.tolist()) - set(number)):
        raise InputError(f"'{unknown[0]}' is no class of this model")
    return np.array([number[name] for name in labels.tolist()])


def _against(
    model: Model, X: np.ndarray, true: np.ndarray, ball: Ball, method: str, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows attacked, and what is left of the margin of their class over its nearest rival."""
    assert model.scores is not None
    space = "margin" if "margin" in model.spaces else model.space
    Z, left = X.copy(), np.empty(len(X))
    scores = np.asarray(model.choose(model.outputs[0], space).scores(X), dtype=float)  # type: ignore[misc]
    rival = _rival(scores, true)
    for own, other in sorted(set(zip(true.tolist(), rival.tolist(), strict=True))):
        mine = (true == own) & (rival == other)
        Z[mine] = attack(_between(model, own, other, space), X[mine], ball, method, -1.0, seed=seed)
    final = np.asarray(model.choose(model.outputs[0], space).scores(Z), dtype=float)  # type: ignore[misc]
    at = np.arange(len(X))
    left = final[at, true] - final[at, _rival(final, true)]
    return Z, left


def _rival(scores: np.ndarray, true: np.ndarray) -> np.ndarray:
    rest = scores.copy()
    rest[np.arange(len(rest)), true] = -np.inf
    return np.asarray(np.argmax(rest, axis=1))


def _between(model: Model, own: int, other: int, space: str) -> Model:
    """The difference of two outputs as a model."""
    one, two = (model.choose(model.outputs[k], space) for k in (own, other))
    g, h = one.gradient, two.gradient
    if g is None or h is None or one.predict is None or two.predict is None:
        return replace(one, gradient=None)
    first, second, f_one, f_two = g.slope, h.slope, one.predict, two.predict

    def slope(Z: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        (f, a), (e, b) = first(Z, rows), second(Z, rows)
        return np.asarray(f, dtype=float) - e, np.asarray(a, dtype=float) - b

    return replace(one, predict=lambda rows: f_one(rows) - f_two(rows), gradient=Gradient(slope))


def _asked(model: Model, X: np.ndarray) -> np.ndarray:
    assert model.predict is not None
    return np.asarray(model.predict(X), dtype=float).ravel()


def _own(model: Model, X: np.ndarray, true: np.ndarray) -> np.ndarray:
    """The score of each row's class, in the model's space."""
    assert model.scores is not None
    return np.asarray(model.scores(X), dtype=float)[np.arange(len(X)), true]
