"""The one-pass explainer: its closed form, its graph, and an easy game that it must learn within its own error."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ascribe.bundle.runtime import amortized
from ascribe.core.amortized import Amortized, efficient
from ascribe.core.coalitions import all_coalitions
from ascribe.core.estimators import make_plan
from ascribe.core.scaling import fit_scores
from ascribe.train.families.amortized import AmortizedFit, AmortizedNetwork, AmortizedOptions, fit_amortized
from ascribe.train.loop import Loop
from ascribe.train.values.amortized import export_amortized, judge_amortized
from ascribe.train.values.pairs import Pairs
from ascribe.train.values.polish import PolishOptions, polish

torch.set_num_threads(1)

N = 5
SMALL = AmortizedOptions(
    products=16, code=4, additive=16, width=48, blocks=1, ramps=4, rows=2000, decay=0.99,
    loop=Loop(epochs=40, batch=128, lr=5e-3, weight_decay=1e-3, patience=40),
)  # fmt: skip


def table(rows: int, seed: int = 0) -> np.ndarray:
    """Heavy tails and a counter that is 0 in half of the rows."""
    rng = np.random.default_rng(seed)
    X = rng.gamma(2.0, 10.0, (rows, N))
    X[:, 3] = np.maximum(rng.standard_normal(rows), 0) * 1e9
    return X


def easy(X: np.ndarray, S: np.ndarray) -> np.ndarray:
    """v (r, k): what is known saturates, as if features told the same: 100 (1 - prod_S (1 - p_i(x)))."""
    p = 0.5 / (1 + np.exp(-(X / np.array([20, 20, 20, 1e9, 20]) - 1)))
    return 100 * (1 - np.where(S, 1 - p[:, None, :], 1).prod(axis=2))


def f(X: np.ndarray) -> np.ndarray:
    return easy(X, np.ones((len(X), 1, N), bool))[:, 0]


@pytest.fixture(scope="module")
def fitted() -> tuple[np.ndarray, np.ndarray, AmortizedFit]:
    X = table(2000)
    held = np.arange(0, 2000, 8)
    return X, held, fit_amortized(easy, X, 0.0, fit_scores(X), held, options=SMALL)


@pytest.fixture(scope="module")
def one_pass(fitted) -> Amortized:
    X, _, fit = fitted
    return amortized(export_amortized(fit, X), 0.0, np.zeros(N), 0.0, "surrogate", "a small fit")


def test_attributions_are_the_shapley_values_of_the_networks_own_game(fitted):
    X, _, fit = fitted
    S = all_coalitions(N)
    z = torch.as_tensor(fit_scores(X).forward(X[:20]))
    with torch.no_grad():
        values = fit.network.game(z, torch.as_tensor(S, dtype=torch.float32).expand(20, -1, -1)).double().numpy()
        told = fit.network(torch.as_tensor(X[:20], dtype=torch.float32)).numpy()
    wanted = make_plan("exact", N, None, 0).solve(values * float(fit.network.sd))
    assert told == pytest.approx(wanted, abs=1e-3)
    assert np.abs(wanted).max() > 5


def test_scores_inside_are_the_scores_outside():
    X = table(3000)
    scores = fit_scores(X)
    network = AmortizedNetwork(scores, 1.0, SMALL)
    new = np.concatenate([table(500, 7), scores.table.T[::8], X.min(axis=0)[None] - 1, X.max(axis=0)[None] * 9])
    with torch.no_grad():
        found = network.scores(torch.as_tensor(new, dtype=torch.float32)).numpy()
    assert found == pytest.approx(scores.forward(new), abs=2e-3)


def test_an_easy_game_is_learnt_within_the_error_that_is_recorded(fitted, one_pass):
    X, held, fit = fitted
    new = table(200, 11)
    judged = judge_amortized(fit.network, one_pass, easy, f, fit_scores(X), X[held[:96]], orders=4)
    S = all_coalitions(N)
    exact = make_plan("exact", N, None, 0).solve(easy(new, np.broadcast_to(S, (200, *S.shape))))
    phi = efficient(one_pass.explain(new), f(new), 0.0)
    rmse = np.sqrt(((phi - exact) ** 2).mean(axis=0))
    assert judged.r2 > 0.97
    assert (rmse < 2 * judged.rmse + 0.05).all()
    assert (rmse > judged.rmse / 2 - 0.05).all()
    assert judged.rows == 96
    assert phi.sum(axis=1) == pytest.approx(f(new), abs=1e-9)


def test_the_judge_sees_an_error_that_is_there(fitted, one_pass):
    X, held, fit = fitted
    shift = np.array([2.0, -2.0, 0.0, 0.0, 0.0])
    bent = replace(one_pass, network=lambda rows: one_pass.network(rows) + shift)
    plain, judged = (
        judge_amortized(fit.network, a, easy, f, fit_scores(X), X[held[:96]], orders=4) for a in (one_pass, bent)
    )
    assert judged.rmse[:2] == pytest.approx(np.hypot(plain.rmse[:2], 2), abs=0.6)
    assert judged.rmse[2:] == pytest.approx(plain.rmse[2:], abs=1e-3)
    assert judged.r2 < plain.r2


def test_a_row_alone_is_the_row_in_a_batch_to_the_bit(fitted, one_pass):
    X = fitted[0]
    batch = one_pass.explain(X[:300])
    order = np.random.default_rng(0).permutation(300)
    assert one_pass.explain(X[order]).tobytes() == batch[order].tobytes()
    alone = np.concatenate([one_pass.explain(X[k : k + 1]) for k in range(300)])
    assert alone.tobytes() == batch.tobytes()


def test_one_seed_one_graph_and_held_rows_are_not_learnt():
    X = table(300)
    held = np.arange(30)
    seen: list[np.ndarray] = []

    def watched(rows: np.ndarray, S: np.ndarray) -> np.ndarray:
        seen.append(rows)
        return easy(rows, S)

    tiny = replace(SMALL, rows=100, passes=2, loop=Loop(epochs=3, batch=128))
    scores = fit_scores(X)
    graphs = [export_amortized(fit_amortized(watched, X, 0.0, scores, held, options=tiny), X) for _ in range(2)]
    assert graphs[0] == graphs[1]
    judged, *learnt = seen[: len(seen) // 2]
    assert np.array_equal(judged, X[held])
    assert sum(len(rows) for rows in learnt) == 2 * 100  # fresh rows after two epochs
    assert not {tuple(r) for r in X[held]} & {tuple(r) for rows in learnt for r in rows}


def other(X: np.ndarray, S: np.ndarray) -> np.ndarray:
    """The easy game, with more for the first two together."""
    return easy(X, S) + 20 * S[..., :2].all(axis=-1)


def valued(X: np.ndarray, v, seed: int) -> tuple[Pairs, np.ndarray]:
    S = np.random.default_rng(seed).random((len(X), 8, N)) < 0.5
    return Pairs(X, S, v(X, S)), v(X, S)


def test_a_second_teacher_is_followed_and_a_worse_fit_is_not_taken(fitted):
    X, held, fit = fitted
    scores, small = fit_scores(X), PolishOptions(0.98, Loop(epochs=20, batch=128, lr=5e-3, patience=20))
    pairs, v = valued(np.delete(X, held, axis=0), other, 1)
    few, v_few = valued(X[held], other, 2)
    taught, again = (polish(fit, pairs, v, few, v_few, 0.0, scores, options=small) for _ in range(2))
    new, told = valued(table(200, 13), other, 3)
    with torch.no_grad():
        z, S = torch.as_tensor(scores.forward(new.X)), torch.as_tensor(new.S, dtype=torch.float32)
        before, after = (
            ((net.game(z, S).numpy() * float(net.sd) - told) ** 2).mean() for net in (fit.network, taught.network)
        )
    assert after < before / 3
    assert export_amortized(taught, X) == export_amortized(again, X)
    own, v_own = valued(X[held], easy, 2)
    assert polish(fit, pairs, v + 500, own, v_own, 0.0, scores, options=small) is fit
