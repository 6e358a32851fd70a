"""One small fit, exported and opened as it is served, for the whole folder."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from ascribe.bundle.runtime import emshap
from ascribe.core.energy import EmShap
from ascribe.train.families.emshap import EmShapFit, fit_emshap
from ascribe.train.loop import Loop
from ascribe.train.values.conditional import conditional_files

from .worlds import TINY, bent

torch.set_num_threads(1)


@dataclass(frozen=True)
class Served:
    """The trained networks, their graphs, and the energy model over the graphs."""

    X: np.ndarray
    fit: EmShapFit
    files: dict[str, bytes]
    law: EmShap


@pytest.fixture(scope="session")
def served() -> Served:
    X = bent(1000, seed=1)
    fit = fit_emshap(X, 0, options=replace(TINY, steps=100, loop=Loop(3, 128, 1e-2)))
    assert fit.proposal.encoder is not None  # a fit that keeps its network
    files = conditional_files(fit)
    law = emshap(
        files["proposal.onnx"], files["energy.onnx"], fit.scores, fit.proposal.rank, X[:50], "energy", "a small fit"
    )
    return Served(X, fit, files, law)
