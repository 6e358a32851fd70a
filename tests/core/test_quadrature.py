"""Rules integrate what they promise to."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.errors import InputError
from ascribe.core.quadrature import RULES, quadrature


def test_the_rules_are_these():
    assert RULES == ("gauss_legendre", "riemann_trapezoid", "riemann_middle", "riemann_left", "riemann_right")


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("steps", [2, 5, 50])
def test_weights_sum_to_one_and_nodes_rise_within_the_way(rule, steps):
    nodes, weights = quadrature(rule, steps)
    assert nodes.shape == weights.shape == (steps,)
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert (weights > 0).all()
    assert (np.diff(nodes) > 0).all()
    assert 0 <= nodes[0] <= nodes[-1] <= 1


@pytest.mark.parametrize(
    ("rule", "degree"),
    [("gauss_legendre", 9), ("riemann_trapezoid", 1), ("riemann_middle", 1), ("riemann_left", 0), ("riemann_right", 0)],
)
def test_five_steps_are_exact_up_to_their_degree_and_no_further(rule, degree):
    nodes, weights = quadrature(rule, 5)
    gaps = [abs(weights @ nodes**k - 1 / (k + 1)) for k in range(degree + 2)]
    assert max(gaps[:-1]) < 1e-12
    assert gaps[-1] > 1e-7


@pytest.mark.parametrize(("rule", "steps"), [("simpson", 5), ("gauss_legendre", 0), ("riemann_trapezoid", 1)])
def test_what_cannot_be_a_rule_is_refused(rule, steps):
    with pytest.raises(InputError, match=r"choose one of|at least"):
        quadrature(rule, steps)
