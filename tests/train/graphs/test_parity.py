"""A converted model is kept where it says what its library says, and refused with the number otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.errors import BundleError
from ascribe.train.graphs.parity import TOLERANCE, same

TOLD = {"margin": np.array([1.0, -4.0]), "probability": np.array([[0.25, 0.75], [0.5, 0.5]])}


def near(by: float) -> dict[str, np.ndarray]:
    return TOLD | {"probability": TOLD["probability"] + [[0, by], [0, 0]]}


def test_the_largest_difference_is_told():
    assert same(TOLD, TOLD, "it") == 0
    assert same(near(3e-6), TOLD, "it") == pytest.approx(3e-6 / 0.75)
    assert same({"margin": np.zeros(0)}, {"margin": np.zeros(0)}, "it") == 0


@pytest.mark.parametrize(
    ("found", "told", "message"),
    [
        (near(2 * TOLERANCE), TOLD, "probability differs from it's by 2.7e-05 of its largest value"),
        (near(np.nan), TOLD, "differs from it's by nan"),
        ({"margin": np.zeros((2, 1))}, {"margin": np.zeros(2)}, r"margin has shape \(2, 1\), it's \(2,\)"),
        ({"margin": np.zeros(1)}, {"margin": np.array([np.inf])}, "it answers a background row with no finite margin"),
    ],
    ids=["far", "nan", "shape", "library"],
)
def test_what_is_not_kept(found, told, message):
    with pytest.raises(BundleError, match=message):
        same(found, told, "it")
