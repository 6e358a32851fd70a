"""What a request asks of the engine, as a kind of batch: which requests may share a call, and how long a row takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ascribe.core import tiers
from ascribe.core.energy import Energy
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.explainers import EXPLAINERS, explain, refuse_unanswered, refuse_unused
from ascribe.core.model import PREDICTED, Model
from ascribe.core.options import Options, Patch, Path
from ascribe.core.rows_of import cut, joined
from ascribe.serve import codec
from ascribe.serve.faults import TooLargeError
from ascribe.serve.messages import AttributionAsked, CoalitionEnergy, MethodOptions
from ascribe.serve.settings import Settings
from ascribe.serve.tickets import Kind, Step

__all__ = [
    "answerable", "bounded", "energies", "energy_of", "explaining", "lowered", "options_of", "predicting", "within",
]  # fmt: skip

MOST_SIDE, MOST_SEGMENTS, MOST_NOISE = 1 << 14, 4096, 10.0
MOST_DRAWN = 1 << 25  # numbers of noise at a time
CALL_S = 0.02  # that a call of several rows may take, about: who comes next waits no longer
MOST_ROWS, MOST_PREDICTED = 512, 4096
UNKNOWN_S, PREDICTED_S, SEEN_S = 0.1, 2e-6, 2e-3  # a row's time where none was measured; predicted; of a network
ENERGY_S = 1e-4  # of a row under one coalition, about


MOST_STEPS = 1024  # of a path


def options_of(asked: AttributionAsked, settings: Settings) -> Options:
    """What a request chose, and the server's defaults for the rest. Raises InputError, TooLargeError."""
    more = _more(asked.options or MethodOptions(), settings)
    return Options(
        estimator=asked.estimator or "auto",
        budget=settings.budget if asked.budget is None else asked.budget,
        samples=settings.samples if asked.samples is None else asked.samples,
        seed=asked.seed or 0,
        groups={name: tuple(members) for name, members in asked.groups.items()} if asked.groups else None,
        value=asked.value or "auto",
        target_stderr=asked.target_stderr,
        **more,
    )


def _more(said: MethodOptions, settings: Settings) -> dict[str, Any]:
    """What one method or another takes, within the server's limits."""
    for name, most in (
        ("steps", MOST_STEPS), ("draws", settings.max_samples), ("window", MOST_SIDE), ("stride", MOST_SIDE),
        ("segments", MOST_SEGMENTS),
    ):  # fmt: skip
        number = getattr(said, name)
        if number is not None and number < 1:
            raise InputError(f"{name} is {number}: it is at least 1")
        if number is not None and number > most:
            raise TooLargeError(f"{name} is {number}: the limit of this server is {most}")
    if said.noise is not None and not 0 < said.noise <= MOST_NOISE:
        raise InputError(f"noise is a share of each column's range, above 0 and at most {MOST_NOISE}: not {said.noise}")
    if said.baseline and said.baseline_row:
        raise InputError("name a baseline or give a baseline_row, not both")
    usual = Path()
    return {
        "baseline": np.array(said.baseline_row, float) if said.baseline_row else said.baseline or None,
        "segments": said.segments,
        "path": Path(
            said.steps, said.rule or usual.rule, draws=usual.draws if said.draws is None else said.draws,
            noise=usual.noise if said.noise is None else said.noise,
        ),
        "patch": Patch(said.window, said.stride),
        "layer": said.layer or "",
    }  # fmt: skip


def answerable(model: Model, asked: AttributionAsked, options: Options) -> None:
    """Refuses what no row could be answered by; of a classifier whose rows choose the class, what can be known before.
    Raises InputError, CapabilityError, BudgetError.
    """
    method = tiers.named(model, asked.method, asked.tier, asked.max_latency_ms)
    refuse_unused(method, _named(asked.options))
    if model.output == PREDICTED and model.outputs:
        return
    if asked.tier:
        method, options = tiers.wished(model, asked.tier, options)
    refuse_unanswered(model, method, options)


def within(model: Model, asked: AttributionAsked, options: Options, X: np.ndarray, most: int) -> None:
    """Refuses an option that the method does not know, and more questions of a row than the server answers (`most`).
    Raises InputError, TooLargeError.
    """
    method = tiers.named(model, asked.method, asked.tier, asked.max_latency_ms)
    refuse_unused(method, _named(asked.options))
    explainer = EXPLAINERS.get(method)
    if explainer is None or explainer.lacks(model, options) or not bounded(model):
        return
    if "draws" in explainer.takes and options.path.draws * model.layout.n > MOST_DRAWN:
        raise TooLargeError(f"draws is {options.path.draws}: the limit of this model is {MOST_DRAWN // model.layout.n}")
    if (spent := explainer.spends(model, options, X)) > most:
        raise TooLargeError(
            f"{method} would ask the model {spent} times for a row, the limit of this server is {most}: ask for less, "
            f"or run `ascribe explain BUNDLE ROWS --method {method} -o OUT.parquet`"
        )


def bounded(model: Model) -> bool:
    """Whether what a method spends is held against the limit: of pictures and texts, since a network is asked every
    time. Of a table `budget` and `samples` are.
    """
    return model.layout.kind != "table"


def _named(said: MethodOptions | None) -> list[str]:
    held = {} if said is None else {name: getattr(said, name) for name in said.__struct_fields__}
    return list(
        dict.fromkeys("baseline" if n == "baseline_row" else n for n, v in held.items() if v not in (None, "", []))
    )


def explaining(model: Model, method: str, options: Options, tier: str, most_budget: int) -> Kind:
    """By a tier (empty: by method and options). Compiled answers are shared between requests, since their graph fixes
    all but the rows; what is read row by row is cut into rows, and what chooses by its rows together stays whole.

    Raises as `core.tiers.wished`.
    """
    if options.target_stderr is not None or (model.output == PREDICTED and model.outputs):
        # the rows of a request are of one class: what chooses by its rows together stays whole

        def whole(X: np.ndarray, step: Step) -> Any:
            return tiers.explain(model, X, method, options, tier or None, None, step, most_budget)

        return Kind(object(), whole, cut, joined, 0, UNKNOWN_S, model)
    if tier:
        method, options = tiers.wished(model, tier, options)

    def run(X: np.ndarray, step: Step) -> Any:
        return explain(model, X, method, options, step)

    shared = method in ("compiled_shap", "amortized_shap") and not options.groups
    row_s = _row_s(model, options.tier or ("fast" if method == "amortized_shap" else "accurate"))
    most = max(1, min(MOST_ROWS, int(CALL_S / max(row_s, 1e-9))))
    return Kind((id(model), method, repr(options)) if shared else object(), run, cut, joined, most, row_s, model)


def predicting(model: Model, scores: bool = False) -> Kind:
    """Predictions (b,) of rows, or all `scores` (b, k) of a classifier. Raises CapabilityError for another model."""
    ask = model.scores if scores else model.predict
    if ask is None:
        raise CapabilityError("this model has one output and no scores of several: leave scores out")

    def run(X: np.ndarray, step: Step) -> np.ndarray:
        return np.asarray(ask(X), dtype=float)

    row_s = PREDICTED_S if model.layout.kind == "table" else SEEN_S
    most = max(1, min(MOST_PREDICTED, int(CALL_S / row_s)))
    key = (id(model), "scores" if scores else "predict")
    return Kind(key, run, lambda f, first, end: f[first:end].copy(), _one, most, row_s, model)


def energies(model: Model, S: np.ndarray) -> Kind:
    """Energies of rows under coalitions S (m, n), as messages: of each row a list, None where a number is not finite.
    One row at a time, so that its bits do not depend on its neighbours. Raises CapabilityError without an energy model.
    """
    ask = energy_of(model)

    def run(X: np.ndarray, step: Step) -> list[list[CoalitionEnergy] | None]:
        found = []
        for i in range(len(X)):
            step()
            found.append(codec.energies(ask(X[i : i + 1], S), S, model.names))
        return found

    row_s = ENERGY_S * len(S)
    most = max(1, min(MOST_ROWS, int(CALL_S / row_s)))
    return Kind(object(), run, lambda found, first, end: found[first:end], _chained, most, row_s, model)


def energy_of(model: Model) -> Callable[[np.ndarray, np.ndarray], Energy]:
    """What answers rows (b, n) under coalitions (m, n). Raises CapabilityError."""
    ask: Callable[[np.ndarray, np.ndarray], Energy] | None = getattr(model.conditional, "energy", None)
    if ask is None:
        raise CapabilityError("energy needs an energy model, which this model was trained without")
    return ask


def lowered(model: Model, tier: str, steps: int) -> str:
    """A tier that many steps faster, as far as the model has them. An empty tier is that of the plain method."""
    offered = tiers.offered(model)
    name = tier or "accurate"
    if name not in offered:
        return tier
    at = max(0, offered.index(name) - steps)
    return offered[at] if at < offered.index(name) else tier


def _row_s(model: Model, tier: str) -> float:
    """Of a row among many."""
    held = model.tiers.get(tier)
    if held is None or not held.latency_ms:
        return UNKNOWN_S
    rows = max(held.latency_ms)
    return held.latency_ms[rows] / rows / 1000


def _chained(parts: Sequence[list[list[CoalitionEnergy] | None]]) -> list[list[CoalitionEnergy] | None]:
    return [row for part in parts for row in part]


def _one(parts: Sequence[np.ndarray]) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts)
