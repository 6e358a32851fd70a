"""LIME: closed forms, calibration of its errors, Captum's."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.core.contrast import contrast
from ascribe.core.errors import BudgetError
from ascribe.core.explainers import explain
from ascribe.core.features import Feature
from ascribe.core.layout import Layout
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.perturbations import CELLS, Table, near

RNG = np.random.default_rng(1)
BACKGROUND = np.column_stack(
    [RNG.normal(2, 3, 200), RNG.normal(-1, 0.2, 200), RNG.integers(0, 3, 200), RNG.gamma(2, 1, 200), np.full(200, 7.0)]
)
FEATURES = (
    Feature("a"), Feature("b"), Feature("c", categories=("x", "y", "z")), Feature("d", low=0.0), Feature("e"),
)  # fmt: skip
SHARE = np.array([(BACKGROUND[:, 2] == k).mean() for k in range(3)])
X = np.array([[3.0, -1.2, 1.0, 0.2, 7.0], [-4.0, -0.9, 2.0, 3.0, 7.0]])


def linear(Z: np.ndarray) -> np.ndarray:
    return 1 + 2 * Z[:, 0] - 5 * Z[:, 1] + 3 * (Z[:, 2] == 1) + 0.5 * Z[:, 3]


def model_of(f=linear, background=BACKGROUND) -> Model:
    return Model(FEATURES, f, background)


def test_a_linear_model_in_closed_form():
    """value_j = w_j (x_j - mean_j); of a category, its effect times (1 - how often it is met)."""
    a = explain(model_of(), X[:1], "lime", Options(seed=3))
    mean = BACKGROUND.mean(axis=0)
    wanted = [2 * (3 - mean[0]), -5 * (-1.2 - mean[1]), 3 * (1 - SHARE[1]), 0.5 * (0.2 - mean[3]), 0.0]
    assert a.values[0] == pytest.approx(wanted, abs=1e-4)
    assert a.base_value == pytest.approx(1 + 2 * mean[0] - 5 * mean[1] + 3 * SHARE[1] + 0.5 * mean[3], abs=1e-4)
    assert a.info.gaps["efficiency_gap"] < 1e-4
    assert a.info.gaps["local_misfit"] < 1e-6
    assert a.fit == pytest.approx([1.0])
    assert a.stderr.max() < 1e-4
    assert (a.info.game, a.info.value, a.info.budget, a.info.samples) == ("local linear", "background", 4096, 0)


def test_slopes_are_local():
    """f = z0^2: the slope near x is that of the parabola at x, not at the mean."""
    a = explain(model_of(lambda Z: Z[:, 0] ** 2), np.array([[10.0, -1, 1, 1, 7]]), "lime", Options(budget=20000))
    mean = BACKGROUND[:, 0].mean()
    slope = a.values[0, 0] / (10 - mean)
    assert slope == pytest.approx(20.0, abs=4 * a.stderr[0, 0] / (10 - mean) + 0.05)
    assert 0 < a.info.gaps["local_misfit"] < 0.5
    assert a.info.gaps["efficiency_gap"] > 0.1


def test_a_group_is_the_sum_of_its_members():
    groups = {"ab": ("a", "b"), "ce": ("c", "e")}
    f = lambda Z: linear(Z) + Z[:, 0] * Z[:, 1]  # noqa: E731
    alone = explain(model_of(f), X, "lime", Options(budget=200))
    a = explain(model_of(f), X, "lime", Options(budget=200, groups=groups))
    assert a.features == ("ab", "ce", "d")
    member = np.array([[1, 1, 0, 0, 0], [0, 0, 1, 0, 1], [0, 0, 0, 1, 0]])
    assert a.values == pytest.approx(alone.values @ member.T, abs=1e-9)
    assert a.stderr[:, 2] == pytest.approx(alone.stderr[:, 3])


def rough(Z: np.ndarray) -> np.ndarray:
    return np.sin(Z[:, 0]) + Z[:, 0] * Z[:, 1] + np.exp(-Z[:, 3]) * (Z[:, 2] == 1) + 0.2 * Z[:, 3] ** 2


@pytest.mark.parametrize("budget", [60, 400])
def test_standard_errors_cover_what_another_seed_would_say(budget):
    """Over 200 seeds, the fit to very many perturbations lies within 1.96 standard errors in 90 to 99 %."""
    truth = explain(model_of(rough), X, "lime", Options(budget=400_000, seed=999)).values
    runs = [explain(model_of(rough), X, "lime", Options(budget=budget, seed=s)) for s in range(200)]
    values, stderr = np.array([r.values for r in runs])[:, :, :4], np.array([r.stderr for r in runs])[:, :, :4]
    inside = np.abs(values - truth[:, :4]) <= 1.96 * stderr
    assert 0.9 < inside.mean() < 0.99
    assert (inside.mean(axis=0) > 0.85).all()


def test_a_difference_of_rows_keeps_each_rows_own_base():
    one, two = (explain(model_of(rough), X[[i]], "lime", Options(budget=100)) for i in range(2))
    both = explain(model_of(rough), X, "lime", Options(budget=100))
    assert both.bases.tolist() == [one.base_value, two.base_value]
    assert both.base_value == pytest.approx((one.base_value + two.base_value) / 2)
    for c in (contrast(one, two), contrast(explain(model_of(rough), X[:1], "lime", Options(budget=100)), two)):
        assert c.bases == pytest.approx(np.array([two.base_value - one.base_value]))
    c = contrast(one, both)
    assert c.bases == pytest.approx(both.bases - one.base_value)
    assert c.stderr[1] == pytest.approx(np.hypot(one.stderr[0], two.stderr[0]))


def test_perturbations_are_the_law_that_is_told():
    law = Table(FEATURES, BACKGROUND)
    Z, R, apart, own = law.around(X[0], 20000, np.random.default_rng(0))
    assert Z[0] == pytest.approx(X[0])
    assert apart[0] == 0
    assert R[0] == pytest.approx(own)
    sd = BACKGROUND.std(axis=0)
    assert Z[:, :2].mean(axis=0) == pytest.approx(X[0, :2], abs=0.1)
    assert Z[:, :2].std(axis=0) == pytest.approx(sd[:2], rel=0.03)
    assert Z[:, 3].min() == 0  # what is physically impossible is not asked
    assert [(Z[:, 2] == k).mean() for k in range(3)] == pytest.approx(SHARE, abs=0.02)
    apart_by_hand = ((Z[:, [0, 1, 3]] - X[0, [0, 1, 3]]) / sd[[0, 1, 3]]) ** 2
    assert apart == pytest.approx(np.sqrt(apart_by_hand.sum(axis=1) + (Z[:, 2] != 1)))


def test_a_missing_value_is_a_value_of_its_own():
    """Features that may be missing: the row's NaN is there or not there."""
    features = (Feature("a", missing=True), Feature("b"))
    rows = np.column_stack([np.where(np.arange(100) % 4 == 0, np.nan, 1.0), np.arange(100.0)])
    f = lambda Z: 4.0 * np.isnan(Z[:, 0]) + Z[:, 1]  # noqa: E731
    a = explain(Model(features, f, rows), np.array([[np.nan, 60.0]]), "lime")
    assert a.values[0] == pytest.approx([4 * 0.75, 60 - 49.5], abs=1e-4)
    held = explain(Model(features, lambda Z: Z[:, 1], rows), np.array([[1.0, 60.0]]), "lime")
    assert held.values[0] == pytest.approx([0.0, 10.5], abs=1e-4)


def test_the_budget_and_the_target():
    with pytest.raises(BudgetError, match="at least 7 perturbations for 5 players: 6"):
        explain(model_of(), X, "lime", Options(budget=6))
    a = explain(model_of(rough), X, "lime", Options(budget=50, target_stderr=1e-6))
    assert a.status.tolist() == ["above_target"] * 2
    assert "at 50 perturbations" in a.reasons[0]
    plain = explain(model_of(rough), X, "lime")
    wanted = float(plain.stderr.max()) / 1.7
    more = explain(model_of(rough), X, "lime", Options(target_stderr=wanted))
    assert more.status.tolist() == ["ok"] * 2
    assert 4096 < more.info.budget <= 16 * 4096
    assert more.stderr.max() <= wanted


@pytest.mark.parametrize("lost", [np.nan, np.inf])
def test_a_row_without_a_number_is_not_asked_again_for_a_smaller_error(lost):
    """Where the model has no finite number near a row, more perturbations would not help: the others go on."""
    asked = []

    def f(Z: np.ndarray) -> np.ndarray:
        asked.append(len(Z))
        return np.where(Z[:, 0] > 10, lost, linear(Z))

    for options in (Options(), Options(target_stderr=1e-6)):
        assert explain(model_of(f), X[:1], "lime", options).status.tolist() == ["not_finite"]
    assert sum(asked[: len(asked) // 2]) == sum(asked[len(asked) // 2 :])
    both = explain(model_of(f), X, "lime")
    assert both.status.tolist() == ["not_finite", "ok"]
    assert np.isnan(both.values[0]).all()
    assert both.values[1].tolist() == explain(model_of(f), X[1:], "lime").values[0].tolist()


def test_the_model_is_asked_a_part_at_a_time():
    asked = []

    def f(Z):
        asked.append(Z.size)
        return Z[:, :64].mean(axis=1)

    image = Model((), f, layout=Layout("image", (64, 64, 3)))
    for method in ("lime", "occlusion", "kernel_shap", "permutation_shap"):
        explain(
            image, np.random.default_rng(0).integers(0, 255, (1, 64 * 64 * 3)), method, Options("kernel", budget=600)
        )
    assert max(asked) <= CELLS
    assert sum(asked) > 2000 * 64 * 64


def test_nearness_is_a_normal_law():
    """What is apart in two directions is as near as both say: k(sqrt(a^2 + b^2)) = k(a) k(b), and k(width) = e^-1/2."""
    a, b = np.random.default_rng(0).random((2, 20))
    assert near(np.hypot(a, b), 0.3) == pytest.approx(near(a, 0.3) * near(b, 0.3), rel=1e-12)
    assert near(np.array([0.0, 0.3]), 0.3) == pytest.approx([1, np.exp(-0.5)])


def test_captum_agrees_on_segments():
    """The same segments, law and kernel through captum.attr.LimeBase: equal within the errors of both."""
    torch = pytest.importorskip("torch")
    lime = pytest.importorskip("captum.attr")
    linear_model = pytest.importorskip("captum._utils.models.linear_model")
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.Conv2d(4, 4, 3), torch.nn.ReLU(), torch.nn.Flatten(),
        torch.nn.Linear(4 * 8 * 8, 1),
    ).eval()  # fmt: skip
    x = torch.tensor(np.random.default_rng(0).integers(0, 256, (1, 3, 12, 12)), dtype=torch.float32)
    y, z = np.mgrid[:12, :12]
    segments = y // 4 * 3 + z // 4

    def forward(rows):
        with torch.no_grad():
            return net((rows - 128) / 64)[:, 0]

    def predict(rows):
        return forward(torch.tensor(rows.reshape(-1, 12, 12, 3).transpose(0, 3, 1, 2), dtype=torch.float32)).numpy()

    model = Model((), lambda Z: predict(Z).astype(float), layout=Layout("image", (12, 12, 3)))
    row = x.numpy()[0].transpose(1, 2, 0).reshape(1, -1).astype(float)
    ours = explain(model, row, "lime", Options(segments=segments, baseline="black", budget=3000))
    mask = torch.tensor(segments)
    theirs = lime.LimeBase(
        forward,
        linear_model.SkLearnLinearRegression(),
        lambda a, b, kept, **_: torch.exp(-0.5 * ((1 - kept.float().mean().sqrt()) / 0.25) ** 2),
        lambda a, **_: (torch.rand(1, 9) < 0.5).long(),
        True,
        lambda kept, a, **_: a * kept[0][mask],
        None,
    ).attribute(x, n_samples=3000)[0].numpy()  # fmt: skip
    by_segment = np.array([ours.values[0].reshape(12, 12, 3)[segments == k].sum() for k in range(9)])
    error = np.array([ours.stderr[0].reshape(12, 12, 3)[segments == k].sum() for k in range(9)])
    apart = np.abs(by_segment - theirs) / (np.sqrt(2) * error)
    assert apart.max() < 4
    assert np.abs(by_segment).max() > 30 * error.max()
