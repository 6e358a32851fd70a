"""EmSHAP at inference, with proposals and energies that are known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from ascribe.core.coalitions import all_coalitions
from ascribe.core.energy import EmShap
from ascribe.core.errors import CapabilityError
from ascribe.core.explainers import explain
from ascribe.core.features import Feature
from ascribe.core.games import ConditionalGame
from ascribe.core.mixture import Mixture
from ascribe.core.model import Model
from ascribe.core.noise import plain_points, sobol_points
from ascribe.core.options import Options
from ascribe.core.scaling import REACH, Scores

N, RANK, RHO = 4, 2, 0.6
STRAIGHT = Scores(np.tile(np.linspace(-REACH, REACH, 129, dtype=np.float32), (N, 1)))  # natural units are scores
STRETCHED = Scores((np.linspace(-REACH, REACH, 129) * np.array([[10.0], [1], [2], [5]]) + 3).astype(np.float32))
ROWS = np.random.default_rng(0).standard_normal((50, N))
S = all_coalitions(N)
X = np.array([[0.5, -1.0, 0.25, 1.5], [1.0, 2.0, -0.5, 0.0], [-2.0, 0.1, 0.2, 0.3]])


def flat(rows: np.ndarray, observed: np.ndarray) -> Mixture:
    """Standard normal, correlation RHO between all features, whatever is observed."""
    m = len(rows)
    factor = np.zeros((m, 1, N, RANK))
    factor[..., 0] = np.sqrt(RHO)
    return Mixture(np.zeros((m, 1)), np.zeros((m, 1, N)), np.full((m, 1, N), 1 - RHO), factor)


def attentive(rows: np.ndarray, observed: np.ndarray) -> Mixture:
    """Two components whose every parameter depends on what reaches the network, single precision as networks are."""
    seen = np.concatenate([rows, observed], axis=1).astype(np.float64)
    rng = np.random.default_rng(7)

    def head(*shape: int) -> np.ndarray:
        parameters = np.tanh(seen @ rng.standard_normal((2 * N, int(np.prod(shape)))) / 3)
        return parameters.reshape(len(rows), *shape).astype(np.float32)

    return Mixture(head(2), head(2, N), np.exp(head(2, N)), head(2, N, RANK))


def tilt(z: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """A bounded energy, |t| <= 1, of everything that it is given."""
    return np.tanh(z @ np.array([0.5, -1.0, 0.3, 0.8]) + observed @ np.array([0.1, 0.2, 0.3, 0.4]))


def an_emshap(proposal=attentive, energy=None, scores=STRAIGHT) -> EmShap:
    return EmShap(scores, proposal, energy, RANK, ROWS, "proposal" if energy is None else "energy")


both = pytest.mark.parametrize("energy", [None, tilt], ids=["proposal", "energy"])


def value(law: EmShap, f, s: int = 1 << 16, at: int = 0) -> float:
    return float(ConditionalGame(f, law, s, 0, 0.0).values(X[0], S[[at]]).v[0])


def test_without_weights_the_value_is_the_mean_over_draws():
    law = an_emshap(flat)
    assert value(law, lambda Z: Z[:, 0] ** 2) == pytest.approx(1, abs=0.02)
    assert value(law, lambda Z: Z[:, 0] * Z[:, 1]) == pytest.approx(RHO, abs=0.02)
    assert value(law, lambda Z: Z[:, 0]) == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize("a", [0.4, -0.7])
def test_a_known_energy_moves_the_value_to_the_known_one(a):
    """t = -a x0 tilts N(0, C) to N(C e0 a, C): E x0 = a, E x1 = rho a, E x0^2 = 1 + a^2; a lost sign would show."""
    law = an_emshap(flat, lambda z, observed: -a * z[:, 0])
    assert value(law, lambda Z: Z[:, 0]) == pytest.approx(a, abs=0.02)
    assert value(law, lambda Z: Z[:, 1]) == pytest.approx(RHO * a, abs=0.02)
    assert value(law, lambda Z: Z[:, 0] ** 2) == pytest.approx(1 + a**2, abs=0.05)


def test_the_energy_sees_scores_of_observed_and_hidden_features():
    """Observed: forward(x), in scores; hidden: the draws; and the coalition itself, for every completion."""
    seen = {}

    def spy(z, observed):
        seen["z"], seen["observed"] = z.copy(), observed.copy()
        return np.zeros(len(z))

    law = an_emshap(attentive, spy, STRETCHED)
    x = np.array([13.0, 2.0, 4.0, -2.0])  # scores 1, -1, .5, -1
    Z, _ = law.complete(x, S, law.noise(8, 0))
    z = seen["z"].reshape(16, 8, N)
    assert z.dtype == np.float32
    assert (seen["observed"].reshape(16, 8, N) == S[:, None]).all()
    kept = np.broadcast_to(S[:, None], z.shape)
    assert z[kept] == pytest.approx(np.broadcast_to([1, -1, 0.5, -1], z.shape)[kept], abs=1e-5)
    assert STRETCHED.inverse(z)[~kept] == pytest.approx(Z[~kept], abs=1e-4)


def test_the_weighting_is_named_never_inferred():
    with pytest.raises(CapabilityError, match="weighting by energy needs the energy network"):
        EmShap(STRAIGHT, flat, None, RANK, ROWS, "energy")
    with pytest.raises(CapabilityError, match="weighting is 'proposal' or 'energy', not 'both'"):
        EmShap(STRAIGHT, flat, tilt, RANK, ROWS, "both")
    unused = EmShap(STRAIGHT, flat, tilt, RANK, ROWS, "proposal")
    assert unused.complete(X[0], S, unused.noise(8, 0))[1] is None


@pytest.mark.parametrize("constant", [0.0, 0.7])
def test_a_constant_energy_weighs_all_alike(constant):
    law = an_emshap(attentive, lambda z, observed: np.full(len(z), constant, np.float32))
    noise = law.noise(16, 0)
    _, log_weight = law.complete(X[0], S, noise)
    assert log_weight.shape == (16, 16)
    assert (np.ptp(log_weight, axis=1) == 0).all()
    game = ConditionalGame(lambda Z: Z[:, 0] * Z[:, 1], law, 16, 0, 0.0)
    plain = ConditionalGame(lambda Z: Z[:, 0] * Z[:, 1], an_emshap(attentive), 16, 0, 0.0)
    assert game.values(X[0], S).ess.tolist() == [16] * 16
    assert game.values(X[0], S).replicates == pytest.approx(plain.values(X[0], S).replicates, abs=1e-10)


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
def test_a_bounded_energy_bounds_the_loss_of_draws(tau):
    """ESS/s >= 1/cosh^2(tau), for the worst energy too: half the draws at each end."""
    for energy in (lambda z, o: tau * np.tanh(9 * z[:, 0]), lambda z, o: tau * np.sign(z[:, 1])):
        law = an_emshap(flat, energy)
        ess = ConditionalGame(lambda Z: Z[:, 0], law, 256, 0, 0.0).values(X[0], S).ess
        assert (ess / 256 >= 1 / np.cosh(tau) ** 2 - 1e-9).all()
        assert ess.min() / 256 < 0.95


@both
@pytest.mark.parametrize("junk", [np.nan, 1e6, -1e6, np.inf])
def test_hidden_cells_change_no_bit(energy, junk):
    law = an_emshap(attentive, energy)
    noise = law.noise(16, 0)
    for observed in S:
        clean = law.complete(X[0], observed[None], noise)
        soiled = law.complete(np.where(observed, X[0], junk), observed[None], noise)
        assert np.isfinite(clean[0]).all()
        assert soiled[0].tobytes() == clean[0].tobytes()
        if energy:
            assert np.isfinite(clean[1]).all()
            assert soiled[1].tobytes() == clean[1].tobytes()
    one, two = (law.complete(x, S[[0b0011]], noise)[0] for x in X[:2])
    assert one[..., 2:].tobytes() != two[..., 2:].tobytes()  # observed cells do change the hidden ones


def test_the_proposal_is_given_scores_zeros_where_hidden_and_the_coalition():
    calls = []

    def spy(rows, observed):
        calls.append((rows.copy(), observed.copy()))
        return flat(rows, observed)

    law = EmShap(STRETCHED, spy, None, RANK, ROWS)
    x = np.array([13.0, 2.0, 4.0, -2.0])  # scores 1, -1, .5, -1
    law.complete(x, S, law.noise(8, 0))
    law.energy(x[None], S)
    assert len(calls) == 2
    (rows, observed), (rows_too, observed_too) = calls  # completions and densities build their input alike
    assert rows.dtype == np.float32
    assert (observed == S).all()
    assert (rows[~S] == 0).all()
    assert rows[S] == pytest.approx(np.broadcast_to([1, -1, 0.5, -1], S.shape)[S], abs=1e-5)
    assert rows.tobytes() == rows_too.tobytes()
    assert observed.tobytes() == observed_too.tobytes()


@both
def test_observed_cells_stay_and_rows_do_not_mix(energy):
    law = an_emshap(attentive, energy)
    Z, log_weight = law.draw(X, S, 16, np.random.default_rng(0))
    assert Z.shape == (3, 16, 16, N)
    assert log_weight.shape == (3, 16, 16)
    kept = np.broadcast_to(S[None, :, None], Z.shape)
    assert Z[kept] == pytest.approx(np.broadcast_to(X[:, None, None], Z.shape)[kept], rel=1e-6)
    order = [2, 0, 1]
    shuffled, shuffled_weight = law.draw(X[order], S, 16, np.random.default_rng(0))
    assert shuffled.tobytes() == Z[order].tobytes()
    assert shuffled_weight.tobytes() == log_weight[order].tobytes()
    assert bool(log_weight.any()) == (energy is not None)


def test_completions_are_in_natural_units():
    Z, _ = an_emshap(flat, None, STRETCHED).draw(X[:1], S[:1], 4096, np.random.default_rng(0))
    assert Z[0, 0].mean(axis=0) == pytest.approx([3, 3, 3, 3], abs=0.2)
    assert Z[0, 0].std(axis=0) == pytest.approx([10, 1, 2, 5], rel=0.03)


def test_energies_are_tilt_minus_log_q_of_the_hidden_part():
    x = np.array([[13.0, 2.0, 4.0, -2.0], [3.0, 3.0, 3.0, 3.0]])
    z = (x - 3) / [10, 1, 2, 5]
    with_tilt = an_emshap(flat, tilt, STRETCHED).energy(x, S)
    without = an_emshap(flat, None, STRETCHED).energy(x, S)
    cov = np.full((N, N), RHO) + (1 - RHO) * np.eye(N)
    for i in range(2):
        for k, observed in enumerate(S):
            u = ~observed
            log_q = multivariate_normal(np.zeros(u.sum()), cov[np.ix_(u, u)]).logpdf(z[i, u]) if u.any() else 0.0
            assert with_tilt.log_q[i, k] == pytest.approx(log_q, abs=1e-5)
            assert without.g[i, k] == pytest.approx(-log_q, abs=1e-5)
            t = tilt(z[i : i + 1], observed[None])[0]
            assert with_tilt.g[i, k] == pytest.approx(t - log_q, abs=1e-5)
    assert without.log_q[:, -1].tolist() == [0, 0]
    assert with_tilt.mean == pytest.approx(np.zeros((2, 16, N)), abs=1e-12)
    assert with_tilt.variance == pytest.approx(np.ones((2, 16, N)), abs=1e-9)
    assert with_tilt.mean_natural == pytest.approx(np.full((2, 16, N), 3.0), abs=1e-4)


@both
def test_explanations_alone_and_in_a_batch_are_the_same_bits(energy):
    features = tuple(Feature(name) for name in "abcd")
    f = lambda Z: Z[:, 0] * Z[:, 1] + np.maximum(Z[:, 2], Z[:, 3])  # noqa: E731
    model = Model(features, f, conditional=an_emshap(attentive, energy))
    batch = explain(model, X, options=Options(samples=32))
    assert batch.status.tolist() == ["ok"] * 3
    assert np.abs(batch.values.sum(axis=1) - (batch.prediction - batch.base_value)).max() < 1e-9
    for i in range(3):
        alone = explain(model, X[i : i + 1], options=Options(samples=32))
        assert alone.values[0].tobytes() == batch.values[i].tobytes()
        assert alone.stderr[0].tobytes() == batch.stderr[i].tobytes()
    assert (batch.ess == 32).all() == (energy is None)
    soiled = explain(model, np.vstack([X, [[np.nan, 0, 0, 0]]])[[0, 1, 2]], options=Options(samples=32))
    assert soiled.values.tobytes() == batch.values.tobytes()


def test_too_few_effective_draws_count_alike_and_the_row_says_so():
    """An unbounded energy leaves a handful of draws: status low_ess, and the answer of the proposal, bit for bit."""
    features = tuple(Feature(name) for name in "abcd")
    law = an_emshap(flat, lambda z, observed: -3 * z.sum(axis=1))
    answer, plain = (
        explain(Model(features, lambda Z: Z[:, 0], conditional=c, base_value=0.0), X, options=Options(samples=64))
        for c in (law, an_emshap(flat))
    )
    assert answer.status.tolist() == ["low_ess"] * 3
    assert "of 64 completions would be effective: they count alike instead" in answer.reasons[0]
    assert (answer.ess < 6.4).all()
    assert answer.values.tobytes() == plain.values.tobytes()
    assert answer.stderr.tobytes() == plain.stderr.tobytes()
    assert plain.status.tolist() == ["ok"] * 3


def test_latent_says_the_scores_the_mixture_and_the_weights_behind_completions():
    law = an_emshap(attentive, tilt, STRETCHED)
    x, noise = np.array([13.0, 2.0, 4.0, -2.0]), law.noise(8, 0)  # scores 1, -1, .5, -1
    drawn, (Z, log_weight) = law.latent(x, S, noise), law.complete(x, S, noise)
    assert drawn.Z.tobytes() == Z.tobytes()
    assert drawn.log_weight.tobytes() == log_weight.tobytes()
    kept = np.broadcast_to(S[:, None], drawn.z.shape)
    assert (drawn.known[~S] == 0).all()
    assert drawn.known[S] == pytest.approx(np.broadcast_to([1, -1, 0.5, -1], S.shape)[S], abs=1e-5)
    assert (drawn.z[kept] == np.broadcast_to(drawn.known[:, None], drawn.z.shape)[kept]).all()
    assert drawn.z[~kept].tobytes() == drawn.q.draw(noise)[~kept].tobytes()
    assert STRETCHED.inverse(drawn.z)[~kept].tobytes() == Z[~kept].tobytes()
    assert drawn.q.mean.tobytes() == attentive(drawn.known, S).mean.tobytes()
    t = tilt(drawn.z.reshape(-1, N), np.repeat(S, 8, axis=0)).reshape(16, 8)
    assert log_weight == pytest.approx(-t, abs=1e-6)
    assert EmShap(STRETCHED, attentive, tilt, RANK, ROWS).latent(x, S, noise).log_weight is None


def test_completions_come_from_independent_points_or_from_a_net():
    plain, quasi = (EmShap(STRAIGHT, flat, None, RANK, ROWS, quasi=q) for q in (False, True))
    assert plain.noise(64, 3).tobytes() == plain_points(64, 1 + RANK + N, 3).tobytes()
    assert quasi.noise(64, 3).tobytes() == sobol_points(64, 1 + RANK + N, 3).tobytes()
    f = lambda Z: Z[:, 0] * Z[:, 1] + Z[:, 2]  # noqa: E731
    error = {}
    for law in (plain, quasi):
        found = [ConditionalGame(f, law, 256, seed, 0.0).values(X[0], S[[0]]).v[0] for seed in range(60)]
        error[law] = np.sqrt(np.mean((np.array(found) - RHO) ** 2))
    assert error[quasi] < 0.6 * error[plain]
    assert plain.held == ()
