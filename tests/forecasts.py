"""A small forecaster with attention over the hours of two days, and a series for it: a bundle in a second."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ascribe.bundle import archive, manifest
from ascribe.core.forecast import Series, origins, rows, window_of
from ascribe.core.forecast.outputs import names
from ascribe.train.graphs.export import to_onnx
from ascribe.train.graphs.inside_graphs import gradient_graphs
from ascribe.train.npz import npz
from tests.once import once

CONTEXT, HORIZON, STEP_S = 48, 12, 3600
START_S = 1_767_225_600  # Thursday 1 January 2026, midnight


def series(days: int = 40, names_: tuple[str, ...] = ("north",), seed: int = 0) -> Series:
    """Traffic of each hour with a day and a week in it, in Gb/s."""
    rng, t = np.random.default_rng(seed), np.arange(24 * days)
    day = 4 + 2 * np.sin(2 * np.pi * (t % 24 - 9) / 24) - 1.0 * (t // 24 % 7 >= 5)
    values = np.stack([(k + 1) * (day + 0.2 * rng.standard_normal(len(t))) for k in range(len(names_))], axis=1)
    observed = np.ones(values.shape, bool)
    local = START_S + STEP_S * t
    return Series(names_, START_S, STEP_S, values, observed, local, np.zeros((*values.shape, 0)), (), "Gb/s")


class Attentive(nn.Module):
    """Each forecast hour looks at the 48 hours by their clocks; what it finds is put back into the window's scale."""

    def __init__(self, inputs: int, seed: int = 0) -> None:
        super().__init__()
        held = torch.Generator().manual_seed(seed)
        self.inputs = inputs
        self.query = nn.Parameter(torch.randn(1, HORIZON, 6, generator=held))
        self.key = nn.Parameter(torch.randn(inputs, 6, generator=held) * 0.7)
        self.own = nn.Parameter(torch.randn(CONTEXT, HORIZON, generator=held) * 0.02)
        self.spread = nn.Parameter(0.5 + torch.rand(HORIZON, generator=held))

    def looked(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        steps = x.reshape(-1, CONTEXT, self.inputs)
        value = steps[:, :, 0]
        mean = value.mean(dim=1, keepdim=True)
        scale = (value - mean).square().mean(dim=1, keepdim=True).sqrt() + 1e-3
        z = (value - mean) / scale
        keys = torch.cat([z[:, :, None], steps[:, :, 1:]], dim=2) @ self.key
        weights = torch.softmax(self.query @ keys.transpose(1, 2) / 6**0.5, dim=-1)
        return weights, z, mean, scale

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weights, z, mean, scale = self.looked(x)
        y = mean + scale * ((weights @ z[:, :, None])[:, :, 0] + z @ self.own)
        outputs = torch.cat([y.mean(1, keepdim=True), y.amax(1, keepdim=True), y.sum(1, keepdim=True), y], dim=1)
        return outputs, y - self.spread * scale, y + self.spread * scale


class Named(nn.Module):
    def __init__(self, network: Attentive) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network(x)[0]


class Looked(nn.Module):
    def __init__(self, network: Attentive) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.network.looked(x)[0][:, None]


def graphs(factory: pytest.TempPathFactory, network: Attentive, x: Tensor, seed: int) -> dict[str, bytes]:
    """Files of graphs, exported once a run for every file of tests: they depend on inputs and seed alone."""

    def make(place: Path) -> None:
        files = {
            "predict.onnx": to_onnx(network, {"x": x}, ["forecast", "lower", "upper"]),
            "gradient.onnx": gradient_graphs(Named(network), x)["gradient"],
            "attention.onnx": to_onnx(Looked(network), {"x": x}, ["weights:hours"]),
        }
        for name, raw in files.items():
            (place / name).write_bytes(raw)

    place = once(factory, f"attentive-{network.inputs}-{seed}", make)
    return {file.name: file.read_bytes() for file in sorted(place.iterdir())}


def forecast_bundle(
    factory: pytest.TempPathFactory, folder: Path, held: Series | None = None, seed: int = 0,
    exogenous: tuple[str, ...] = (),
) -> archive.Bundle:  # fmt: skip
    """The bundle, written and opened, as the training of a forecast writes one."""
    held = held or series()
    window = window_of(held, CONTEXT, HORIZON, exogenous)
    at = origins(held, window, CONTEXT, held.steps, 7)
    X = rows(held, window, at)
    network = Attentive(len(window.inputs), seed)
    x = torch.as_tensor(X[:3], dtype=torch.float32)
    with torch.no_grad():
        told, base = network(x[:1])[0], float(network(torch.as_tensor(X, dtype=torch.float32))[0][:, 0].mean())
    files = graphs(factory, network, x, seed) | {"background.npz": npz(background=X.astype(np.float32))}
    hours = [f"{CONTEXT - k} h before" for k in range(CONTEXT)]
    made = manifest.Manifest(
        format=manifest.FORMAT, created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), family="attentive",
        features=[], target=manifest.Target("mean", held.unit),
        roles={file.split(".")[0]: file for file in files},
        files={file: archive.entry(raw) for file, raw in files.items()}, base_value=base, metrics={},
        lineage=manifest.Lineage("synthetic", "", "", seed, {}, {}),
        example={"x": X[0].tolist(), "prediction": told[0].tolist()}, scaling={},
        outputs=list(names(HORIZON)), spaces=["forecast"],
        layout=manifest.Layout("series", list(window.shape)),
        origin={
            "forecast": {
                "step_s": STEP_S, "day_steps": window.day, "inputs": list(window.inputs), "exogenous": list(exogenous),
                "series": list(held.names), "zone": "UTC", "levels": [0.05, 0.95], "fill": "linear",
                "context": CONTEXT, "horizon": HORIZON, "value": "value", "time": "time",
            },
            "attention": {"hours": {"query": [f"hour {k + 1}" for k in range(HORIZON)], "key": hours,
                                    "key_steps": [[k, k + 1] for k in range(CONTEXT)]}},
        },
    )  # fmt: skip
    archive.write(folder, made, files)
    return archive.open_directory(folder)
