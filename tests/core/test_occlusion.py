"""Occlusion: closed forms, and Captum's on the same windows."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.errors import InputError
from ascribe.core.explainers import explain
from ascribe.core.features import Feature
from ascribe.core.layout import Layout
from ascribe.core.model import Model
from ascribe.core.options import Options, Patch
from ascribe.core.rows_of import cut, joined

FEATURES = (Feature("a"), Feature("b"), Feature("c", categories=("x", "y")))
BACKGROUND = np.array([[1.0, 2, 0], [3, 4, 1], [5, 9, 1]])
WEIGHTS = np.array([2.0, -1.0, 4.0])
LINEAR = Model(FEATURES, lambda Z: 1 + Z @ WEIGHTS, BACKGROUND)
X = np.array([[2.0, 2.0, 0.0], [-1.0, 0.5, 1.0]])


def test_a_linear_model_in_closed_form():
    """w_j (x_j - b_j), b the mean, and of categories the most common."""
    a = explain(LINEAR, X, "occlusion")
    b = np.array([3.0, 5.0, 1.0])
    assert a.values == pytest.approx(WEIGHTS * (X - b))
    assert a.base_value == pytest.approx(1 + b @ WEIGHTS)
    assert a.info.gaps["efficiency_gap"] < 1e-12
    assert (a.stderr == 0).all()
    assert (a.info.game, a.info.estimator, a.info.budget) == ("occlusion", "windows", 5)
    given = explain(LINEAR, X, "occlusion", Options(baseline=np.array([1.0, 0, 0])))
    assert given.values == pytest.approx(WEIGHTS * (X - [1, 0, 0]))


def test_groups_are_hidden_whole():
    model = Model(FEATURES, lambda Z: Z[:, 0] * Z[:, 1] + Z[:, 2], BACKGROUND)
    a = explain(model, X, "occlusion", Options(baseline="zero", groups={"ab": ("a", "b")}))
    assert a.features == ("ab", "c")
    assert a.values == pytest.approx(np.column_stack([X[:, 0] * X[:, 1], X[:, 2]]))
    assert a.info.gaps["efficiency_gap"] < 1e-12
    single = explain(model, X, "occlusion", Options(baseline="zero"))
    assert single.values[0] == pytest.approx([4.0, 4.0, 0.0])  # each has the whole product
    assert single.info.gaps["efficiency_gap"] == pytest.approx(4.0)


def test_windows_over_columns():
    a = explain(LINEAR, X[:1], "occlusion", Options(baseline="zero", patch=Patch(2, 1)))
    part = WEIGHTS * X[0]
    pairs = [part[0] + part[1], part[1] + part[2]]
    assert a.values[0] == pytest.approx([pairs[0], np.mean(pairs), pairs[1]])


def test_falls_are_no_shares_and_their_gap_tells_how_far_they_are_from_it():
    """Each of three factors has the whole product."""
    model = Model((*FEATURES[:2], Feature("d")), lambda Z: Z.prod(axis=1), np.zeros((1, 3)))
    a = explain(model, np.array([[2.0, 3.0, 4.0]]), "occlusion", Options(baseline=np.ones(3)))
    assert a.values.tolist() == [[12.0, 16.0, 18.0]]
    assert (a.prediction[0] - a.base_value, a.info.gaps["efficiency_gap"]) == (23.0, 23.0)
    assert not a.additive


def test_rows_joined_keep_a_base_of_their_own():
    model = Model((), lambda Z: Z.sum(axis=1), layout=Layout("image", (6, 6, 1)))
    rows = np.random.default_rng(0).integers(0, 256, (2, 36)).astype(float)
    whole = explain(model, rows, "occlusion", Options(baseline="blur"))
    again = joined([cut(whole, 0, 1), cut(whole, 1, 2)])
    assert whole.bases[0] != whole.bases[1]
    assert again.bases.tolist() == whole.bases.tolist()


def test_what_cannot_be_is_refused():
    for patch in (Patch(0, 1), Patch(2, 3), Patch(2, 0), Patch(-1, -2)):
        with pytest.raises(InputError, match="a stride is at least 1 and at most the window"):
            explain(LINEAR, X, "occlusion", Options(patch=patch))
    with pytest.raises(InputError, match="one or the other"):
        explain(LINEAR, X, "occlusion", Options(patch=Patch(2, 1), groups={"ab": ("a", "b")}))


def test_one_of_two_that_would_do_is_worth_nothing():
    either = Model(FEATURES, lambda Z: (Z[:, 0] + Z[:, 1] > 0).astype(float), BACKGROUND)
    a = explain(either, np.array([[1.0, 1.0, 0.0]]), "occlusion", Options(baseline="zero"))
    assert a.values[0].tolist() == [0, 0, 0]
    assert a.info.gaps["efficiency_gap"] == 1.0


@pytest.mark.parametrize(("window", "stride"), [(3, 3), (4, 2), (5, 3), (1, 1), (20, 7)], ids=str)
def test_captum_agrees_on_images(window, stride):
    torch = pytest.importorskip("torch")
    captum = pytest.importorskip("captum.attr")
    torch.manual_seed(1)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 5, 3), torch.nn.Tanh(), torch.nn.Flatten(), torch.nn.Linear(5 * 8 * 9, 1)
    ).double()
    x = torch.tensor(np.random.default_rng(2).integers(0, 256, (2, 3, 10, 11)), dtype=torch.float64)

    def forward(rows):
        with torch.no_grad():
            return net(rows / 128 - 1)[:, 0]

    def predict(rows):
        return forward(torch.tensor(rows.reshape(-1, 10, 11, 3).transpose(0, 3, 1, 2))).numpy()

    model = Model((), predict, layout=Layout("image", (10, 11, 3)))
    rows = x.numpy().transpose(0, 2, 3, 1).reshape(2, -1)
    ours = explain(model, rows, "occlusion", Options(patch=Patch(window, stride), baseline="grey"))
    high, wide = min(window, 10), min(window, 11)  # Captum takes no window larger than the side
    theirs = captum.Occlusion(forward).attribute(
        x, (3, high, wide), strides=(3, min(stride, high), min(stride, wide)), baselines=127.5
    )
    assert ours.values == pytest.approx(
        theirs.numpy().transpose(0, 2, 3, 1).reshape(2, -1), abs=1e-6
    )  # Captum gathers in single precision


@pytest.mark.parametrize(("window", "stride"), [(1, 1), (2, 1), (3, 2)], ids=str)
def test_captum_agrees_on_words(window, stride):
    torch = pytest.importorskip("torch")
    captum = pytest.importorskip("captum.attr")
    worth = np.random.default_rng(3).standard_normal(20)
    layout = Layout("text", (9,), 0, tuple(f"w{k}" for k in range(20)))

    def predict(rows):
        held = worth[rows.astype(int)] * (rows != 0)
        return np.tanh(held.sum(axis=1)) + held[:, 0] * held[:, 1]

    x = np.random.default_rng(4).integers(1, 20, (2, 9)).astype(float)
    ours = explain(Model((), predict, layout=layout), x, "occlusion", Options(patch=Patch(window, stride)))
    theirs = captum.Occlusion(lambda rows: torch.tensor(predict(rows.numpy()))).attribute(
        torch.tensor(x), (window,), strides=(stride,), baselines=0
    )
    assert ours.values == pytest.approx(theirs.numpy(), abs=1e-6)  # Captum gathers in single precision
