"""Every method that a model offers, judged on the same rows by the same questions.

The row `random` of the answer holds orders drawn at random: what a method must beat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ascribe.core.arrays import Float, np
from ascribe.core.errors import AscribeError, InputError
from ascribe.core.explainers import available, explain
from ascribe.core.faithfulness.agreement import agreement
from ascribe.core.faithfulness.curves import POINTS, Curves, curves, order_of
from ascribe.core.faithfulness.infidelity import DRAWS, changes, infidelity, masks
from ascribe.core.faithfulness.randomisation import Likeness, randomisation
from ascribe.core.faithfulness.sensitivity import DRAWS as NEAR
from ascribe.core.faithfulness.sensitivity import RADIUS, max_sensitivity, nearby, scale_of
from ascribe.core.faithfulness.units import unit_values, units_of
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.players import Segments
from ascribe.core.reference import reference_row

__all__ = ["RANDOM", "Comparison", "Judged", "Mean", "compare"]

RANDOM = "random"
ORDERS = 4  # drawn at random for each row


@dataclass(frozen=True)
class Mean:
    """Over rows, with its standard error; NaN where no row counts (the error: where fewer than two do)."""

    mean: float
    stderr: float

    @classmethod
    def of(cls, found: Sequence[float]) -> Mean:
        """
        >>> Mean.of([1.0, 3.0, float("nan")])
        Mean(mean=2.0, stderr=1.0)
        """
        held = np.array([v for v in found if np.isfinite(v)])
        spread = float(held.std(ddof=1) / np.sqrt(len(held))) if len(held) > 1 else float("nan")
        return cls(float(held.mean()) if len(held) else float("nan"), spread)


UNKNOWN = Mean(float("nan"), float("nan"))


@dataclass(frozen=True, eq=False)
class Judged:
    """One method. `seconds` a row; areas and `gain` (insertion - deletion) in the output's unit; `missed`: share of the
    change under masking that the values do not follow at their best scale; `sensitivity`: largest relative move of the
    values near a row. Mean curves at `Comparison.share`. `refused`: why the method could not be asked.
    """

    method: str
    rows: int = 0
    seconds: float = float("nan")
    insertion: Mean = UNKNOWN
    deletion: Mean = UNKNOWN
    gain: Mean = UNKNOWN
    missed: Mean = UNKNOWN
    sensitivity: Mean = UNKNOWN
    insertion_curve: tuple[float, ...] = ()
    deletion_curve: tuple[float, ...] = ()
    refused: str = ""


@dataclass(frozen=True, eq=False)
class Comparison:
    """`judged`, with `random` last; `agreement (k, k)`: mean rank correlation of the values between the `methods` that
    answered, all but `random`; `share (POINTS + 1,)`: of the units put in or taken out. `likeness`: of each method, to
    its values for the model with more and more layers randomised, where such models were given.
    """

    judged: tuple[Judged, ...]
    methods: tuple[str, ...]
    agreement: Float[np.ndarray, "k k"]
    share: tuple[float, ...]
    rows: int
    unit: str
    output: str
    version: str
    radius: float
    seed: int
    likeness: Mapping[str, tuple[Likeness, ...]] = field(default_factory=dict)


def compare(
    model: Model,
    X: Float[np.ndarray, "b n"],
    methods: Sequence[str] | None = None,
    options: Options | None = None,
    clock: Callable[[], float] | None = None,
    step: Callable[[float, str], None] | None = None,
    draws: int = DRAWS,
    near: int = NEAR,
    radius: float = RADIUS,
    randomised: Sequence[tuple[str, Model]] = (),
) -> Comparison:
    """`methods`: None for all on offer. `clock`: seconds, to time the methods; `step`: told the share that is done, and
    of which method. `draws` masks for infidelity; `near` rows within `radius` of each row's columns' scale for
    sensitivity (0: not asked). Units are hidden by the baseline of `options`. `randomised`: (layer, model) from the
    output down, of the same output; a method that needs more than they offer is not asked of them.

    Raises InputError where no row can be answered or groups are asked for: methods are judged on the model's own units;
    and for no draws, fewer than 0 rows near or a radius that is no size.
    """
    options = options or Options()
    if draws < 1 or near < 0 or not 0 <= radius < np.inf:
        raise InputError(
            f"draws is at least 1, near at least 0 and radius a size of 0 or more: got {draws}, {near}, {radius}"
        )
    if options.groups:
        raise InputError("methods are compared on single features: leave groups out")
    model = model.settled(X)
    X = model.rows(X)
    X = X[(model.check(X)[0] != "invalid") & np.isfinite(X).all(axis=1)]
    told = [(x, units) for x in X if (units := units_of(model, x)).p]  # a text without words has nothing to hide
    if not told:
        raise InputError(
            "no row to compare methods on: in every row a value is missing or impossible, or there is no word"
        )
    X = np.array([x for x, _ in told])
    ground = _Ground(model, X, [units for _, units in told], options, draws, near, radius)
    judged, values = [], {}
    tried = available(model) if methods is None else methods
    for k, method in enumerate(tried):
        ticks = _ticks(step, k, len(tried), method)
        ticks(0.0)
        try:
            found, values[method] = ground.judge(method, clock, ticks)
        except AscribeError as exc:
            if methods is not None:
                raise
            found = Judged(method, refused=str(exc))
        judged.append(found)
        ticks(1.0)
    asked, others = tuple(values), [(layer, other) for layer, other in randomised if other.output == model.output]
    likeness = {
        name: tuple(randomisation(_values_by(name, X, options), model, X, others))
        for name in asked
        if others and all(name in available(other) for _, other in others)
    }
    return Comparison(
        (*judged, ground.at_random()), asked, agreement([values[name] for name in asked]), tuple(GRID.tolist()), len(X),
        model.unit, model.output, model.version, radius, options.seed, likeness,
    )  # fmt: skip


def _ticks(step: Callable[[float, str], None] | None, k: int, count: int, method: str) -> Callable[[float], None]:
    """Tells of the k-th of so many methods which share of it is done."""
    return lambda share: step((k + share) / count, method) if step else None


def _values_by(method: str, X: np.ndarray, options: Options) -> Callable[[Model], np.ndarray]:
    return lambda model: explain(model, X, method, options).values


GRID = np.linspace(0, 1, POINTS + 1)


class _Ground:
    """What is the same for every method: units, baselines, masks and their changes, rows nearby."""

    def __init__(
        self, model: Model, X: np.ndarray, units: list[Segments], options: Options, draws: int, near: int, radius: float
    ) -> None:
        self.model, self.X, self.units, self.options = model, X, units, options
        assert model.predict is not None
        self.predict = model.predict
        self.hidden = [reference_row(model, options, x) for x in X]
        self.masks = [masks(u, draws, options.seed + i) for i, u in enumerate(self.units)]
        self.changes = [
            changes(self.predict, x, h, u, held)
            for x, h, u, held in zip(X, self.hidden, self.units, self.masks, strict=True)
        ]
        scale = scale_of(model, X)
        self.near = [
            nearby(model, x, scale, near, radius, options.seed + i) for i, x in enumerate(X) if near and scale.any()
        ]

    def judge(
        self, method: str, clock: Callable[[], float] | None, ticks: Callable[[float], None]
    ) -> tuple[Judged, list[np.ndarray | None]]:
        explain(
            self.model, self.X[:1], method, self.options
        )  # what is opened or planned at the first call is not timed
        begin = clock() if clock else 0.0
        answer = explain(self.model, self.X, method, self.options)
        seconds = (clock() - begin) / len(self.X) if clock else float("nan")
        good = np.isfinite(answer.values).all(axis=1)
        values = [unit_values(u, v) if ok else None for u, v, ok in zip(self.units, answer.values, good, strict=True)]
        drawn = [self._curves(i, order_of(v)) for i, v in enumerate(values) if v is not None]
        missed = [infidelity(v, self.masks[i], self.changes[i]).missed for i, v in enumerate(values) if v is not None]
        moved = []
        for i, near in enumerate(self.near):
            ticks((1 + i) / (1 + len(self.near)))  # the answers themselves, and each row's neighbourhood
            if good[i]:
                own = answer.values[i]
                asked = max_sensitivity(lambda Z: explain(self.model, Z, method, self.options).values, near, own)
                moved.append(asked)
        found = _told(method, drawn)
        return replace(found, seconds=seconds, missed=Mean.of(missed), sensitivity=Mean.of(moved)), values

    def at_random(self) -> Judged:
        rng = np.random.default_rng(self.options.seed)
        drawn = [[self._curves(i, rng.permutation(u.p)) for _ in range(ORDERS)] for i, u in enumerate(self.units)]
        return _told(RANDOM, [_mean(held) for held in drawn])

    def _curves(self, i: int, order: np.ndarray) -> Curves:
        return curves(self.predict, self.X[i], self.hidden[i], self.units[i], order)


def _mean(held: Sequence[Curves]) -> Curves:
    """Of curves at the same shares."""
    return Curves(
        held[0].share, np.mean([c.insertion for c in held], axis=0), np.mean([c.deletion for c in held], axis=0)
    )


def _told(method: str, drawn: Sequence[Curves]) -> Judged:
    def middle(name: str) -> tuple[float, ...]:
        return tuple(np.mean([np.interp(GRID, c.share, getattr(c, name)) for c in drawn], axis=0).tolist())

    if not drawn:
        return Judged(method, refused="no row was answered")
    return Judged(
        method, len(drawn), insertion=Mean.of([c.insertion_area for c in drawn]),
        deletion=Mean.of([c.deletion_area for c in drawn]), gain=Mean.of([c.gain for c in drawn]),
        insertion_curve=middle("insertion"), deletion_curve=middle("deletion"),
    )  # fmt: skip
