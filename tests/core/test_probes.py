"""Probes: closed forms of linear models, torch's own attack, and searches that find what is there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

from ascribe.core.errors import CapabilityError, InputError
from ascribe.core.explainers import EXPLAINERS, explain
from ascribe.core.features import Feature
from ascribe.core.gradient import Gradient
from ascribe.core.layout import Layout
from ascribe.core.model import Model
from ascribe.core.probes import ATTACKS, attack, robustness, stability
from ascribe.core.probes.ball import Ball
from ascribe.core.probes.robustness import ball_of
from ascribe.core.probes.stability import joined

RNG = np.random.default_rng(0)
WEIGHTS = np.array([2.0, -1.0, 0.5, 3.0])
FEATURES = (Feature("a"), Feature("b"), Feature("c"), Feature("d", categories=("x", "y")))
BACKGROUND = np.column_stack([RNG.uniform(-1, 1, (200, 3)), RNG.integers(0, 2, 200)])
BACKGROUND[:2, :3] = [[-1, -1, -1], [1, 1, 1]]  # so that the scale is 2 of each
X = np.column_stack([RNG.uniform(-0.5, 0.5, (15, 3)), RNG.integers(0, 2, 15)])
SCALE = np.array([2.0, 2, 2, 0])


def linear(w=WEIGHTS, **fields):
    slope = lambda Z, rows: (Z @ w, np.tile(w, (len(Z), 1)))  # noqa: E731
    return Model(FEATURES, lambda Z: Z @ w, BACKGROUND, gradient=Gradient(slope), unit="W", **fields)


def classifier(W):
    """Margins Z @ W of three classes, with slopes."""

    def choose(output, space):
        k = max(0, ("", "p", "q", "r").index(output) - 1)
        base = linear(W[:, k])
        return replace(
            base, outputs=("p", "q", "r"), output=output, spaces=("margin",), space="margin", select=choose,
            scores=lambda Z: Z @ W,
        )  # fmt: skip

    return choose("", "margin")


@pytest.mark.parametrize("method", ATTACKS)
@pytest.mark.parametrize(
    ("norm", "size"), [("linf", np.abs(WEIGHTS[:3] * 2).sum()), ("l2", np.linalg.norm(WEIGHTS[:3] * 2))]
)
@pytest.mark.parametrize("epsilon", [0.0, 0.01, 0.1])
@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_a_linear_model_moves_by_the_dual_norm(method, norm, size, epsilon, sign):
    model = linear()
    Z = attack(model, X, ball_of(model, X, norm, epsilon), method, sign)
    assert pytest.approx(np.full(15, sign * epsilon * size), abs=1e-12) == Z @ WEIGHTS - X @ WEIGHTS
    assert (Z[:, 3] == X[:, 3]).all()  # categories stay


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_rows_stay_in_the_ball_and_between_the_ends(norm):
    features = (Feature("a", low=-0.1, high=0.1), *FEATURES[1:])
    model = replace(linear(), features=features)
    inside = np.clip(X, -0.1, None)
    inside[:, 0] = np.clip(inside[:, 0], -0.1, 0.1)
    ball = ball_of(model, inside, norm, 0.2)
    for Z in (
        attack(model, inside, ball, "pgd"),
        attack(model, inside, ball, "fgsm"),
        ball.drawn(inside, np.random.default_rng(1)),
    ):
        assert (ball.length(inside, Z) <= 0.2 + 1e-12).all()
        assert (np.abs(Z[:, 0]) <= 0.1).all()
        assert (Z[:, 3] == inside[:, 3]).all()
    assert ball.length(inside, ball.drawn(inside, np.random.default_rng(2))).max() > 0.1


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_random_rows_are_uniform_in_the_ball(norm):
    """In k dimensions the share of the volume within a row's length, (length / epsilon)^k, is uniform on 0 ... 1."""
    centre = np.zeros((2000, 4))
    ball = ball_of(linear(), centre, norm, 0.2)
    Z = ball.drawn(centre, np.random.default_rng(0))
    assert kstest((ball.length(centre, Z) / 0.2) ** 3, "uniform").pvalue > 0.01
    assert np.abs(Z.mean(axis=0)).max() < 0.4 * 4 / np.sqrt(2000)  # to all sides alike


def test_accuracy_falls_where_the_margin_says():
    """A row of a linear classifier falls at epsilon = margin / (2 |w_own - w_rival|_1), its nearest rival first."""
    W = np.array([[1.0, -1, 0.2], [0.3, 0.1, -2], [0, 0.5, 0.5], [0, 0, 0]])
    model = classifier(W)
    scores = X @ W
    own = scores.argmax(axis=1)
    gaps = np.array([[np.inf if k == o else (s[o] - s[k]) / np.abs(SCALE * (W[:, o] - W[:, k])).sum() for k in range(3)]
                     for s, o in zip(scores, own, strict=True)])  # fmt: skip
    nearest = np.array([np.partition(np.delete(s, o), -1)[-1] for s, o in zip(scores, own, strict=True)])
    rival = np.array([int(np.flatnonzero(s == n)[0]) for s, n in zip(scores, nearest, strict=True)])
    falls = gaps[np.arange(15), rival]
    epsilons = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
    for method in ATTACKS:
        found = robustness(model, X, epsilons, method)
        exact = np.array([(falls > e).mean() for e in epsilons])  # towards the nearest rival, or any beside it
        reached = np.array([(gaps.min(axis=1) > e).mean() for e in epsilons])
        assert ((found.accuracy <= exact + 1e-12) & (found.accuracy >= reached - 1e-12)).all()
        assert found.accuracy[0] == 1 and found.accuracy[-1] < 0.5
        assert (np.diff(found.accuracy) <= 0).all()
        assert found.rows.shape == (6, 15, 4)
    wrong = [model.outputs[(k + 1) % 3] for k in own]
    assert robustness(model, X, (0.0,), labels=wrong).accuracy[0] == 0
    half = [model.outputs[(k + (i < 3)) % 3] for i, k in enumerate(own)]
    assert robustness(model, X, (0.0,), labels=half).accuracy[0] == pytest.approx(12 / 15)


def test_a_quantity_is_moved_in_its_unit():
    found = robustness(linear(), X, (0.0, 0.05), "fgsm")
    assert found.accuracy is None and found.held is None
    assert found.moved == pytest.approx([0, 0.05 * 7])
    assert (found.unit, found.labelled) == ("W", False)


def network():
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)).double()

    def slope(Z, rows):
        z = torch.tensor(Z, requires_grad=True)
        f = net(z)[:, 0]
        return f.detach().numpy(), torch.autograd.grad(f.sum(), z)[0].numpy()

    model = replace(linear(), predict=lambda Z: net(torch.tensor(Z))[:, 0].detach().numpy(), gradient=Gradient(slope))
    return torch, net, model


@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_pgd_is_that_of_torch(norm):
    """The same steps with torch's own numbers; one start, and the last row of theirs is no better than our best."""
    torch, net, model = network()
    ball = ball_of(model, X, norm, 0.1)
    ours = attack(model, X, ball, "pgd", 1.0, steps=10, starts=1)
    x, scale = torch.tensor(X), torch.tensor(SCALE)
    z, best = x.clone(), torch.full((15,), -torch.inf, dtype=torch.double)
    for _ in range(10):
        z.requires_grad_(True)
        f = net(z)[:, 0]
        best = torch.maximum(best, f.detach())
        g = torch.autograd.grad(f.sum(), z)[0] * scale
        way = g.sign() if norm == "linf" else g / g.norm(dim=1, keepdim=True)
        d = (z.detach() + 0.025 * way * scale - x)[:, :3] / 2
        d = d.clamp(-0.1, 0.1) if norm == "linf" else d * (0.1 / d.norm(dim=1, keepdim=True)).clamp(max=1)
        z = torch.cat([x[:, :3] + 2 * d, x[:, 3:]], dim=1)
    best = torch.maximum(best, net(z)[:, 0].detach())
    assert model.predict(ours) == pytest.approx(best.numpy(), abs=1e-9)
    one = attack(model, X, ball, "fgsm", 1.0)
    many = attack(model, X, ball, "pgd", 1.0, starts=4)
    assert (model.predict(many) >= model.predict(one) - 1e-9).all()
    drawn = np.max([model.predict(ball.drawn(X, np.random.default_rng(k))) for k in range(200)], axis=0)
    assert (model.predict(many) >= drawn).all()


def test_an_explanation_that_is_stable_is_found_stable_and_a_wild_one_wild(monkeypatch):
    model = linear()
    calm = stability(model, X, "kernel_shap", epsilon=0.02, delta=np.inf)
    own = explain(model, X, "kernel_shap").values
    most = 0.02 * np.linalg.norm(2 * WEIGHTS[:3]) / np.linalg.norm(own, axis=1)  # |w (z - x)| at a corner
    assert (calm.moved <= most + 1e-9).all() and (calm.moved > 0.5 * most).all()
    assert (calm.lipschitz <= np.linalg.norm(2 * WEIGHTS[:3]) + 1e-9).all()
    row = EXPLAINERS["occlusion"]

    def wild(model, rows, options, step):
        a = row.answer(model, rows, options, step)
        return replace(a, values=a.values * (1 + np.sign(np.sin(1e4 * rows[:, :1]))))

    monkeypatch.setitem(EXPLAINERS, "occlusion", replace(row, answer=wild))
    jumps = stability(model, X[:5], "occlusion", epsilon=0.02, delta=np.inf)
    held = np.isfinite(jumps.moved)
    assert (jumps.moved[held] > 0.9).all()
    assert jumps.moved[held].min() > 5 * calm.moved[:5][held].max()


def test_changing_the_best_again_finds_more_than_as_many_rows_drawn_anew(monkeypatch):
    """Of an explanation that is the same but near one point inside the ball, towards which it grows."""
    w = np.ones(6)
    model = replace(linear(w), features=tuple(Feature(name) for name in "abcdef"), background=np.vstack([0 * w, w]))
    rows, row = np.random.default_rng(0).uniform(0.3, 0.6, (30, 6)), EXPLAINERS["occlusion"]

    def peaked(model, X, options, step):
        a = row.answer(model, X, options, step)
        nearest = rows[np.abs(X[:, None] - rows).max(axis=2).argmin(axis=1)]
        away = np.linalg.norm((X - nearest) / 0.02 - 0.5, axis=1)  # 0 at the row + 0.5 epsilon
        return replace(a, values=np.tile(w, (len(X), 1)) * (1 + 10 * np.maximum(1.2 - away, 0))[:, None])

    monkeypatch.setitem(EXPLAINERS, "occlusion", replace(row, answer=peaked))
    again, anew = (
        stability(model, rows, "occlusion", epsilon=0.02, delta=np.inf, rounds=rounds, draws=96 // rounds).moved
        for rounds in (6, 1)
    )
    assert again.mean() > 1.1 * anew.mean()
    assert (again > anew).mean() > 0.6


def test_the_prediction_stays_within_delta():
    model = linear()
    found = stability(model, X, "kernel_shap", epsilon=0.1, delta=0.02)
    assert (np.abs(found.change) <= 0.02).all()
    assert found.change == pytest.approx(model.predict(found.rows) - model.predict(X))
    assert (ball_of(model, X, "linf", 0.1).length(X, found.rows) <= 0.1 + 1e-12).all()
    free = stability(model, X, "kernel_shap", epsilon=0.1, delta=np.inf)
    assert free.moved.mean() > found.moved.mean()
    own = stability(model, X, "kernel_shap", epsilon=0.1, rounds=1)
    assert own.delta == pytest.approx(0.05 * np.std(BACKGROUND @ WEIGHTS))


def test_nothing_passes_for_stable_because_it_could_not_move():
    model = linear()
    for changes, told in (({"background": None}, {}), ({"background": BACKGROUND[:1]}, {})):
        with pytest.raises(InputError, match="not known from one row: give delta"):
            stability(replace(model, **changes), X[:1], "saliency", **told)
    fixed = replace(model, features=tuple(Feature(f.name, categories=("a", "b")) for f in model.features))
    with pytest.raises(InputError, match="no column of these rows has a range to move in"):
        stability(fixed, X, "saliency", delta=1.0)
    for delta in (-1.0, np.nan):
        with pytest.raises(InputError, match="how far the prediction may move, 0 or more"):
            stability(model, X, "saliency", delta=delta)
    parts = [stability(model, X[:2], "saliency", delta=delta, rounds=1) for delta in (0.1, 0.3)]
    assert joined(parts).delta == 0.3


def test_what_cannot_be_probed():
    bare = replace(linear(), gradient=None)
    with pytest.raises(CapabilityError, match="attacks need gradient"):
        attack(bare, X, ball_of(bare, X, "linf", 0.1))
    text = replace(linear(), layout=Layout("text", (4,), words=("", "a")))
    with pytest.raises(CapabilityError, match="no small change"):
        attack(text, X, Ball("linf", 0.1, SCALE, -SCALE, SCALE))
    with pytest.raises(CapabilityError, match="no small change"):
        stability(text, X, "lime")
    with pytest.raises(InputError, match="no norm 'l1'"):
        ball_of(bare, X, "l1", 0.1)
    with pytest.raises(InputError, match="epsilon is a size"):
        ball_of(bare, X, "l2", -1.0)
    with pytest.raises(InputError, match="no attack 'cw'"):
        attack(linear(), X, ball_of(bare, X, "l2", 1.0), "cw")
    with pytest.raises(InputError, match="sizes that grow"):
        robustness(linear(), X, (0.1, 0.0))
    with pytest.raises(InputError, match="labels are of classes"):
        robustness(linear(), X, labels=["p"] * 15)
    with pytest.raises(InputError, match="'z' is no class"):
        robustness(classifier(np.ones((4, 3))), X, labels=["z"] * 15)
    with pytest.raises(InputError, match="no row can be probed"):
        robustness(linear(), np.full((2, 4), np.nan))
