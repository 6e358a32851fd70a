"""Completion noise: blocks, range, balance, seeds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri

from ascribe.core.errors import InputError
from ascribe.core.noise import MIN_BLOCKS, blocks_of, sobol_blocks


@pytest.mark.parametrize("s", [*range(2, 128), 160, 200, 256, 1000, 4096])
def test_blocks_divide_the_completions(s):
    r = blocks_of(s)
    assert s % r == 0
    assert r >= min(MIN_BLOCKS, s)
    assert not any(s % k == 0 for k in range(min(MIN_BLOCKS, s), r))


def test_a_number_without_a_fitting_divisor_names_one_that_has():
    with pytest.raises(InputError, match=r"4093 samples .* use 4096"):
        blocks_of(4093)


@pytest.mark.parametrize("s", [-1, 0, 1])
def test_one_completion_has_no_spread(s):
    with pytest.raises(InputError, match=f"samples must be at least 2 .* got {s}"):
        blocks_of(s)


@pytest.mark.parametrize(("s", "width"), [(2, 1), (16, 3), (64, 20), (100, 5), (37, 4)])
def test_points_are_inside_and_reproducible(s, width):
    one, two = (sobol_blocks(s, width, 4) for _ in range(2))
    assert one.shape == (s, width)
    assert one.dtype == np.float64
    assert (one > 0).all()
    assert (one < 1).all()
    assert one.tobytes() == two.tobytes()
    assert one.tobytes() != sobol_blocks(s, width, 5).tobytes()


def test_each_block_is_balanced_and_blocks_differ():
    """64 points in 8 blocks of 8: in every block and direction one point in each eighth."""
    blocks = sobol_blocks(64, 5, 0).reshape(8, 8, 5)
    assert (np.sort(np.floor(blocks * 8), axis=1) == np.arange(8)[None, :, None]).all()
    assert len({block.tobytes() for block in blocks}) == 8


@pytest.mark.parametrize("s", [16, 32, 64])
@pytest.mark.parametrize(
    "f",
    [lambda z: z[..., 0] * z[..., 1], lambda z: z[..., 0] ** 2 + z[..., 2], lambda z: np.cos(3 * z).sum(axis=-1)],
    ids=["product", "square", "waves"],
)
def test_the_spread_between_blocks_never_understates_the_error(f, s):
    """Over seeds: variance of the mean of all points against the mean of (variance between blocks) / blocks."""
    means, admitted = [], []
    for seed in range(300):
        blocks = f(ndtri(sobol_blocks(s, 6, seed))).reshape(8, -1).mean(axis=1)
        means.append(blocks.mean())
        admitted.append(blocks.var(ddof=1) / 8)
    assert np.var(means) <= 1.2 * np.mean(admitted)


def test_the_global_random_state_is_left_alone():
    np.random.seed(0)
    before = np.random.get_state()[1].tobytes()
    sobol_blocks(32, 3, 0)
    assert np.random.get_state()[1].tobytes() == before
