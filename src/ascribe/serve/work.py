"""What a worker thread does with a request: check the rows, ask the engine, write the answer down."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ascribe.bundle.latency import refreshed
from ascribe.core import tiers
from ascribe.core.attribution import Attribution
from ascribe.core.errors import InputError
from ascribe.core.explainers import EXPLAINERS, available, explain, usual
from ascribe.core.features import out_of_range
from ascribe.core.model import PREDICTED, Model
from ascribe.core.options import Options, Path
from ascribe.core.words import listed, quoted
from ascribe.serve import codec
from ascribe.serve.faults import InvalidRowsError, TooLargeError
from ascribe.serve.inside import best
from ascribe.serve.messages import (
    AttributionAsked,
    AttributionResponse,
    CoalitionEnergy,
    EnergyAsked,
    EnergyResponse,
    PredictionAsked,
    PredictionResponse,
    RowEnergy,
)
from ascribe.serve.pictures import Limits, check_prepared, narrow_enough
from ascribe.serve.rows import Checked, Row, check
from ascribe.serve.settings import Settings
from ascribe.serve.versions.leases import Lease
from ascribe.serve.weight import weight

__all__ = [
    "CHECKED_BYTES", "Reading", "Step", "attribute", "attributed", "checked", "coalitions", "energies", "predicted",
    "reading", "size", "warm",
]  # fmt: skip

CHECKED_BYTES = 200  # about, of a row that is checked
WARM_SAMPLES = 8
WARM_PLAYERS = 4
WARM_STEPS = 2

Step = Callable[[], None]


@dataclass(frozen=True)
class Reading:
    """Rows to be checked: a call, about how many bytes it lays out, and what they weigh until they are answered."""

    size: int
    heavy: int
    call: Callable[[], Checked]


def reading(
    lease: Lease, model: Model, rows: list[Row], settings: Settings, then: Callable[[np.ndarray], None] | None = None
) -> Reading:
    """`then` sees the rows that will be asked, and may refuse them."""
    limits = Limits(settings.max_pixels, settings.max_image_bytes, settings.max_text)

    def call() -> Checked:
        found = checked(lease, model, rows, limits)
        if then:
            then(found.asked)
        return found

    return Reading(size(model, len(rows), CHECKED_BYTES), weight(len(rows), model.layout), call)


def size(model: Model, rows: int, each: int) -> int:
    """About, in bytes, of rows checked or written that take `each` where they are a table's."""
    return rows * (each if model.layout.kind == "table" else each + 8 * model.layout.n)


def warm(lease: Lease) -> Lease:
    """Explain the bundle's own row once by every explainer, ask its energy, and measure its tiers on this machine: all
    that for each output.
    """
    outputs = {name: _warmed(model, lease.examples[name]) for name, model in lease.outputs.items()}
    return replace(lease, model=_warmed(lease.model, lease.example), outputs=outputs)


def _warmed(model: Model, example: np.ndarray) -> Model:
    for method in available(model):
        explain(model, example, method, _slight(model, method))
    if ask := getattr(model.conditional, "energy", None):
        ask(example, np.zeros((1, len(model.names)), bool))
    return replace(model, tiers=refreshed(model, example))


def _slight(model: Model, method: str) -> Options:
    """The least that an explainer can be asked for: of an image or a text, a few players in place of hundreds."""
    path = Path(steps=WARM_STEPS, draws=WARM_STEPS)
    if model.layout.kind == "table":
        return Options("kernel", 2 * len(model.names) + 2, WARM_SAMPLES, path=path)
    if "segments" not in EXPLAINERS[method].takes:
        return Options(path=path)
    players = np.arange(model.layout.n) * WARM_PLAYERS // model.layout.n
    return Options("kernel", 4 * WARM_PLAYERS, WARM_SAMPLES, segments=players)


def attribute(
    lease: Lease, asked: AttributionAsked, rows: list[Row], options: Options, most: int, step: Step, start: float
) -> AttributionResponse:
    """Rows -> answer by one call, for whoever compares. `most` coalitions may be spent on a wanted error. `step` is
    called between rows; `start`: clock in seconds when the request was handed over.
    """
    began = time.perf_counter()
    model = lease.output(asked.output, asked.space)
    rows_in = checked(lease, model, rows)
    at = time.perf_counter()
    answer = tiers.explain(
        model,
        rows_in.asked,
        asked.method or usual(model),
        options,
        asked.tier or None,
        asked.max_latency_ms,
        step,
        most,
    )
    return attributed(lease, asked, rows_in, answer, _timings(start, began, at, time.perf_counter(), "explain"))


def attributed(
    lease: Lease, asked: AttributionAsked, rows_in: Checked, answer: Attribution, timings_ms: dict[str, float],
    lowered_from: str = "",
) -> AttributionResponse:  # fmt: skip
    """The engine's answer as a message."""
    info = answer.info
    return AttributionResponse(
        model=lease.name,
        version=lease.version,
        sha256=lease.sha256,
        method=info.method,
        game=info.game,
        value=info.value,
        estimator=info.estimator,
        tier=info.tier,
        budget=info.budget,
        samples=info.samples,
        seed=info.seed,
        unit=info.unit,
        output=info.output,
        features=list(answer.features) if answer.layout is None else [],
        base_value=float(answer.base_value) if np.isfinite(answer.base_value) else None,
        request_id=asked.request_id or "",
        efficiency_gap=info.gap,
        gaps={name: float(gap) for name, gap in info.gaps.items() if np.isfinite(gap)},
        attributions=codec.attributions(answer, rows_in),
        timings_ms=timings_ms,
        lowered_from=lowered_from,
        space=info.space,
        layout="table" if answer.layout is None else answer.layout.kind,
        shape=[len(lease.model.names)] if answer.layout is None else list(answer.layout.shape),
        additive=answer.additive,
    )


def predicted(
    lease: Lease, asked: PredictionAsked, rows_in: Checked, f: np.ndarray, timings_ms: dict[str, float]
) -> PredictionResponse:
    """Predictions f (a,) of the rows that were asked, or all scores (a, k) of a classifier, as a message."""
    model, X, named = lease.output(asked.output, asked.space), rows_in.asked, []
    if asked.scores:
        named, f = best(f, model.outputs, asked.scores), predicted_of(model, f)
    table = model.layout.kind == "table"
    far = np.asarray(out_of_range(model.features, X).any(axis=1)) if table else np.zeros(len(X), bool)
    return PredictionResponse(
        lease.name, lease.version, lease.sha256, model.unit, model.output, asked.request_id or "", timings_ms,
        codec.predictions(f, far, rows_in, named), space=model.space,
    )  # fmt: skip


def predicted_of(model: Model, scores: np.ndarray) -> np.ndarray:
    """The output's own score (a,) among all: of the class predicted where none has been chosen."""
    return scores.max(axis=1) if model.output == PREDICTED else scores[:, model.outputs.index(model.output)]


def energies(
    lease: Lease, asked: EnergyAsked, rows_in: Checked, found: list[list[CoalitionEnergy] | None],
    timings_ms: dict[str, float],
) -> EnergyResponse:  # fmt: skip
    """Energies of the rows that were asked, None where one is not finite, as a message."""
    model = lease.model
    told = [RowEnergy(name, "invalid", why) for name, why in zip(rows_in.ids, rows_in.reasons, strict=True)]
    far = out_of_range(model.features, rows_in.asked)
    for k, i in enumerate(rows_in.good):
        if (coalitions := found[k]) is None:
            told[i] = RowEnergy(rows_in.ids[i], "not_finite", "the energy model gave no finite number for this row")
        elif far[k].any():
            names = ", ".join(np.array(model.names)[far[k]][:5])
            told[i] = RowEnergy(rows_in.ids[i], "out_of_domain", f"outside the training range: {names}", coalitions)
        else:
            told[i] = RowEnergy(rows_in.ids[i], "ok", "", coalitions)
    return EnergyResponse(
        lease.name, lease.version, lease.sha256, list(model.names), model.conditional.name if model.conditional else "",
        asked.request_id or "", timings_ms, told,
    )  # fmt: skip


def checked(lease: Lease, model: Model, rows: list[Row], limits: Limits | None = None) -> Checked:
    """Rows of the model's kind. Raises InvalidRowsError if none is left, TooLargeError for too many large ones."""
    if model.layout.kind == "table":
        found = check(rows, model.features, model.unit)
    else:
        narrow_enough(len(rows), model.layout)
        found = check_prepared(rows, model.layout, lease.preparation, model.unit, limits or Limits())
    if all(found.reasons):
        raise InvalidRowsError(found.reasons)
    return found


def coalitions(observed: object, names: tuple[str, ...], rows: int, most: int) -> np.ndarray:
    """Lists of observed features -> S (m, n). Raises InputError; TooLargeError above `most` rows x coalitions."""
    lists = observed if isinstance(observed, list) and any(isinstance(o, list) for o in observed) else [observed]
    if rows * len(lists) > most:
        raise TooLargeError(
            f"{rows} rows x {len(lists)} coalitions, the limit is {most} in a request: send them in parts"
        )
    S = np.zeros((len(lists), len(names)), bool)
    for k, seen in enumerate(lists):
        if not isinstance(seen, list) or not all(isinstance(name, str) for name in seen):
            raise InputError("observed is a list of feature names, or a list of such lists")
        if unknown := [name for name in seen if name not in names]:
            raise InputError(f"observed names {quoted(unknown[0])}, which is no feature: use {listed(names)}")
        S[k] = [name in seen for name in names]
    return S


def _timings(start: float, began: float, at: float, done: float, what: str) -> dict[str, float]:
    """Milliseconds between readings of the clock, in seconds."""
    spans = {"queue": began - start, "check": at - began, what: done - at, "total": time.perf_counter() - start}
    return {name: span * 1000 for name, span in spans.items()}
