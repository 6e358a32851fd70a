"""Warming up explains by everything that there is, and asks little of the model."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.explainers import available
from ascribe.core.features import Feature
from ascribe.core.layout import Layout
from ascribe.core.model import Model
from ascribe.serve.versions.leases import Lease
from ascribe.serve.work import warm

LAYOUTS = {
    "image": Layout("image", (64, 64, 3)),
    "text": Layout("text", (256,), 0, tuple(f"w{k}" for k in range(50))),
    "table": Layout("table", (3,)),
}


@pytest.mark.parametrize("kind", LAYOUTS)
def test_few_evaluations_are_asked(kind):
    asked = []

    def f(Z: np.ndarray) -> np.ndarray:
        asked.append(len(Z))
        return Z[:, 0] + np.tanh(Z[:, 1:].mean(axis=1))

    layout = LAYOUTS[kind]
    table = kind == "table"
    features = tuple(Feature(name) for name in "abc") if table else ()
    background = np.arange(12.0).reshape(4, 3) if table else None
    model = Model(features, f, background, layout=layout)
    row = np.full((1, layout.n), 7.0)
    warmed = warm(Lease("m", "production", "1", "0", model, row))
    assert {"kernel_shap", "permutation_shap", "lime", "occlusion"} <= set(available(warmed.model))
    assert 4 <= sum(asked) < 200
