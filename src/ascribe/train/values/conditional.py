"""EmSHAP from rows to graphs: fit, export, open as it will be served, and decide whether the energy weighs."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from ascribe.bundle.runtime import emshap
from ascribe.core.arrays import Predict, evenly
from ascribe.core.energy import EmShap
from ascribe.core.errors import InputError
from ascribe.core.games import weigh
from ascribe.core.judge import mse_v
from ascribe.core.scaling import Scores
from ascribe.train.families.emshap import EmShapFit, fit_emshap
from ascribe.train.graphs.export import to_onnx
from ascribe.train.npz import npz
from ascribe.train.parts import Part
from ascribe.train.settings import computing
from ascribe.train.watch import Watcher

__all__ = ["conditional_files", "conditional_part", "fit_conditional", "open_fit", "open_part"]

BACKGROUND_ROWS = 256  # of the marginal game; evenly through the training part
GATE_ROWS, GATE_COALITIONS, GATE_SAMPLES = 256, 24, 32
ESS_FLOOR = 0.4
HEAD = ["logits", "mean", "diag", "factor"]
HEAD_TOLERANCE = 1e-3  # elimination in single precision, where one feature all but determines another


def conditional_part(
    X: np.ndarray, late: np.ndarray | None, predict: Predict, seed: int, limit: float | None, watch: Watcher
) -> Part:
    """EmSHAP fitted on rows `X (rows, n)`, judged on those at `late`, exported. Facts: `chosen` numbers, `weighting`,
    `rank`, `components`, and `held`, positions of the rows that it was not fitted on.
    """
    with computing() as device:
        fit = fit_emshap(X, seed, device, watch.progress("EmSHAP"), max_seconds=limit, held=late)
    watch.note("exporting to ONNX and checking parity")
    files = conditional_files(fit)
    keeps, chosen = _judged(fit, files, X, predict)
    watch.note(chosen["reason"])
    weighting, rank, held = "energy" if keeps else "proposal", fit.proposal.rank, fit.held.tolist()
    facts = {"chosen": chosen, "weighting": weighting, "rank": rank, "components": fit.proposal.c, "held": held}
    return Part(files, facts)


def open_part(part: Part, X: np.ndarray) -> EmShap:
    """The law of a part, over the background that it takes of the training rows."""
    with np.load(io.BytesIO(part.files["scores.npz"]), allow_pickle=False) as held:
        scores = Scores(held["table"])
    background = X[evenly(len(X), BACKGROUND_ROWS)]
    return _open(part.files, scores, part.facts["rank"], background, part.facts["weighting"])


def _judged(fit: EmShapFit, files: Mapping[str, bytes], X: np.ndarray, predict: Predict) -> tuple[bool, dict[str, Any]]:
    """Whether the energy weighs completions, and the numbers that decided."""
    plain = _open(files, fit.scores, fit.proposal.rank, X[evenly(len(X), BACKGROUND_ROWS)], "proposal")
    weighted = replace(plain, weighting="energy")
    rows = X[fit.held][evenly(len(fit.held), GATE_ROWS)]
    errors = [mse_v(predict, c, rows, GATE_COALITIONS, GATE_SAMPLES).rows for c in (plain, weighted)]
    gain = errors[0] - errors[1]
    margin = gain.std(ddof=1) / np.sqrt(len(gain))
    low_ess = _low_ess(weighted, rows)
    keeps = gain.mean() > 2 * margin and low_ess >= ESS_FLOOR
    reason = (
        f"MSE_v on rows that EmSHAP was not fitted on: proposal {errors[0].mean():.4g}, energy {errors[1].mean():.4g}, "
        f"gain {gain.mean():.2g} +- {margin:.2g}; first percentile of ess/s {low_ess:.2f}: "
        + ("the energy weighs completions" if keeps else "completions come from the proposal alone")
    )
    return keeps, {
        "mse_v_proposal": float(errors[0].mean()),
        "mse_v_energy": float(errors[1].mean()),
        "low_ess": low_ess,
        "log_likelihood_gain": list(fit.gain),
        "network_gain": list(fit.correction),
        "network": fit.proposal.encoder is not None,
        "nll": fit.proposal_history.best,
        "seconds": fit.proposal_history.seconds + fit.tilt_history.seconds,
        "reason": reason,
    }


def _low_ess(conditional: EmShap, rows: np.ndarray) -> float:
    """First percentile of ess/s over rows and random coalitions."""
    rng = np.random.default_rng(0)
    S = rng.random((16, rows.shape[1])) < 0.5
    _, log_weight = conditional.draw(rows[:16], S, GATE_SAMPLES, rng)
    return float(np.quantile(weigh(log_weight)[1] / GATE_SAMPLES, 0.01))


def conditional_files(fit: EmShapFit) -> dict[str, bytes]:
    """Graphs and tables of the conditional, by file."""
    n = fit.proposal.n
    generator = torch.Generator().manual_seed(0)
    example = {
        "score": torch.randn(8, n, generator=generator),
        "observed": torch.rand(8, n, generator=generator) < 0.5,
    }
    return {
        "proposal.onnx": to_onnx(fit.proposal, example, HEAD, HEAD_TOLERANCE),
        "energy.onnx": to_onnx(fit.tilt, example, ["tilt"], least=1.0),  # nat
        "mixture.npz": npz(**{name: held.numpy() for name, held in fit.proposal.mixture.named_buffers()}),
        "scores.npz": npz(table=fit.scores.table),
    }


def open_fit(fit: EmShapFit, background: np.ndarray, weighting: str) -> EmShap:
    """A fit through the graphs that a bundle ships."""
    return _open(conditional_files(fit), fit.scores, fit.proposal.rank, background, weighting)


def _open(files: Mapping[str, bytes], scores: Scores, rank: int, background: np.ndarray, weighting: str) -> EmShap:
    return emshap(files["proposal.onnx"], files["energy.onnx"], scores, rank, background, weighting, "EmSHAP")


def fit_conditional(X: np.ndarray, seed: int = 0, max_seconds: float | None = None) -> EmShap:
    """EmSHAP fitted on rows, through the same graphs that a bundle ships. The energy weighs the completions if it
    raises the held-out log-likelihood by more than two standard errors.
    """
    if len(X) < 50 or X.shape[1] < 2 or not np.isfinite(X).all():
        raise InputError(f"fitting needs at least 50 rows of 2 finite features, got {X.shape}: clean the rows first")
    with computing() as device:
        fit = fit_emshap(X, seed, device, max_seconds=max_seconds)
    gain, error = fit.gain
    law = open_fit(fit, X, "energy" if gain > 2 * error else "proposal")
    return replace(law, held=tuple(fit.held.tolist()))
