"""Superpixels follow outlines; every one is a single piece."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import label

from ascribe.core.layout import Layout
from ascribe.core.options import Options
from ascribe.core.players import Segments, grid, segments_of
from ascribe.core.segmentation import lab, superpixels

CAT = Path(__file__).parents[2] / "examples" / "data" / "images" / "chelsea.jpg"


def a_disc(height: int = 90, width: int = 120) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.mgrid[:height, :width]
    inside = (y - 40) ** 2 + (x - 70) ** 2 < 25**2
    image = np.where(inside[..., None], [200.0, 60.0, 40.0], [60.0, 90.0, 160.0])
    return image + np.random.default_rng(0).normal(0, 6, image.shape), inside


def one_piece_each(segments: np.ndarray) -> bool:
    return all(label(segments == k)[1] == 1 for k in range(segments.max() + 1))


@pytest.mark.parametrize("count", [12, 40, 150])
def test_pieces_follow_the_outline(count):
    image, inside = a_disc()
    held = superpixels(np.clip(image, 0, 255), count)
    assert held.shape == inside.shape
    assert one_piece_each(held)
    assert 0.5 * count <= held.max() + 1 <= 1.3 * count
    share = np.bincount(held.ravel(), inside.ravel()) / np.bincount(held.ravel())
    wrong = (np.minimum(share, 1 - share) * np.bincount(held.ravel())).sum() / inside.size
    plain = grid((90, 120, 1), round(count**0.5))
    across = np.bincount(plain, inside.ravel()) / np.bincount(plain)
    by_grid = (np.minimum(across, 1 - across) * np.bincount(plain)).sum() / inside.size
    assert wrong < 0.01
    assert wrong < by_grid / 3


def test_a_real_picture():
    pillow = pytest.importorskip("PIL.Image")
    image = np.asarray(pillow.open(CAT).convert("RGB").resize((150, 100)), float)
    one, two = superpixels(image, 60), superpixels(image, 60)
    assert np.array_equal(one, two)
    assert one_piece_each(one)
    assert 40 <= one.max() + 1 <= 75
    colour = lab(image)
    spread = sum(((colour[one == k] - colour[one == k].mean(axis=0)) ** 2).sum() for k in range(one.max() + 1))
    patches = grid((100, 150, 1), 8).reshape(100, 150)
    plain = sum(((colour[patches == k] - colour[patches == k].mean(axis=0)) ** 2).sum() for k in range(64))
    assert spread < 0.7 * plain  # each of about one colour


def test_small_and_flat_images():
    for shape in ((1, 1, 3), (2, 3, 1), (5, 4, 3)):
        held = superpixels(np.full(shape, 9.0), 6)
        assert held.shape == shape[:2]
        assert held.min() == 0
        assert one_piece_each(held)
    assert superpixels(np.zeros((20, 20, 3)), 1).max() == 0


def test_lab_of_known_colours():
    """Values of the CIE for sRGB red, green and blue."""
    held = lab(np.array([[[255.0, 0, 0], [0, 255, 0], [0, 0, 255], [0, 0, 0]]]))[0]
    wanted = [[53.24, 80.09, 67.20], [87.73, -86.18, 83.18], [32.30, 79.19, -107.86], [0, 0, 0]]
    assert held == pytest.approx(np.array(wanted), abs=0.05)


def test_lab_of_dark_greys_is_a_line():
    """CIE: L* = (29/3)^3 Y up to Y = (6/29)^3; a grey's Y is its linear number, and a* and b* are 0."""
    grey = np.arange(40.0)
    s = grey / 255
    y = np.where(s <= 0.04045, s / 12.92, ((s + 0.055) / 1.055) ** 2.4)
    dark = y <= 216 / 24389
    assert 15 < dark.sum() < 30
    held = lab(np.repeat(grey[:, None, None], 3, axis=2))[:, 0]
    assert held[dark, 0] == pytest.approx(24389 / 27 * y[dark], abs=1e-3)
    assert held[~dark, 0] == pytest.approx(116 * np.cbrt(y[~dark]) - 16, abs=1e-3)
    assert held[:, 1:] == pytest.approx(np.zeros((40, 2)), abs=1e-3)


def test_a_grid_has_patches_of_nearly_one_size():
    held = grid((30, 23, 3))
    assert held.max() == 48
    size = np.bincount(held) // 3
    assert size.min() >= 4 * 3
    assert size.max() <= 5 * 4
    assert grid((4, 3, 1)).tolist() == list(range(12))


def test_a_players_value_is_spread_over_its_columns():
    segments = Segments(np.array([1, 1, 0, -1, 1]))
    assert segments.spread(np.array([4.0, 6.0])).tolist() == [2.0, 2.0, 4.0, 0.0, 2.0]
    S = np.array([[False, False], [True, False]])
    assert segments.features_of(S).tolist() == [[False, False, False, True, False], [False, False, True, True, False]]
    x = np.arange(10.0)
    mean = Segments(np.repeat(np.array([1, 1, 0, -1, 1]), 2)).mean(x, 2)
    assert mean.reshape(5, 2).tolist() == [[10 / 3, 13 / 3], [10 / 3, 13 / 3], [4, 5], [6, 7], [10 / 3, 13 / 3]]


def test_segments_may_be_given_in_many_shapes():
    layout, rng = Layout("image", (4, 6, 3)), np.random.default_rng(0)
    X = rng.integers(0, 256, (2, 72)).astype(float)
    pixels = rng.integers(0, 5, (2, 4, 6)) * 10  # numbers need not be in order
    by_column = np.repeat(pixels.reshape(2, -1), 3, axis=1)
    for i in range(2):
        wanted = segments_of(layout, Options(segments=by_column[i]), X, i).owner
        assert wanted.max() == len(np.unique(pixels[i])) - 1
        for given in (pixels[i], pixels, by_column, by_column.astype(float)):
            assert np.array_equal(segments_of(layout, Options(segments=given), X, i).owner, wanted)
    held = segments_of(layout, Options(segments=np.array(4)), X, 0)
    assert np.ptp(held.owner.reshape(-1, 3), axis=1).max() == 0  # channels stay together
    assert 1 <= held.p <= 6
