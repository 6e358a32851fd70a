"""Attention rollout against its definition, and against loops."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.attention import chosen, matrices, pooled, rollout
from ascribe.core.errors import CapabilityError, InputError

from .slope_models import TEXTS, X, attentive, table, text


def by_paths(weights, residual):
    """Sum over all ways through the layers of the product of what each step passes on: brute force."""
    b, _, k, _ = weights[0].shape
    found = np.zeros((b, k, k))
    steps = [residual * np.eye(k) + (1 - residual) * w.mean(axis=1) for w in weights]
    for i in range(k):
        for m in range(k):
            for j in range(k):
                found[:, i, j] += steps[1][:, i, m] * steps[0][:, m, j]
    return found


@pytest.mark.parametrize("residual", [0.0, 0.5, 0.8])
def test_rollout_is_the_sum_over_paths(residual):
    weights = attentive(4).weights(X)
    found = rollout(weights, residual)
    assert found == pytest.approx(by_paths(weights, residual), abs=1e-12)
    assert found.sum(axis=2) == pytest.approx(np.ones((4, 4)), abs=1e-12)


def test_rollout_of_nothing_attended_elsewhere_is_the_identity():
    eye = np.broadcast_to(np.eye(3), (2, 4, 3, 3))
    assert rollout([eye, eye]) == pytest.approx(np.broadcast_to(np.eye(3), (2, 3, 3)))
    assert rollout(attentive(3).weights(X[:, :3]), 1.0) == pytest.approx(np.broadcast_to(np.eye(3), (4, 3, 3)))


def test_the_order_of_layers_counts():
    weights = attentive(4).weights(X)
    assert np.abs(rollout(weights) - rollout(weights[::-1])).max() > 0.01


def test_what_cannot_be_rolled_out_is_told():
    across = [np.full((1, 2, 3, 5), 0.2)]
    with pytest.raises(CapabilityError, match="rollout multiplies layers of one square size, these are 3 x 5"):
        rollout(across)
    with pytest.raises(InputError, match="residual is the share of the path past a layer"):
        rollout(attentive(4).weights(X), 1.5)


def test_a_mean_of_layers_of_several_sizes_is_told():
    weights = [np.full((1, 2, k, k), 1 / k) for k in (3, 5)]
    with pytest.raises(CapabilityError, match="the mean is of layers of one size, these are 3 x 3, 5 x 5"):
        chosen(weights, ("self", "cross"), "mean")
    assert chosen(weights, ("self", "cross"), "cross").shape == (1, 5, 5)


def test_pooled():
    matrix = np.arange(18.0).reshape(2, 3, 3)
    assert pooled(matrix, 0) == pytest.approx(matrix.mean(axis=1))
    assert pooled(matrix, 1) == pytest.approx(matrix[:, 0, 1:])
    counted = np.array([[True, False, True], [False, True, False]])
    assert pooled(matrix, 0, counted) == pytest.approx(np.array([matrix[0, [0, 2]].mean(axis=0), matrix[1, 1]]))


def test_chosen():
    weights = attentive(4).weights(X)
    layers = ("a/b", "c")
    assert chosen(weights, layers, "") == pytest.approx(rollout(weights))
    assert chosen(weights, layers, "a/b") == pytest.approx(weights[0].mean(axis=1))
    assert chosen(weights, layers, "a/b/1") == pytest.approx(weights[0][:, 1])
    assert chosen(weights, layers, "mean") == pytest.approx((weights[0].mean(axis=1) + weights[1].mean(axis=1)) / 2)


def test_matrices_for_drawing():
    found = matrices(text(), TEXTS)
    assert found.names[:2] == ("[0]", "0")
    assert len(found.names) == 7
    assert [w.shape for w in found.weights] == [(3, 3, 7, 7)] * 2
    assert found.rollout.shape == (3, 7, 7)
    with pytest.raises(CapabilityError, match="this model shows no attention"):
        matrices(table(attention=None), X)
    with pytest.raises(InputError, match="row 1: a word number is 99 at 0"):
        matrices(text(), np.array([TEXTS[0], np.r_[99.0, TEXTS[0, 1:]]]))
