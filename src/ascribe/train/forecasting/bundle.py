"""What is written of a forecaster: graphs of flat rows, windows to explain against, windows to judge by.

    predict     x (b, n) -> forecast (b, 3 + h), lower (b, h), upper (b, h)     columns: `core.forecast.outputs`
    gradient    z (b, n), weight (b, 3 + h) -> value (b,), gradient (b, n), of what torch says
    attention   x -> weights:days (b, heads, patches ahead, patches of the context), where the family attends

Bounds are the outermost quantiles, moved by what held-out windows say inside the family's own fit. Every graph is
compared with torch, or with the library whose trees it holds. `backtest.npz`: windows of the test part, for the gate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ascribe.bundle import archive, manifest
from ascribe.bundle.archive import Bundle
from ascribe.bundle.networks import Graph
from ascribe.core.arrays import evenly
from ascribe.core.durations import in_words
from ascribe.core.errors import InputError
from ascribe.core.forecast import Series, Window
from ascribe.core.forecast.outputs import names
from ascribe.train.forecasting.answer import ANSWER, answer
from ascribe.train.forecasting.fitted import FittedForecast
from ascribe.train.forecasting.front import Front
from ascribe.train.forecasting.network import Forecaster
from ascribe.train.graphs.export import to_graphs
from ascribe.train.graphs.inside_graphs import gradient_graphs
from ascribe.train.npz import npz

__all__ = ["Written", "write_forecast"]

BACKGROUND, EXAMPLE = 128, 3
GRADIENT_STEPS = 400  # of both GRUs: a trace of more is a graph that takes minutes to make
SHORT = 4096  # numbers of a row that the manifest still holds as its example
LAYER = "days"


@dataclass(frozen=True, eq=False)
class Written:
    """Beside the model. `learn`: windows (o, n) of the training part; `held`: arrays of the test part, as
    `bundle.held_windows` reads them; `test_from_s`: where that begins; what the manifest says.
    """

    learn: np.ndarray
    held: Mapping[str, np.ndarray]
    zone: str = "UTC"
    fill: str = ""
    test_from_s: int = 0
    columns: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, Any] = field(default_factory=dict)
    lineage: manifest.Lineage | None = None


def write_forecast(fitted: FittedForecast, series: Series, window: Window, told: Written, out: Path) -> Bundle:
    """The bundle in the folder `out`, opened. Raises InputError for a family without a graph or an interval,
    BundleError where a graph differs from torch, and as `archive.write`.
    """
    if not fitted.served:
        raise InputError(f"{fitted.family} has no graph or no interval: it is compared and never served")
    learn = told.learn[evenly(len(told.learn), BACKGROUND)].astype(np.float32)
    x = torch.as_tensor(learn[:EXAMPLE])
    files = _graphs(fitted, x)
    if fitted.module is not None and _traced(fitted.module):
        files["gradient.onnx"] = gradient_graphs(_Named(_Served(fitted.module)), x)["gradient"]
    attention = {LAYER: _positions(fitted.module, window)} if isinstance(fitted.module, Forecaster) else {}
    files["background.npz"] = npz(background=learn)
    files["backtest.npz"] = npz(**told.held)
    answers = Graph(files["predict.onnx"], "the exported forecast")(["forecast"], x=learn)[0]
    base = float(answers[:, 0].mean())
    row = learn[0].astype(float).tolist() if learn.shape[1] <= SHORT else []
    made = manifest.Manifest(
        format=manifest.FORMAT,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        family=fitted.family,
        features=[],
        target=manifest.Target("mean", series.unit),
        roles={name.split(".")[0]: name for name in files},
        files={name: archive.entry(raw) for name, raw in files.items()},
        base_value=base,
        metrics=dict(told.metrics),
        lineage=told.lineage or manifest.Lineage("", "", version("ascribe"), 0, {}, {"training": len(told.learn)}),
        example={"x": row, "prediction": answers[0].tolist()},
        scaling=_scaling(fitted.module),
        outputs=list(names(window.horizon)),
        spaces=["forecast"],
        layout=manifest.Layout("series", list(window.shape)),
        origin={
            "forecast": {
                "step_s": window.step_s, "day_steps": window.day, "inputs": list(window.inputs),
                "exogenous": [name for name in window.inputs if name in series.exogenous_names],
                "series": list(series.names), "zone": told.zone, "levels": [fitted.levels[0], fitted.levels[-1]],
                "fill": told.fill, "context": window.context, "horizon": window.horizon,
                "test_from_s": told.test_from_s,
                "value": told.columns.get("value", "value"), "time": told.columns.get("time", "time"),
                "values": told.columns.get("values", []), "by": told.columns.get("by", ""),
            },
            **({"attention": attention} if attention else {}),
        },
    )  # fmt: skip
    archive.write(out, made, files)
    return archive.open_directory(out)


def _scaling(module: nn.Module | None) -> dict[str, Any]:
    """What the graphs hold: of values, each window's own or the training part's; of others, the training part's."""
    front = getattr(module, "front", None)
    if not isinstance(front, Front):
        return {"kind": "window"}
    kind = front.scaling.kind if front.fixed else "window"
    return {**front.scaling.plain(), "kind": kind, "bent": front.bent}


def _graphs(fitted: FittedForecast, x: Tensor) -> dict[str, bytes]:
    """`predict`, and from the same trace what a network attends to."""
    if fitted.module is None:
        assert fitted.graph is not None
        return {"predict.onnx": fitted.graph(x)}
    outputs = {"predict.onnx": list(ANSWER)}
    if not isinstance(fitted.module, Forecaster):
        return to_graphs(_Served(fitted.module), {"x": x}, outputs)
    return to_graphs(_Attended(fitted.module), {"x": x}, outputs | {"attention.onnx": [f"weights:{LAYER}"]})


class _Served(nn.Module):
    """All that `predict` gives."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return answer(*self.module(x))


class _Named(nn.Module):
    """Outputs alone."""

    def __init__(self, served: _Served) -> None:
        super().__init__()
        self.served = served

    def forward(self, x: Tensor) -> Tensor:
        told: Tensor = self.served(x)[0]
        return told


class _Attended(nn.Module):
    """All that `predict` gives, and attention weights."""

    def __init__(self, module: Forecaster) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        forecast, quantiles, weights = self.module.attended(x)
        return *answer(forecast, quantiles), weights


def _traced(module: nn.Module) -> bool:
    if not isinstance(module, Forecaster):
        return True
    first = module.first
    patches = -(-first.context // first.patch) - (-first.horizon // first.patch)
    return patches * first.options.layers * len(module.networks) <= GRADIENT_STEPS


def _positions(module: Forecaster, window: Window) -> dict[str, Any]:
    """What each query and each key is: hours from the end of the context, and the steps of the window."""
    network = module.first
    patch, short = network.patch, -window.context % network.patch
    starts = np.arange(0, window.context + short, patch) - short
    steps = [[max(0, int(start)), int(start) + patch] for start in starts]
    ends = [min(k + patch, window.horizon) for k in range(0, window.horizon, patch)]

    def said(count: int) -> str:
        return in_words(count * window.step_s) if count else "0"

    return {
        "query": [f"+{said(k)} to +{said(end)}" for k, end in zip(range(0, window.horizon, patch), ends, strict=True)],
        "key": [f"-{said(window.context - first)} to -{said(window.context - last)}" for first, last in steps],
        "key_steps": steps,
    }
