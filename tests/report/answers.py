"""Real answers to draw: of a function with a marginal game, of images and texts, of attention and maps."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

import ascribe
from ascribe.core.answer import Answer
from ascribe.core.attention import Matrices, matrices
from ascribe.core.attribution import Attribution, Info
from ascribe.core.explainers import explain
from ascribe.core.features import Feature
from ascribe.core.inside import Parts
from ascribe.core.layout import Layout
from ascribe.core.options import Options
from tests.core import slope_models

NAMES = ("load", "heat", "fans", "disk", "idle")
HOSTILE = "<script>alert('$x_1$')</script>&\"\n\x00 = 3"


@lru_cache
def table(rows: int = 40, first: str = "load") -> Answer:
    """f = 3 load + heat * fans + disk; idle is nobody's business. Sampled, so that there are standard errors."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((rows, 5))
    f = lambda Z: 100 + 3 * Z[:, 0] + Z[:, 1] * Z[:, 2] + np.sin(3 * Z[:, 0]) * Z[:, 3]  # noqa: E731
    names = (first, *NAMES[1:])
    a = ascribe.explain(f, X, background=rng.standard_normal((30, 5)), estimator="permutation", budget=24)
    told = replace(a, features=names, columns=names, info=replace(a.info, unit="W", output="power"))
    return Answer(
        told, tuple(Feature(n, u) for n, u in zip(names, ("percent", "celsius", "", "bytes", ""), strict=True))
    )


@lru_cache
def image(segments: bool = False) -> Answer:
    model = slope_models.image()
    X = np.random.default_rng(4).integers(0, 256, (2, model.layout.n)).astype(float)
    if segments:
        return Answer(
            explain(
                model,
                X,
                "kernel_shap",
                Options(segments=np.arange(model.layout.n // 3).reshape(model.layout.shape[:2]) // 12),
            )
        )
    return Answer(explain(model, X, "integrated_gradients", Options()))


@lru_cache
def text() -> Answer:
    rows = np.array([[1, 4, 6, 0, 0, 0], [3, 5, 7, 2, 1, 8]], dtype=float)
    return Answer(explain(slope_models.text(), rows, "kernel_shap", Options()), (), ("first", "second"))


@lru_cache
def looked() -> Answer:
    model, rows = slope_models.text(), np.array([[1, 4, 6, 0, 0, 0]], dtype=float)
    return Answer(explain(model, rows, "attention", Options()), (), (), matrices(model, rows))


@lru_cache
def seen() -> Answer:
    model = slope_models.image()
    X = np.random.default_rng(4).integers(0, 256, (1, model.layout.n)).astype(float)
    return Answer(explain(model, X, "grad_cam", Options()), (), (), None, {"cells": model.layers.at(X, "cells").values})


LAYOUT = Layout("series", (6, 2), words=("value", "observed"), step_s=43200, day=2)
VALUES = np.array([[4.0, 0, 0, 1, 0, 0, 2, 0, -1, 0, -2, 0]])
PARTS = Parts(("+1", "+2"), ("k0", "k1", "k2"), np.array([[0, 2], [2, 4], [4, 6]]))
LOOKED = np.array([[[[0.2, 0.3, 0.5], [0.0, 0.1, 0.9]]]])


@lru_cache
def window(parts: bool = True) -> Answer:
    info = Info("integrated_gradients", "baseline", "path", "gauss_legendre", 16, 1, 0, unit="Gb/s", output="peak")
    one = np.ones(1)
    a = Attribution(
        VALUES, 1.0, np.array([5.0]), np.zeros((1, 12)), one, np.array(["ok"]), ("",), LAYOUT.names(()),
        np.ones((1, 12)), info, LAYOUT.names(()), layout=LAYOUT,
    )  # fmt: skip
    m = Matrices(("days",), PARTS.key, (LOOKED,), None, 0, {"days": PARTS} if parts else {})
    return Answer(a, (), ("north",), m)


OF = {
    "waterfall": table, "force": table, "bar": table, "beeswarm": table, "heatmap": table, "dependence": table,
    "image": image, "text": text, "attention": looked, "features": seen,
    "days": window,
}  # fmt: skip
