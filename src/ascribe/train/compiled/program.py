"""The one graph:  x (rows, n) -> prediction, attribution, base_value, stderr, ess.

Everything between is inside: scores, noise, proposal, energy, predict, the plan's matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from ascribe.core.plan import Plan
from ascribe.core.scaling import Scores
from ascribe.train.compiled import values
from ascribe.train.compiled.reading import attributions
from ascribe.train.compiled.sheet import Shape, Sheet

__all__ = ["OUTPUTS", "Program", "one_pass", "written"]

OUTPUTS = ("prediction", "attribution", "base_value", "stderr", "ess")


@dataclass(frozen=True)
class Program:
    """`drawn` for completions, `surrogate` for its graph, both with `share (n+1,)` for the stack of the two."""

    predict: bytes
    scores: Scores
    plan: Plan
    base_value: float
    drawn: values.Drawn | None = None
    surrogate: bytes | None = None
    share: np.ndarray | None = None


def written(program: Program, notes: dict[str, str], inside: bool = False) -> onnx.ModelProto:
    """The graph of a plan over a value function. `notes` become its metadata. `inside`: with `completions` and `scores`
    (rows, m, s, n) as further outputs, to check them by.
    """
    sheet = Sheet("explain")
    S, scores = program.plan.S[1:-1], program.scores
    n = S.shape[1]
    f = _prediction(sheet, program.predict)
    found = None
    if program.drawn is not None:
        found = values.completions(sheet, "x", S, scores, program.drawn, inside)
    if program.surrogate is not None:
        quick = values.surrogate(sheet, "x", S, scores, program.surrogate)
        if found is not None:
            assert program.share is not None
            found = values.stacked(sheet, S, program.share, found, quick)
        else:
            found = quick
    assert found is not None
    phi, stderr = attributions(sheet, program.plan, program.base_value, sheet.cast(f, "double"), found.v,
                               found.replicates)  # fmt: skip
    return _finished(sheet, n, f, sheet.cast(phi, "float"), sheet.cast(stderr, "float"), found.ess,
                     program.base_value, notes, found.inside)  # fmt: skip


def one_pass(
    predict: bytes, amortized: bytes, base_value: float, rmse: np.ndarray, notes: dict[str, str]
) -> onnx.ModelProto:
    """The graph of the fast tier: e + (f - v(empty) - 1'e)/n, with the measured error of each feature as `stderr`."""
    sheet = Sheet("explain")
    f = _prediction(sheet, predict)
    e = sheet.inline(amortized, "amortized", "x")[0]
    left = sheet.op("Sub", sheet.op("Unsqueeze", sheet.op("Sub", f, sheet.const(base_value)), sheet.ints(1)),
                    sheet.op("ReduceSum", e, sheet.ints(1), keepdims=1))  # fmt: skip
    phi = sheet.op("Add", e, sheet.op("Div", left, sheet.const(float(len(rmse)))))
    stderr = sheet.op("Expand", sheet.const(rmse[None]), sheet.op("Shape", e))
    return _finished(sheet, len(rmse), f, phi, stderr, None, base_value, notes)


def _prediction(sheet: Sheet, predict: bytes) -> str:
    return str(sheet.op("Reshape", sheet.inline(predict, "predict", "x")[0], sheet.ints(-1)))


def _finished(
    sheet: Sheet, n: int, f: str, phi: str, stderr: str, ess: str | None, base: float, notes: dict[str, str],
    inside: tuple[str, ...] = (),
) -> onnx.ModelProto:  # fmt: skip
    rows = sheet.op("Shape", f)
    outputs: dict[str, tuple[str, str, Shape]] = {
        "prediction": (f, "float", ["rows"]),
        "attribution": (phi, "float", ["rows", n]),
        "base_value": (sheet.op("Expand", sheet.const([base]), rows), "float", ["rows"]),
        "stderr": (stderr, "float", ["rows", n]),
        "ess": (ess or sheet.op("Expand", sheet.const([np.inf]), rows), "float", ["rows"]),
    }
    for name, held in zip(("completions", "scores"), inside, strict=False):
        outputs[name] = (held, "float", ["rows", None, None, n])
    return sheet.model({"x": ("float", ["rows", n])}, outputs, notes)
