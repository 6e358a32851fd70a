"""Distances between two models, against scipy and by hand."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from ascribe.core.variant import drift, prediction_error


def test_ranks_are_spearmans_also_with_ties():
    rng = np.random.default_rng(0)
    told, found = rng.integers(0, 4, (40, 7)).astype(float), rng.integers(0, 4, (40, 7)).astype(float)
    ranks = [spearmanr(a, b).statistic for a, b in zip(told, found, strict=True)]
    seen = drift("kernel_shap", told, found, 0.5)
    assert seen.rank == pytest.approx(np.median(ranks))
    assert seen.rank_low == pytest.approx(np.quantile(ranks, 0.05))
    assert seen.mae == pytest.approx(np.abs(told - found).mean())
    assert seen.share == pytest.approx(np.abs(told - found).mean() / np.abs(told).mean())
    assert seen.efficiency_gap == 0.5


def test_a_row_that_only_the_variant_leaves_unanswered_is_infinitely_far():
    rng = np.random.default_rng(0)
    told, found = rng.standard_normal((3, 4)), rng.standard_normal((3, 4))
    found[1, 2] = np.nan
    assert drift("m", told, found).share == np.inf
    assert drift("m", told[1:2], found[1:2]).rank == 0
    told[1, 0] = np.nan  # nobody answers it
    assert drift("m", told, found).rows == 2
    assert np.isfinite(drift("m", told, found).share)
    assert prediction_error(told[:2], found[:2], False).rows == 1
    found[0, 0] = np.inf
    assert drift("m", np.arange(4.0)[None], np.array([[0, 1, 2, np.inf]])).rank == 0  # though infinity has a rank
    assert prediction_error(told, found, False).share == np.inf


def test_rows_without_order_agree_with_rows_without_order_only():
    flat, steep = np.ones((1, 4)), np.arange(4.0)[None]
    assert drift("m", flat, flat).rank == 1
    assert drift("m", steep, flat).rank == 0


def test_the_error_of_answers_is_told_in_the_unit_and_of_their_spread():
    rng = np.random.default_rng(0)
    told = rng.standard_normal((50, 3))
    found = told + np.array([0.0, 0.0, 3.0])
    seen = prediction_error(told, found, True)
    assert seen.most == pytest.approx(3.0)
    assert seen.rms == pytest.approx(np.sqrt(3.0))
    assert seen.share == pytest.approx(np.sqrt(3.0) / told.std())
    assert seen.agreement == np.mean(told.argmax(axis=1) == found.argmax(axis=1)) < 1
