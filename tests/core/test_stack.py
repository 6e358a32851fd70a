"""Shares are recovered; the choice is the stack, or what is better than it beyond chance."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.stack import VALUES, choose, fit_share, stacked

N, M = 6, 40


def made(rows: int, share: np.ndarray, spread: tuple[float, float], seed: int = 0):
    """f is the stack by `share` of two estimates, plus what nobody can know."""
    rng = np.random.default_rng(seed)
    size = rng.integers(1, N, (rows, M))
    truth = rng.standard_normal(rows)[:, None]
    c, g = (truth + s * rng.standard_normal((rows, M)) for s in spread)
    return truth[:, 0], c, g, size


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_a_known_share_is_recovered(share):
    rng = np.random.default_rng(1)
    size, g = rng.integers(1, N, (500, M)), rng.standard_normal((500, M))
    gap = rng.standard_normal((500, M))
    f = rng.standard_normal(500)
    g = f[:, None] - share * gap + 0.05 * rng.standard_normal((500, M))  # f = share c + (1 - share) g + noise
    assert fit_share(f, g + gap, g, size, N) == pytest.approx(np.full(N + 1, share), abs=0.02)


def test_a_share_of_each_size_is_recovered():
    rng = np.random.default_rng(2)
    wanted = np.linspace(0.1, 0.9, N + 1)
    size = rng.integers(1, N, (2000, M))
    f, gap = rng.standard_normal(2000), rng.standard_normal((2000, M))
    g = f[:, None] - wanted[size] * gap
    found = fit_share(f, g + gap, g, size, N)
    assert found[1:N] == pytest.approx(wanted[1:N], abs=0.01)
    assert found[0] == found[N] == pytest.approx(wanted[1:N].mean(), abs=0.02)


def test_what_few_rows_do_not_tell_is_the_completions():
    """v = c; f is v and ten times what the surrogate is off, the same for all coalitions of a row."""
    rng = np.random.default_rng(3)
    found = {}
    for rows in (30, 20_000):
        size, c = rng.integers(1, N, (20, rows, M)), rng.standard_normal((20, rows, M))
        g = c + 0.1 * rng.standard_normal((20, rows, 1))
        f = c.mean(axis=2) + rng.standard_normal((20, rows))
        found[rows] = np.array([fit_share(*one, N) for one in zip(f, c, g, size, strict=True)])
    assert found[30].mean() > 0.85 and found[30].min() > 0.5
    assert found[20_000].mean() > 0.98 and found[20_000].min() > 0.8


def test_what_many_rows_tell_holds_however_far_from_the_completions():
    f, c, g, size = made(5000, np.zeros(N + 1), (1.0, 0.1))
    assert fit_share(f, c, g, size, N).max() < 0.05


def test_shares_stay_between_the_two_and_a_stack_too():
    f, c, g, size = made(100, np.zeros(N + 1), (1.0, 1.0))
    for one, two in ((c + 5, g), (g, c + 5), (c, c)):
        share = fit_share(f, one, two, size, N)
        assert ((share >= 0) & (share <= 1)).all()
        v = stacked(share, size, one, two)
        assert (v <= np.maximum(one, two) + 1e-12).all()
        assert (v >= np.minimum(one, two) - 1e-12).all()


@pytest.mark.parametrize(
    ("spread", "wanted"),
    [((0.1, 1.0), "completions"), ((1.0, 0.1), "surrogate"), ((1.0, 1.0), "stacked")],
)
def test_the_better_one_is_chosen(spread, wanted):
    f, c, g, size = made(300, np.zeros(N + 1), spread)
    found = choose(f, c, g, size, N, "W")
    if wanted == "stacked":
        assert found.value == wanted
        assert found.mse["stacked"] < 0.6 * min(found.mse["completions"], found.mse["surrogate"])
    else:
        assert found.mse[found.value] <= 1.02 * found.mse[wanted]
    assert set(found.mse) == set(VALUES)
    assert len(found.share) == N + 1
    assert "W^2 on 300 held-out rows" in found.reason
    assert f"{found.value} serves" in found.reason


def test_of_equals_the_stack_serves():
    f, c, _, size = made(100, np.zeros(N + 1), (0.5, 0.5))
    found = choose(f, c, c, size, N)
    assert found.value == "stacked"
    assert found.mse["surrogate"] == found.mse["completions"] == found.mse["stacked"]


def test_the_winner_is_the_least_or_tied_with_it_and_says_which():
    spreads = [tuple(np.random.default_rng(seed).uniform(0.2, 1.0, 2)) for seed in range(20)]
    spreads[6:12] = [(0.05, 1.0)] * 6  # one is so good that a stack with the other is only as good
    reasons = set()
    for seed, spread in enumerate(spreads):
        f, c, g, size = made(60, np.zeros(N + 1), spread, seed)
        found = choose(f, c, g, size, N)
        assert found.mse[found.value] <= 1.15 * min(found.mse.values())
        best = min(found.mse, key=found.mse.__getitem__)
        reasons.add(found.value == best)
        why = "the least" if found.value == best else f"within a standard error of {best}, and sure where that is not"
        assert found.reason.endswith(f"{found.value} serves: {why}")
    assert reasons == {True, False}
