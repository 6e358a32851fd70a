"""The surrogate at inference: hidden cells never reach its network, rows do not meet."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.amortized import CHUNK, Amortized, efficient, in_chunks
from ascribe.core.coalitions import all_coalitions
from ascribe.core.scaling import fit_scores
from ascribe.core.surrogate import Surrogate

ROWS = np.random.default_rng(0).gamma(2.0, 3.0, (300, 4))
SCORES = fit_scores(ROWS)
S = all_coalitions(4)


def network(Z: np.ndarray, observed: np.ndarray) -> np.ndarray:
    assert Z.dtype == np.float32
    assert observed.dtype == bool
    assert (Z[~observed] == 0).all()
    return 10 + Z @ np.array([1, 2, 3, 4], np.float32) + observed.sum(axis=1)


def test_values_are_those_of_the_network_on_masked_scores():
    found = Surrogate(SCORES, network).value(ROWS[3], S)
    z = SCORES.forward(ROWS[3])
    assert found == pytest.approx(10 + np.where(S, z, 0) @ [1, 2, 3, 4] + S.sum(axis=1), rel=1e-6)
    assert found.dtype == float


@pytest.mark.parametrize("soil", [np.nan, np.inf, -1e30, 7.0])
def test_hidden_cells_change_nothing_to_the_bit(soil):
    surrogate = Surrogate(SCORES, network)
    for observed in S:
        soiled = np.where(observed, ROWS[5], soil)
        assert surrogate.value(soiled, observed[None]).tobytes() == surrogate.value(ROWS[5], observed[None]).tobytes()


def test_calls_are_of_one_size_and_rows_keep_their_order():
    sizes = []

    def run(rows: np.ndarray) -> np.ndarray:
        sizes.append(len(rows))
        return 2 * rows

    for b in (1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK):
        X = np.random.default_rng(b).standard_normal((b, 3))
        assert (in_chunks(run, X) == 2 * X).all()
    assert set(sizes) == {CHUNK}


def test_no_rows_need_no_network():
    assert Amortized(lambda X: 1 / 0, 0.0, np.zeros(3), 1.0).explain(np.empty((0, 3))).shape == (0, 3)


def test_the_rest_is_shared_so_that_efficiency_is_exact():
    rng = np.random.default_rng(1)
    e, f = rng.standard_normal((20, 5)), 100 * rng.standard_normal(20)
    phi = efficient(e, f, 3.0)
    assert phi.sum(axis=1) == pytest.approx(f - 3.0, abs=1e-12)
    assert np.ptp(phi - e, axis=1) == pytest.approx(np.zeros(20), abs=1e-12)
