"""Baselines by name."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.baselines import KINDS, baseline_rows, own_baseline
from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.features import Feature
from ascribe.core.options import Options
from ascribe.core.reference import reference_row

from .slope_models import BACKGROUND, IMAGES, SHAPE, TEXTS, X, image, table, text


def test_by_name():
    assert (baseline_rows(table(), X, "zero") == 0).all()
    assert baseline_rows(table(), X, "mean")[2] == pytest.approx(BACKGROUND.mean(axis=0))
    assert (baseline_rows(image(), IMAGES, "grey") == 127.5).all()
    assert (baseline_rows(image(), IMAGES, "black") == 0).all()
    assert (baseline_rows(text(), TEXTS, "padding") == 0).all()
    assert set(KINDS) == {"zero", "mean", "black", "grey", "blur", "padding", "calendar"}


def test_by_itself():
    assert own_baseline(table()) == "mean"
    assert own_baseline(table(background=None)) == "zero"
    assert (own_baseline(image()), own_baseline(text())) == ("black", "padding")
    assert baseline_rows(table(), X) == pytest.approx(baseline_rows(table(), X, "mean"))


def test_blur_is_of_each_channel_and_keeps_flat_images():
    flat = np.tile([10.0, 100.0, 200.0], SHAPE[0] * SHAPE[1])[None]
    assert baseline_rows(image(), flat, "blur") == pytest.approx(flat)
    spot = np.zeros((1, *SHAPE))
    spot[0, 3, 4, 1] = 255
    spread = baseline_rows(image(), spot.reshape(1, -1), "blur").reshape(SHAPE)
    assert (spread[..., [0, 2]] == 0).all()
    assert 0 < spread[3, 5, 1] < spread[3, 4, 1] < 255


def test_by_row():
    row = np.arange(4.0)
    assert (baseline_rows(table(), X, row) == row).all()
    with pytest.raises(InputError, match="a baseline is a row of 4 numbers"):
        baseline_rows(table(), X, np.zeros(3))
    with pytest.raises(InputError, match="a baseline holds a number in every column"):
        baseline_rows(table(), X, np.array([0, np.nan, 0, 0]))


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(InputError, match="no baseline 'blur' of a model of a table: use zero, mean, or a row"):
        baseline_rows(table(), X, "blur")
    with pytest.raises(InputError, match="no baseline 'zero' of a model of a text: use padding, or a row"):
        baseline_rows(text(), TEXTS, "zero")
    with pytest.raises(CapabilityError, match="baseline 'mean' needs background rows"):
        baseline_rows(table(background=None), X, "mean")


def test_a_missing_value_of_the_background_is_left_out_of_the_mean():
    rows = BACKGROUND.copy()
    rows[:, 3], rows[0, 0] = np.nan, np.nan
    found = baseline_rows(table(background=rows), X, "mean")[0]
    assert found[0] == pytest.approx(BACKGROUND[1:, 0].mean())
    assert found[3] == 0


def test_of_categories_the_most_frequent_one():
    rows = np.array([[0.0, 2, 1, 0], [1, 2, 1, 0], [2, 0, 1, 0]])
    features = (*table().features[:1], Feature("kind", categories=("a", "b", "c")), *table().features[2:])
    found = baseline_rows(table(features=features, background=rows), X, "mean")[0]
    assert found.tolist() == [1.0, 2.0, 1.0, 0.0]


def test_a_missing_category_is_left_out_by_itself_as_by_name():
    kind = Feature("kind", categories=("a", "b", "c"), missing=True)
    held = table()
    rows = held.background.copy()
    rows[:, 1] = np.nan
    rows[:2, 1] = [2.0, 1.0]
    features = (*held.features[:1], kind, *held.features[2:])
    model = replace(held, features=features, background=rows)
    own, named = (reference_row(model, Options(baseline=name), rows[0]) for name in (None, "mean"))
    assert own[1] == named[1] == 1.0
    assert own.tolist() == named.tolist()
