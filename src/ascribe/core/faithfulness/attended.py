"""Attention held against attributions of the same forecast, by days of the window: where it misleads, it shows.

    weight of a day     attention: the sum over its columns;  a method: the sum over its inputs of |value|
    rank                Spearman's rho over the days of a window, attention against each method, mean over windows
    removal             D(k) = |f(x) - f(x, its k heaviest days from the baseline)|, mean over windows
    area                of D over the share k / days, trapezoids, in the output's unit: high where the order leads with
                        the days that the forecast follows. `random`: orders drawn at random, what any must beat

Attention says where a network looked, not what came of it; a day whose removal changes nothing did not carry the
forecast, however long it was looked at. Jain and Wallace, 2019, arXiv 1902.10186.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ascribe.core.arrays import Float, np
from ascribe.core.days import ago, days_of, summed
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.explainers import available, explain
from ascribe.core.faithfulness.agreement import rank_correlation
from ascribe.core.faithfulness.compare import RANDOM, Mean
from ascribe.core.faithfulness.curves import curves, order_of
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.players import Segments
from ascribe.core.reference import reference_row

__all__ = ["ATTENTION", "METHODS", "Attended", "Held", "attention_check"]

ATTENTION = "attention"
METHODS = ("integrated_gradients", "kernel_shap")
ORDERS = 16  # drawn at random for each window


@dataclass(frozen=True, eq=False)
class Held:
    """Of one method over `b` windows. `weight (b, days)`, the oldest day first; `rank`: with attention's, `same`: the
    share of windows where both have the same heaviest day (of attention itself 1). `removal`: D(1) ... D(days);
    `first` its beginning and `area`, in the output's unit.
    """

    method: str
    weight: Float[np.ndarray, "b days"]
    rank: Mean
    same: float
    first: Mean
    area: Mean
    removal: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Attended:
    """`held`: attention, then each method, then `random`. `days`: labels, the oldest first. `baseline`: what stood for
    a removed day, by name."""

    held: tuple[Held, ...]
    days: tuple[str, ...]
    rows: int
    output: str
    unit: str
    version: str
    baseline: str
    info: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain numbers and words; what is no number is None."""
        return {
            "output": self.output, "unit": self.unit, "version": self.version, "rows": self.rows,
            "days": list(self.days), "baseline": self.baseline, "games": dict(self.info),
            "methods": {
                h.method: {
                    "weight": _numbers(h.weight.mean(axis=0)) if len(h.weight) else [],
                    "rank": _number(h.rank.mean), "rank_stderr": _number(h.rank.stderr), "same_first": _number(h.same),
                    "first": _number(h.first.mean), "area": _number(h.area.mean),
                    "area_stderr": _number(h.area.stderr), "removal": _numbers(np.array(h.removal)),
                }
                for h in self.held
            },
        }  # fmt: skip


def attention_check(
    model: Model,
    X: Float[np.ndarray, "b n"],
    output: str | None = None,
    options: Options | None = None,
    step: Callable[[str], None] | None = None,
) -> Attended:
    """Of windows X; `output` as in `Model.choose`; by those of `METHODS` that the model offers. `options`: of the
    methods, whose baseline also stands for a removed day. `step`: told each method when it is done.

    Raises CapabilityError for a model without attention to parts of a window, InputError where no window can be used,
    NotFound for an unknown output.
    """
    if model.layout.kind != "series" or model.attention is None or not model.attention.parts:
        raise CapabilityError("this model shows no attention to the days of a window: there is nothing to check")
    options = options or Options()
    model = model.choose(output)
    assert model.predict is not None
    X = model.rows(X)
    X = X[model.check(X)[0] != "invalid"]
    if not len(X):
        raise InputError("no window to check attention on: every one holds what is no finite number")
    days = days_of(model.layout)
    d, inputs = int(days.max()), model.layout.shape[1]
    owner = np.repeat(d - days, inputs)
    units, hidden = Segments(owner), [reference_row(model, options, x) for x in X]

    def removal(i: int, order: np.ndarray) -> Float[np.ndarray, " d1"]:
        assert model.predict is not None
        found = curves(model.predict, X[i], hidden[i], units, order, d).deletion
        return np.abs(found - found[0])

    asked = [name for name in METHODS if name in available(model)]
    found, games = [], {}
    looked = summed(explain(model, X, ATTENTION, Options(layer=options.layer)).values, owner, d)
    for method in (ATTENTION, *asked):
        if method == ATTENTION:
            weight = looked
        else:
            answer = explain(model, X, method, options)
            players = np.arange(d * inputs)
            size = np.abs(summed(answer.values, owner * inputs + np.tile(np.arange(inputs), len(days)), d * inputs))
            weight, games[method] = summed(size, players // inputs, d), answer.info.game
        drawn = np.array([removal(i, order_of(w)) for i, w in enumerate(weight)])
        found.append(_held(method, weight, looked, drawn))
        if step:
            step(method)
    rng = np.random.default_rng(options.seed)
    drawn = np.array([np.mean([removal(i, rng.permutation(d)) for _ in range(ORDERS)], axis=0) for i in range(len(X))])
    found.append(_held(RANDOM, np.empty((0, d)), looked, drawn))
    labels = tuple(ago(k) for k in range(d, 0, -1))
    baseline = options.baseline if isinstance(options.baseline, str) else "mean" if options.baseline is None else "row"
    return Attended(
        tuple(found), labels, len(X), model.output, model.unit, model.version, baseline, games
    )  # fmt: skip


def _held(
    method: str, weight: Float[np.ndarray, "b days"], looked: Float[np.ndarray, "a days"],
    drawn: Float[np.ndarray, "a d1"],
) -> Held:  # fmt: skip
    pairs = list(zip(weight, looked, strict=False)) if len(weight) else []
    share = np.linspace(0, 1, drawn.shape[1])
    return Held(
        method, weight, Mean.of([rank_correlation(w, a) for w, a in pairs]),
        float(np.mean([w.argmax() == a.argmax() for w, a in pairs])) if pairs else float("nan"),
        Mean.of(drawn[:, 1].tolist()), Mean.of(np.trapezoid(drawn, share, axis=1).tolist()),
        tuple(drawn.mean(axis=0)[1:].tolist()),
    )  # fmt: skip


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _numbers(values: np.ndarray) -> list[float | None]:
    return [_number(v) for v in np.asarray(values).tolist()]
