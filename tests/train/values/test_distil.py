"""A surrogate taught by a value function, and the labels that it is taught by."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ascribe.core.energy import EmShap
from ascribe.core.games import ConditionalGame
from ascribe.core.mixture import Mixture
from ascribe.core.scaling import Scores, fit_scores
from ascribe.core.stack import ValueChoice
from ascribe.core.surrogate import Surrogate
from ascribe.train.families.surrogate import SurrogateFit, SurrogateOptions, fit_surrogate
from ascribe.train.loop import Loop
from ascribe.train.rows import made_rows
from ascribe.train.values.distil import DistilOptions, distil
from ascribe.train.values.labels import by_row, pair_label, surrogate_label
from ascribe.train.values.pairs import Pairs, PairsOptions, made_pairs
from ascribe.train.values.surrogate import export_surrogate, open_surrogate

torch.set_num_threads(1)

N = 4
WEIGHT = np.array([3.0, -2.0, 1.0, 0.5])


def linear(X: np.ndarray) -> np.ndarray:
    return X @ WEIGHT


def truth(X: np.ndarray, S: np.ndarray) -> np.ndarray:
    """v of independent standard normal features."""
    return (X * S) @ WEIGHT


def law(scores: Scores, X: np.ndarray) -> EmShap:
    """Hidden features independent and standard normal in scores, whatever is observed."""

    def proposal(Z: np.ndarray, S: np.ndarray) -> Mixture:
        one = np.zeros((len(Z), 1, N), np.float32)
        return Mixture(one[..., 0], one, one + 1, one[..., None])

    return EmShap(scores, proposal, None, 1, X)


@pytest.fixture(scope="module")
def fitted() -> tuple[np.ndarray, SurrogateFit, Surrogate]:
    """Rows, what is learnt of them, and its graph as it is served."""
    X = np.random.default_rng(0).standard_normal((600, N))
    small = SurrogateOptions(width=32, blocks=1, loop=Loop(epochs=2, batch=512, lr=3e-3, patience=2))
    fit = fit_surrogate(linear, X, 0, held=np.arange(100), options=small)
    return X, fit, open_surrogate(export_surrogate(fit), fit)


SMALL = DistilOptions(decay=0.98, loop=Loop(epochs=6, batch=256, lr=3e-3, patience=6))


def known(X: np.ndarray, fit: SurrogateFit) -> Pairs:
    """Eight thousand values that are the truth itself."""
    rng = np.random.default_rng(3)
    rows = made_rows(X[100:], 2000, fit.scores, rng).astype(float)
    S = rng.random((2000, 4, N)) < 0.5
    return Pairs(rows, S, truth(np.repeat(rows, 4, axis=0), S.reshape(-1, N)).reshape(2000, 4))


def test_a_taught_surrogate_is_nearer_to_its_teacher(fitted):
    X, fit, untaught = fitted
    pairs = known(X, fit)
    taught, again = (distil(fit, pairs, pairs.completions, linear, X, options=SMALL) for _ in range(2))
    rng = np.random.default_rng(5)
    new, S = rng.standard_normal((500, N)), rng.random((500, 3, N)) < 0.5
    wanted = truth(np.repeat(new, 3, axis=0), S.reshape(-1, N)).reshape(500, 3)
    graph = export_surrogate(taught)
    before, after = (
        ((surrogate_label(held)(new, S) - wanted) ** 2).mean() for held in (untaught, open_surrogate(graph, taught))
    )
    assert after < before / 3
    assert taught.history.best < fit.history.best
    assert graph == export_surrogate(again)


def test_a_bad_teacher_changes_nothing(fitted):
    X, fit, _ = fitted
    pairs = known(X, fit)
    assert distil(fit, pairs, np.full(pairs.completions.shape, 9.0), linear, X, options=SMALL) is fit


def test_pairs_are_of_training_rows_and_their_values_those_of_any_choice(fitted):
    """Each coalition comes with its complement, none is empty; the same seed, the same numbers."""
    X, fit, surrogate = fitted
    conditional = law(fit.scores, X)
    small = PairsOptions(masks=6, each=3, most=1200)
    pairs, again = (made_pairs(linear, conditional, None, X[100:], 1, options=small) for _ in range(2))
    assert pairs.S.shape == (200, 6, N) == (*pairs.completions.shape, N)
    assert (pairs.S.sum(axis=2) % N).all()
    assert (pairs.S[:, 3:] == ~pairs.S[:, :3]).all()
    assert pairs.completions.tobytes() == again.completions.tobytes()
    assert pairs.X.tobytes() == again.X.tobytes()
    share = (0.0, 0.2, 0.5, 0.8, 1.0)
    c = pairs.by(ValueChoice("completions", share, "", {}), surrogate)
    g = pairs.by(ValueChoice("surrogate", share, "", {}), surrogate)
    both = pairs.by(ValueChoice("stacked", share, "", {}), surrogate)
    assert c.tobytes() == pairs.completions.tobytes()
    assert g == pytest.approx(surrogate_label(surrogate)(pairs.X, pairs.S))
    weight = np.array(share)[pairs.S.sum(axis=2)]
    assert both == pytest.approx(weight * c + (1 - weight) * g)
    assert np.corrcoef(c.ravel(), truth(np.repeat(pairs.X, 6, axis=0), pairs.S.reshape(-1, N)))[0, 1] > 0.9


def test_time_that_is_up_ends_the_values(fitted):
    X, fit, _ = fitted
    told: list[tuple[float, str]] = []
    ask = (linear, law(fit.scores, X), None, X, 0, lambda *step: told.append(step))
    pairs = made_pairs(*ask, max_seconds=1e-6, options=PairsOptions(each=64))
    assert len(pairs.X) == len(pairs.S) == len(pairs.completions) == 256
    assert told == [(1.0, "valuing coalitions"), (1.0, "4096 values")]


def test_labels_are_the_stack_of_each_pair(fitted):
    X, _, surrogate = fitted
    scores = fit_scores(X)
    conditional = law(scores, X)
    share = (0.0, 0.2, 0.5, 0.8, 1.0)
    choice = ValueChoice("stacked", share, "", {})
    label = by_row(pair_label(choice, surrogate, linear, conditional, None))
    rows, S = X[:70], np.random.default_rng(1).random((70, 3, N)) < 0.5
    S[:, 0] = [True, False, True, True]
    found = np.mean([label(rows, S) for _ in range(60)], axis=0)
    exact = ConditionalGame(linear, conditional, 4000, 1, 0.0, surrogate, "stacked", np.array(share))
    wanted = np.array([exact.values(x, s).v for x, s in zip(rows, S, strict=True)])
    assert found == pytest.approx(wanted, abs=0.8)
    assert np.sqrt(((found - wanted) ** 2).mean()) < 0.25
    assert label(rows, S)[0, 0] != label(rows, S)[0, 0]  # fresh noise


def test_rows_of_their_own_for_each_coalition_answer_as_one_row_does(fitted):
    X, _, surrogate = fitted
    game = ConditionalGame(linear, law(fit_scores(X), X), 16, 1, 0.0, surrogate, "stacked", np.full(N + 1, 0.5))
    S = np.random.default_rng(2).random((12, N)) < 0.5
    assert game.values(np.repeat(X[:1], 12, axis=0), S).v.tobytes() == game.values(X[0], S).v.tobytes()
