"""From a bundle to a Model."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from ascribe.bundle.archive import Bundle
from ascribe.bundle.ensembles import of_trees, terms_of, trees_of
from ascribe.bundle.networks import Network, of_outputs
from ascribe.bundle.npz import array, arrays, background_rows, score_table
from ascribe.bundle.sessions import cores, session, workers
from ascribe.bundle.windows import told_of
from ascribe.core.adjusted.learnt import Reading
from ascribe.core.amortized import Amortized
from ascribe.core.compiled import Compiled
from ascribe.core.conditional import Conditional
from ascribe.core.control import Control
from ascribe.core.energy import EmShap
from ascribe.core.errors import BundleError
from ascribe.core.latency import Measured
from ascribe.core.layout import KINDS, Layout
from ascribe.core.mixture import Mixture
from ascribe.core.model import Model
from ascribe.core.scaling import Scores
from ascribe.core.stack import VALUES
from ascribe.core.surrogate import Surrogate

__all__ = ["amortized", "compiled", "emshap", "example", "graph_predict", "load", "surrogate"]

ROWS_AT_ONCE = 1 << 16  # bounds the activations of one call
ONE_PASS_ROWS = 64  # of the one-pass graph that are worth a thread
COALITIONS_AT_ONCE = 1 << 11  # of the surrogate: its activations stay in the cache


def graph_predict(graph: bytes, origin: str) -> Callable[[np.ndarray], np.ndarray]:
    """`predict` graph: input `x (rows, n)` float32 (or double: trees that compare so) in natural units -> output
    `prediction (rows,)`.
    """
    opened = session(graph, origin)
    run, kind = opened.run, np.float64 if opened.get_inputs()[0].type == "tensor(double)" else np.float32

    def predict(X: np.ndarray) -> np.ndarray:
        X = np.asarray(X, dtype=kind)
        parts = [run(["prediction"], {"x": X[k : k + ROWS_AT_ONCE]})[0] for k in range(0, len(X), ROWS_AT_ONCE)]
        return np.concatenate(parts).reshape(-1) if parts else np.empty(0, np.float32)

    return predict


def emshap(
    proposal: bytes,
    energy: bytes | None,
    scores: Scores,
    rank: int,
    background: np.ndarray,
    weighting: str,
    origin: str,
) -> EmShap:
    """The energy model over its graphs; tensor names in `docs/onnx.md`."""
    propose = session(proposal, origin).run
    tilt_run = session(energy, origin).run if energy is not None else None

    def run_proposal(Z: np.ndarray, S: np.ndarray) -> Mixture:
        return Mixture(*propose(["logits", "mean", "diag", "factor"], {"score": Z, "observed": S}))

    def run_tilt(Z: np.ndarray, S: np.ndarray) -> np.ndarray:
        assert tilt_run is not None
        return np.asarray(tilt_run(["tilt"], {"score": Z, "observed": S})[0])

    return EmShap(scores, run_proposal, run_tilt if tilt_run else None, rank, background, weighting)


def surrogate(graph: bytes, scores: Scores, origin: str) -> Surrogate:
    """`surrogate` graph: `score (rows, n)` float32, `observed (rows, n)` bool -> `value (rows,)`."""
    run = session(graph, origin).run

    def value(Z: np.ndarray, S: np.ndarray) -> np.ndarray:
        parts = [
            run(["value"], {"score": Z[k : k + COALITIONS_AT_ONCE], "observed": S[k : k + COALITIONS_AT_ONCE]})[0]
            for k in range(0, len(Z), COALITIONS_AT_ONCE)
        ]
        return np.concatenate(parts).reshape(-1) if parts else np.empty(0, np.float32)

    return Surrogate(scores, value)


def amortized(graph: bytes, base_value: float, rmse: np.ndarray, r2: float, value: str, origin: str) -> Amortized:
    """`amortized` graph: `x (rows, n)` float32 in natural units -> `attribution (rows, n)` before the correction.

    One thread: a call is `CHUNK` rows, too few to share out.
    """
    run = session(graph, origin, threads=1).run
    return Amortized(
        lambda X: run(["attribution"], {"x": np.asarray(X, np.float32)})[0], base_value, np.asarray(rmse), r2, value
    )


def compiled(bundle: Bundle, name: str, threads: int | None = None) -> Compiled:
    """The graph of a tier; its weights are those of the bundle's other graphs, verified like it. The session is opened
    when it is first asked.

    A session on one thread, and the rows of a batch shared out to as many as there are cores (`threads`): a row's
    products are too small to be shared out themselves.
    """
    held, manifest = bundle.manifest.tiers[name], bundle.manifest
    graph = bundle.read(held.role)
    own = {tier.role for tier in manifest.tiers.values()}  # a compiled graph never points at another
    others = [(file, role) for role, file in manifest.roles.items() if file.endswith(".onnx") and role not in own]
    beside = {file: bundle.read(role) for file, role in others}
    opened = _Opened(graph, bundle.origin, beside)
    most, least = threads or cores(), ONE_PASS_ROWS if name == "fast" else 1
    told = manifest.amortized if name == "fast" else None
    error = {"amortized_r2": told.r2} if told else {}
    names = ["prediction", "attribution", "stderr", "ess"]

    def run(X: np.ndarray) -> dict[str, np.ndarray]:
        share = max(least, -(-len(X) // most))
        parts = [X[k : k + share] for k in range(0, len(X), share)]
        ask = opened()
        if len(parts) == 1:
            return dict(zip(names, ask(names, {"x": X}), strict=True))
        found = list(workers().map(lambda part: ask(names, {"x": part}), parts))
        return {name: np.concatenate(held) for name, held in zip(names, zip(*found, strict=True), strict=True)}

    return Compiled(
        run,
        manifest.base_value, held.value, held.estimator, held.budget, held.samples, held.seed, error,
    )  # fmt: skip


class _Opened:
    """A session that is opened when it is first asked for; then the bytes that it was opened from are let go."""

    def __init__(self, graph: bytes, origin: str, beside: Mapping[str, bytes]) -> None:
        self._parts: tuple[bytes, str, Mapping[str, bytes]] | None = (graph, origin, beside)
        self._run: Callable[..., list[np.ndarray]] | None = None
        self._lock = threading.Lock()

    def __call__(self) -> Callable[..., list[np.ndarray]]:
        if self._run is None:
            with self._lock:
                if self._parts is not None:
                    graph, origin, beside = self._parts
                    self._run, self._parts = session(graph, origin, 1, beside).run, None
        assert self._run is not None
        return self._run


def load(bundle: Bundle) -> Model:
    """The bundle as a model: every file verified, then parsed, then the stored example asked again.

    Raises BundleError (TamperedError) if anything is not what the manifest says.
    """
    manifest, origin = bundle.manifest, bundle.origin
    if manifest.family == "federated":
        raise BundleError(f"{origin} is one party's half of a model: its scores need its hosts (`ascribe federated`)")
    features = manifest.feature_list
    layout = _layout(bundle, len(features))
    background = background_rows(bundle, layout.n) if bundle.has("background") else None
    _check_value(bundle, len(features))
    model = Model(
        features=features,
        layout=layout,
        trees=trees_of(bundle),
        terms=terms_of(bundle),
        background=background,
        conditional=_conditional(bundle, background),
        surrogate=_surrogate(bundle),
        value=manifest.conditional.value if manifest.conditional is not None else "completions",
        share=np.array(manifest.conditional.share) if manifest.conditional and manifest.conditional.share else None,
        control=_control(bundle),
        amortized=_amortized(bundle),
        reading=_reading(bundle),
        compiled={name: compiled(bundle, name) for name, tier in manifest.tiers.items() if tier.role} or None,
        tiers={
            name: Measured(tier.stderr, {int(k): ms for k, ms in tier.latency_ms.items() if k.isdecimal()})
            for name, tier in manifest.tiers.items()
        },
        base_value=manifest.base_value,
        unit=manifest.target.unit,
        output=manifest.target.name,
        version=manifest.version(),
    )
    if manifest.outputs:
        model = of_outputs(bundle, model)
    else:
        predict = (
            of_trees(model, origin) if not bundle.has("predict") else graph_predict(bundle.read("predict"), origin)
        )
        model = replace(model, predict=predict, **Network(bundle).fields())
    _ask_example(bundle, model)
    return model


def example(bundle: Bundle) -> np.ndarray:
    """The row (1, n) whose answer the manifest stores: its own, or the first of the background where rows are long."""
    x = bundle.manifest.example.get("x", [])
    if not x and bundle.has("background"):
        return np.asarray(array(bundle, "background", "background")[:1], dtype=float)
    return np.array([x], dtype=float)


def _ask_example(bundle: Bundle, model: Model) -> None:
    """Raises BundleError where the answer is not the one stored."""
    x, stored = example(bundle), np.array(bundle.manifest.example.get("prediction", []), dtype=float)
    if x.shape != (1, len(model.names)) or len(stored) != max(1, len(model.outputs)):
        raise BundleError(f"{bundle.origin} stores no whole example to be asked again: train it again")
    ask = model.scores or model.predict
    assert ask is not None
    found = np.asarray(ask(x)).reshape(-1)
    if not np.allclose(found, stored, rtol=1e-4, atol=1e-4):
        k = int(np.argmax(np.abs(found - stored)))
        raise BundleError(
            f"{bundle.origin} predicts {found[k]:g} for its stored example, not {stored[k]:g}: do not serve it"
        )


def _layout(bundle: Bundle, n: int) -> Layout:
    told = bundle.manifest.layout
    if told is None:
        return Layout("table", (n,))
    if told.kind not in KINDS or any(size < 1 for size in told.shape):
        raise BundleError(f"{bundle.origin} has rows of an unknown kind ({told.kind} {told.shape}): import it again")
    words: tuple[str, ...] = ()
    if bundle.has("words"):
        words = tuple(bundle.read("words").decode().split("\n"))
    if told.kind == "series":
        said = told_of(bundle)
        step_s = int(said.get("step_s", 0))
        day = int(said.get("day_steps", 0))
        return Layout(told.kind, tuple(told.shape), words=tuple(said.get("inputs", ())), step_s=step_s, day=day)
    return Layout(told.kind, tuple(told.shape), told.padding, words)


def _conditional(bundle: Bundle, background: np.ndarray | None) -> Conditional | None:
    told = bundle.manifest.conditional
    if told is None:
        return None
    if background is None:
        raise BundleError(f"{bundle.origin} has a conditional but no background rows")
    return emshap(
        bundle.read("proposal"),
        bundle.read("energy") if bundle.has("energy") else None,
        Scores(score_table(bundle)),
        told.rank,
        background,
        told.weighting,
        bundle.origin,
    )


def _check_value(bundle: Bundle, n: int) -> None:
    """What answers v(S) must be there. Raises BundleError."""
    told = bundle.manifest.conditional
    if told is None:
        return
    if told.value not in VALUES or (told.value != "completions" and not bundle.has("surrogate")):
        raise BundleError(
            f"{bundle.origin} says that '{told.value}' answers v(S), and lacks it: train the bundle again"
        )
    if len(told.share) != n + 1 and (told.share or told.value == "stacked"):
        raise BundleError(f"{bundle.origin} holds {len(told.share)} shares for {n} features: train the bundle again")


def _surrogate(bundle: Bundle) -> Surrogate | None:
    if not bundle.has("surrogate"):
        return None
    return surrogate(bundle.read("surrogate"), Scores(score_table(bundle)), bundle.origin)


def _amortized(bundle: Bundle) -> Amortized | None:
    told = bundle.manifest.amortized
    if told is None:
        return None
    rmse = np.array(told.rmse)
    return amortized(bundle.read("amortized"), bundle.manifest.base_value, rmse, told.r2, told.value, bundle.origin)


def _control(bundle: Bundle) -> Control | None:
    return Control.of(arrays(bundle, "control", ("b", "A", "left"))) if bundle.has("control") else None


def _reading(bundle: Bundle) -> Reading | None:
    told = bundle.manifest.reading
    return None if told is None else Reading(
        told.kind, tuple(told.b), told.rho, told.widen, tuple(told.floor), told.judged
    )  # fmt: skip
