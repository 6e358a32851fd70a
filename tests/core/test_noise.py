"""Completion noise: range, balance, independence, seeds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from ascribe.core.errors import InputError
from ascribe.core.noise import plain_points, sobol_points

both = pytest.mark.parametrize("points", [plain_points, sobol_points], ids=["plain", "sobol"])


@both
@pytest.mark.parametrize("s", [-1, 0, 1])
def test_one_completion_has_no_spread(points, s):
    with pytest.raises(InputError, match=f"samples must be at least 2 .* got {s}"):
        points(s, 3, 0)


@both
@pytest.mark.parametrize(("s", "width"), [(2, 1), (3, 2), (16, 3), (64, 20), (100, 5), (37, 4), (4093, 2)])
def test_points_are_inside_and_reproducible(points, s, width):
    one = points(s, width, 4)
    assert one.shape == (s, width)
    assert one.dtype == np.float64
    assert (one > 0).all()
    assert (one < 1).all()
    assert np.isfinite(ndtri(one)).all()
    kept = one.tobytes()
    for other in range(20):  # out of the cache, and in again
        points(s, width, 100 + other)
    assert points(s, width, 4).tobytes() == kept
    assert points(s, width, 5).tobytes() != kept
    with pytest.raises(ValueError, match="read-only"):
        one[0, 0] = 0.5


def test_the_two_kinds_differ():
    assert plain_points(16, 3, 0).tobytes() != sobol_points(16, 3, 0).tobytes()


def test_more_plain_points_go_on_where_fewer_ended():
    """So that doubling the completions keeps those that are drawn already."""
    assert plain_points(64, 5, 3)[:24].tobytes() == plain_points(24, 5, 3).tobytes()


def test_sobol_points_are_balanced():
    """64 points: in every direction one in each 64th; another number of them is the beginning of that net."""
    net = sobol_points(64, 5, 0)
    assert (np.sort(np.floor(net * 64), axis=0) == np.arange(64)[:, None]).all()
    assert sobol_points(37, 5, 0).tobytes() == net[:37].tobytes()
    assert not (np.sort(np.floor(plain_points(64, 5, 0) * 64), axis=0) == np.arange(64)[:, None]).all(axis=0).any()


def test_plain_points_are_uniform_and_independent():
    p = plain_points(1 << 15, 4, 0)
    assert p.mean(axis=0) == pytest.approx([0.5] * 4, abs=0.01)
    assert p.var(axis=0) == pytest.approx([1 / 12] * 4, rel=0.03)
    assert np.abs(np.corrcoef(p.T) - np.eye(4)).max() < 0.03
    assert abs(np.corrcoef(p[1:, 0], p[:-1, 0])[0, 1]) < 0.03


SMOOTH = {
    "product": lambda z: z[..., 0] * z[..., 1],
    "square": lambda z: z[..., 0] ** 2 + z[..., 2],
    "waves": lambda z: np.cos(3 * z).sum(axis=-1),
}


@pytest.mark.parametrize("f", SMOOTH.values(), ids=SMOOTH)
@pytest.mark.parametrize("s", [5, 16, 64])
def test_the_spread_of_plain_points_is_their_error_and_that_of_a_net_errs_on_the_safe_side(f, s):
    """Over seeds: variance of the mean of all points against the mean of (variance between points) / s."""
    ratio = {}
    for points in (plain_points, sobol_points):
        found = np.array([f(ndtri(points(s, 6, seed))) for seed in range(600)])
        ratio[points] = found.mean(axis=1).var() / (found.var(axis=1, ddof=1) / s).mean()
    assert 0.75 <= ratio[plain_points] <= 1.3
    assert ratio[sobol_points] <= 1.2


def test_the_global_random_state_is_left_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].tobytes()
    plain_points(33, 3, 7), sobol_points(33, 3, 7)
    assert np.random.get_state()[1].tobytes() == before
