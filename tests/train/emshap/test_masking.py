"""Dynamic masking: the documented rate, and every size of coalition (pitfall P1)."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.train.emshap.masking import hidden_rate, observed_masks

N = 12


@pytest.mark.parametrize(("t", "rate"), [(0.0, 0.2), (0.5, 0.5), (1.0, 0.8)])
def test_the_hidden_share_rises_from_a_fifth_to_four_fifths(t, rate):
    masks = observed_masks(10_000, N, t, np.random.default_rng(0), "linear")
    assert masks.dtype == bool
    assert (~masks).mean() == pytest.approx(rate, abs=0.01)
    assert np.abs((~masks).mean(axis=0) - rate).max() < 0.02  # every feature alike
    pairs = np.corrcoef(masks.T.astype(float))[np.triu_indices(N, 1)]
    assert np.abs(pairs).max() < 0.05  # independently of one another
    assert hidden_rate(t) == pytest.approx(rate)


def test_the_rate_stays_in_its_range_beyond_the_ends():
    assert [hidden_rate(t) for t in (-1.0, 2.0)] == pytest.approx([0.2, 0.8])


@pytest.mark.parametrize("schedule", ["mixed", "linear", "uniform"])
def test_every_size_occurs_over_training(schedule):
    rng = np.random.default_rng(0)
    sizes = np.concatenate([observed_masks(500, N, t, rng, schedule).sum(axis=1) for t in np.linspace(0, 1, 100)])
    assert set(range(N)) <= set(sizes)


@pytest.mark.parametrize(("schedule", "t"), [("uniform", 0.3), ("mixed", 0.8), ("mixed", 1.0)])
def test_uniform_cardinality_gives_every_size_the_same_weight(schedule, t):
    masks = observed_masks(24_000, N, t, np.random.default_rng(0), schedule)
    count = np.bincount(masks.sum(axis=1), minlength=N + 1)
    assert count[N] == 0  # something is always hidden
    assert np.abs(count[:N] / 2000 - 1).max() < 0.1
    of_size_three = masks[masks.sum(axis=1) == 3].mean(axis=0)
    assert np.abs(of_size_three - 3 / N).max() < 0.05  # then members alike


def test_a_mixed_batch_is_half_of_each():
    """At t = 0 the schedule hides 2.4 of 12 on average, uniform cardinality 6.5."""
    hidden = (~observed_masks(20_000, N, 0.0, np.random.default_rng(0))).sum(axis=1)
    assert hidden[::2].mean() == pytest.approx(2.4, abs=0.1)
    assert hidden[1::2].mean() == pytest.approx(6.5, abs=0.1)


def test_masks_are_the_generators():
    one, two, other = (observed_masks(50, 7, 0.4, np.random.default_rng(k)) for k in (3, 3, 4))
    assert one.tobytes() == two.tobytes() != other.tobytes()


def test_one_feature_is_always_hidden_under_uniform_cardinality():
    assert not observed_masks(20, 1, 0.9, np.random.default_rng(0)).any()
