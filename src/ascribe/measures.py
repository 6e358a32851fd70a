"""Importance over many rows, methods compared, and probes: of an open model, or of any function."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from ascribe.core.errors import InputError, extra
from ascribe.core.explainers import available
from ascribe.core.faithfulness import Comparison
from ascribe.core.faithfulness import compare as _compare
from ascribe.core.features import Feature
from ascribe.core.importance import Dependence, Importance, dependence, mean_abs, permutation_importance, sage
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.probes import ATTACKS, EPSILONS, Probes, robustness, stability
from ascribe.core.probes.stability import joined, usual_delta
from ascribe.frames import checked, matrix
from ascribe.opened import Groups, OpenModel, frozen

__all__ = ["METHODS", "compare", "importance", "partial_dependence", "plain", "probe"]

METHODS = ("permutation", "sage", "mean_abs")
Asked = OpenModel | Model | Callable[[np.ndarray], np.ndarray]


def importance(
    model: Asked,
    X: Any,
    y: Any = None,
    method: str = "permutation",
    loss: str | None = None,
    groups: Groups | None = None,
    seed: int = 0,
    repeats: int = 10,
    explainer: str | None = None,
    samples: int = 32,
    tolerance: float = 0.025,
    step: Callable[[float], None] | None = None,
) -> Importance:
    """What each feature is worth over the rows X, with `stderr` and `interval()`.

    `permutation`: how much worse the model gets when a feature is shuffled, `repeats` times. `sage`: Shapley values of
    the loss, over the model's conditional or else its background (of a function: X itself), until their noise is below
    `tolerance` of their span. `mean_abs`: mean |value| by `explainer` (by itself, the first on offer). In the loss's
    unit, or the output's; formulas: `core.importance`. Breiman 2001; Covert et al. 2020. Raises InputError.

    `y`: what was measured (None: the predictions, so that importance is of what the model uses). `loss`: squared,
    absolute or log (by itself: log where a probability is explained, else squared).

    >>> import numpy as np
    >>> rows = np.random.default_rng(0).standard_normal((500, 3))
    >>> told = importance(lambda X: 2 * X[:, 0] + X[:, 1], rows)
    >>> [told.features[j] for j in told.order], told.values.round(1).tolist()
    (['x0', 'x1', 'x2'], [7.7, 1.9, 0.0])
    """
    if method not in METHODS:
        raise InputError(f"no importance '{method}': use {', '.join(METHODS)}")
    held, rows = _held(model, X)
    held = held.settled(rows)
    target = None if y is None else _measured(y)
    cost = loss or ("log" if held.space == "probability" else "squared")
    told, players = step or (lambda share: None), frozen(groups)
    if method == "sage":
        return sage(held, rows, target, cost, Options(samples=samples, seed=seed, groups=players), tolerance=tolerance,
                    step=told)  # fmt: skip
    if method == "mean_abs":
        from ascribe.core.explainers import explain

        name = explainer or _first(held)
        done = iter(range(1, len(rows) + 1))
        options = Options(samples=samples, seed=seed, groups=players)
        return mean_abs(explain(held, rows, name, options, lambda: told(next(done) / len(rows))))
    count = len(held.names) if players is None else len(held.names) - sum(map(len, players.values())) + len(players)
    walked = iter(range(1, count + 1))
    return permutation_importance(
        held, rows, target, cost, repeats, players, seed, lambda: told(next(walked) / max(count, 1))
    )


def partial_dependence(model: Asked, X: Any, features: str | Sequence[str], points: int = 20) -> Dependence:
    """Mean prediction over a grid of one feature, or of two, in the output's unit, and every row's own curve:

        curves_i(z) = f(x_i with the feature at z),      mean(z) = mean_i curves_i(z)

    Raises SchemaError for an unknown feature, InputError for another number of them. Friedman 2001.

    >>> rows = np.array([[0.0, 1.0], [1.0, 3.0], [2.0, 5.0]])
    >>> found = partial_dependence(lambda X: X[:, 0] ** 2 + X[:, 1], rows, "x0")
    >>> found.grids[0].tolist(), found.mean.tolist(), found.curves.shape
    ([0.0, 1.0, 2.0], [3.0, 4.0, 7.0], (3, 3))
    """
    held, rows = _held(model, X)
    return dependence(held.settled(rows), rows, [features] if isinstance(features, str) else features, points=points)


def compare(
    model: Asked,
    X: Any,
    methods: Sequence[str] | None = None,
    samples: int = 32,
    budget: int | None = None,
    baseline: Any = None,
    draws: int = 64,
    near: int = 8,
    radius: float = 0.02,
    seed: int = 0,
    step: Callable[[float, str], None] | None = None,
    layers: int = 0,
) -> Comparison:
    """Every method that the model offers, or `methods`, judged on the rows X: seconds a row, insertion and deletion,
    infidelity, max-sensitivity, and how alike they rank. `near=0` leaves sensitivity out, which asks each method for
    that many rows more. `layers`: of a network's bundle, so many times more of its layers are drawn anew from the
    output down, and the values compared with those of the model itself (needs the extra `train`). Areas are in the
    output's unit; formulas and sources: `core.faithfulness`.

    Raises InputError where no row can be answered, and as `explain` for a method that is named.

    >>> rows = np.random.default_rng(0).standard_normal((50, 3))
    >>> told = compare(lambda X: X[:, 0] + 2 * X[:, 1], rows[:3], ["kernel_shap", "occlusion"], near=0)
    >>> [j.method for j in told.judged], told.agreement.round(3).shape
    (['kernel_shap', 'occlusion', 'random'], (2, 2))
    """
    held, rows = _held(model, X)
    others: Sequence[tuple[str, Model]] = ()
    if layers:
        if not isinstance(model, OpenModel):
            raise InputError("layers are those of a bundle's network: open one with ascribe.open")
        held = held.settled(rows)
        others = _randomised(model, held, seed, layers)
    options = Options(
        budget=budget, samples=samples, seed=seed,
        baseline=baseline if baseline is None or isinstance(baseline, str) else np.asarray(baseline, dtype=float),
    )  # fmt: skip
    return _compare(held, rows, methods, options, time.perf_counter, step, draws, near, radius, others)


def probe(
    model: Asked,
    X: Any,
    labels: Sequence[str] | None = None,
    attacks: Sequence[str] = ATTACKS,
    epsilons: Sequence[float] = EPSILONS,
    norm: str = "linf",
    methods: Sequence[str] | None = None,
    epsilon: float = 0.02,
    delta: float | None = None,
    seed: int = 0,
    samples: int = 32,
    step: Callable[[float, str], None] | None = None,
) -> Probes:
    """What a small change of each row can do: to the prediction, by `attacks` of growing size (`epsilons`, in the range
    of each feature), where the model has a gradient; to the values of `methods` (by itself, the first on offer), within
    `epsilon` and while the prediction moves less than `delta` of its unit. Goodfellow et al. 2015 (fgsm), Madry et al.
    2018 (pgd), Ghorbani et al. 2019 (stability).

    Raises InputError for sizes that do not grow, labels of no class, no row that can be answered, or no `delta` where
    one row is all that there is.

    >>> told = probe(lambda X: X[:, 0] + 2 * X[:, 1], np.eye(2), methods=["occlusion"])
    >>> told.refused, bool((told.stable[0].moved < 0.1).all())
    (('no attack: this model offers no gradient, or its rows are words',), True)
    """
    held, rows, options = *_held(model, X), Options(samples=samples, seed=seed)
    classifier = held.scores is not None and len(held.outputs) > 1
    attacked = tuple(attacks) if held.gradient is not None and held.layout.kind != "text" else ()
    moved = tuple(methods) if methods is not None else (_first(held),)
    whole = rows[(held.check(rows)[0] != "invalid") & np.isfinite(rows).all(axis=1)]
    if not len(whole):
        raise InputError("no row can be probed: every row holds a value that is missing or impossible")
    parts = [whole] if not classifier else [whole[i : i + 1] for i in range(len(whole))]  # one class at a time
    told, done, count = step or (lambda share, what: None), 0, len(attacked) * len(epsilons) + len(moved) * len(whole)

    def under_way(what: str) -> Callable[[], None]:
        def tick() -> None:
            nonlocal done
            done += 1
            told(done / count, what)

        told(done / max(count, 1), what)
        return tick

    robust = [robustness(held, rows, epsilons, how, norm, labels, seed, under_way(how)) for how in attacked]
    may = [usual_delta(held.settled(part), whole) if delta is None else delta for part in parts]
    stable, refused = [], []
    for method in moved:
        tick = under_way(method)
        found = [
            stability(held, part, method, epsilon, most, norm, options, step=tick)
            for part, most in zip(parts, may, strict=True)
        ]
        stable.append(joined(found))
    if not robust:
        refused.append("no attack: this model offers no gradient, or its rows are words")
    return Probes(tuple(robust), tuple(stable), len(rows), held.unit, held.output, held.version, seed, tuple(refused))


def plain(record: Any) -> Any:
    """A record as what JSON can hold: numbers that do not exist are null."""
    if is_dataclass(record) and not isinstance(record, type):
        return {f.name: plain(getattr(record, f.name)) for f in fields(record)}
    if isinstance(record, np.ndarray):
        return plain(record.tolist())
    if isinstance(record, Mapping):
        return {str(name): plain(value) for name, value in record.items()}
    if isinstance(record, list | tuple):
        return [plain(value) for value in record]
    if isinstance(record, float | np.floating):
        return float(record) if np.isfinite(record) else None
    return record.item() if isinstance(record, np.generic) else record


def _held(model: Asked, X: Any) -> tuple[Model, np.ndarray]:
    """A model and rows; a function's background are the rows themselves."""
    if isinstance(model, OpenModel):
        return model.model, model.rows(X)
    if isinstance(model, Model):
        return model, model.rows(X)
    rows, names = matrix(X)
    return Model(tuple(Feature(name) for name in names), checked(model), rows), rows


def _measured(y: Any) -> np.ndarray:
    """Numbers, one a row, or a column of them; of a frame's column those that are absent are NaN."""
    try:
        found = np.asarray(y, dtype=float)
    except (TypeError, ValueError) as exc:
        raise InputError(f"y holds what is no number ({exc}): of classes give 1 for the explained one, else 0") from exc
    return found[:, 0] if found.ndim == 2 and found.shape[1] == 1 else found


def _randomised(opened: OpenModel, model: Model, seed: int, layers: int) -> list[tuple[str, Model]]:
    with extra("train", "torch and onnx"):
        from ascribe.train.adopted.randomised import randomised
    return list(randomised(opened.bundle, model, seed, layers))


def _first(model: Model) -> str:
    offered = available(model)
    if not offered:
        raise InputError("this model offers no method to take mean |value| of")
    return offered[0]
