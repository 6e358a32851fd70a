"""Windows of a series: their columns, players by day, references by calendar, attention to parts of them."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from ascribe.core.attention import matrices, over_steps
from ascribe.core.attribution import Attribution
from ascribe.core.days import by_player, days_of, grid_of, named, owners
from ascribe.core.errors import CapabilityError, InputError, NotFound
from ascribe.core.explainers import available, explain
from ascribe.core.faithfulness.attended import attention_check
from ascribe.core.forecast.outputs import names, of_steps, unit_of
from ascribe.core.gradient import Gradient
from ascribe.core.inside import Attention, Parts
from ascribe.core.layout import Layout
from ascribe.core.matched import CLOCK, matched, usual_baseline
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.sentences import say
from ascribe.core.spending import players

DAY, CONTEXT = 4, 10
INPUTS = ("value", *CLOCK)
LAYOUT = Layout("series", (CONTEXT, len(INPUTS)), words=INPUTS, step_s=21600, day=DAY)
WEIGHT = np.random.default_rng(3).standard_normal(LAYOUT.n)


def windows(count: int, seed: int = 0) -> np.ndarray:
    """Values at random; each window ends at another quarter of a day of the week."""
    rng = np.random.default_rng(seed)
    X = np.empty((count, CONTEXT, len(INPUTS)))
    for i in range(count):
        at = np.arange(CONTEXT) + rng.integers(0, 7 * DAY)
        minute, weekday = 2 * np.pi * (at % DAY) / DAY, 2 * np.pi * (at // DAY % 7) / 7
        X[i] = np.stack(
            [rng.standard_normal(CONTEXT), np.sin(minute), np.cos(minute), np.sin(weekday), np.cos(weekday)], 1
        )
    return X.reshape(count, -1)


BACKGROUND = windows(40, 1)


def linear() -> Model:
    return Model(
        (), predict=lambda X: X @ WEIGHT, background=BACKGROUND, layout=LAYOUT, output="mean", unit="Gb/s",
        gradient=Gradient(lambda Z, X: (Z @ WEIGHT, np.tile(WEIGHT, (len(Z), 1)))),
    )  # fmt: skip


def looking(key: int, layers: tuple[str, ...] = ("days", "steps")) -> Attention:
    """Two layers: parts of a day each, and one of single steps, which look at one key alone."""
    days = Parts(("all",), ("old", "middle", "new"), np.array([[0, 2], [2, 6], [6, 10]]))
    steps = Parts(("a", "b"), tuple(map(str, range(CONTEXT))), np.array([[k, k + 1] for k in range(CONTEXT)]))

    def weights(X: np.ndarray) -> list[np.ndarray]:
        one, two = np.full((len(X), 2, 1, 3), 0.05), np.full((len(X), 1, 2, CONTEXT), 0.01)
        one[:, :, :, key], two[:, :, :, 3 * key] = 0.9, 1 - 0.01 * (CONTEXT - 1)
        return [one, two][: len(layers)]

    parts = {"days": days, "steps": steps}
    return Attention(weights, layers, 0, {name: parts[name] for name in layers})


def test_columns_are_named_by_input_and_time_before_the_forecast():
    columns = LAYOUT.names(())
    assert columns[:2] == ("value @ -2 d 12:00", "minute_sin @ -2 d 12:00")
    assert columns[-1] == "weekday_cos @ -06:00"
    assert Layout("series", (3, 1)).names(()) == ("input 0 @ step -3", "input 0 @ step -2", "input 0 @ step -1")


def test_a_window_that_is_not_finite_is_invalid_and_the_others_are_not():
    X = windows(3)
    X[1, 7] = np.nan
    status, reasons = LAYOUT.check((), X)
    assert status.tolist() == ["ok", "invalid", "ok"]
    assert reasons[1] == "minute_cos @ -2 d 06:00 is no finite number: fill the window first"


def test_days_are_counted_back_from_the_end():
    assert days_of(LAYOUT).tolist() == [3, 3, 2, 2, 2, 2, 1, 1, 1, 1]
    assert (
        len(named(LAYOUT)) == 15
        and named(LAYOUT)[0] == "value, 3 days ago"
        and named(LAYOUT)[-1] == "weekday_cos, 1 day ago"
    )
    by_hand = [(3 - day) * 5 + i for day in days_of(LAYOUT) for i in range(5)]
    assert owners(LAYOUT).tolist() == by_hand
    assert players(linear(), Options()) == 15


def test_values_of_players_are_sums_and_keep_the_prediction():
    X = windows(2)
    a = explain(linear(), X, "integrated_gradients")
    folded = by_player(a)
    assert folded.features == named(LAYOUT) and folded.layout is None
    assert folded.values.sum(axis=1) + folded.bases == pytest.approx(folded.prediction)
    grid = grid_of(LAYOUT, folded.values)
    mine = a.values.reshape(2, CONTEXT, 5)
    assert grid[:, 2, 1] == pytest.approx(mine[:, 6:, 1].sum(axis=1))
    assert by_player(folded) is folded
    assert "value, 1 day ago" in say(a, 0) or "others together" in say(a, 0)


@pytest.mark.parametrize("method", ["kernel_shap", "permutation_shap"])
def test_shapley_of_a_sum_is_each_players_own_difference(method):
    """Closed form: phi of a player = w . (x - mean of the references) over its columns."""
    X = windows(2, 5)
    a = by_player(explain(linear(), X, method, Options(samples=40)))
    moved = (X - BACKGROUND.mean(axis=0)) * WEIGHT
    told = np.array([np.bincount(owners(LAYOUT), row) for row in moved])
    assert a.values == pytest.approx(told, abs=1e-9)
    assert a.info.game == "marginal" and a.info.samples == 40


def test_fewer_background_windows_stand_for_what_is_absent_where_so_many_are_wanted():
    a = explain(linear(), windows(1), "kernel_shap", Options(samples=7))
    assert a.info.samples == 7


def test_the_calendar_game_against_all_orders():
    """Brute force over 6 orders of 3 segments, with the windows that a loop finds nearest on the calendar."""
    x = windows(1, 9)[0]
    segments = np.repeat(3 - days_of(LAYOUT), 5)
    curved = replace(linear(), predict=lambda X: np.tanh(X @ WEIGHT / 4) + (X @ WEIGHT) ** 2 / 50)
    end = [LAYOUT.n - 4 + k for k in range(4)]
    far = [sum((row[j] - x[j]) ** 2 for j in end) for row in BACKGROUND]
    near = [BACKGROUND[i] for i in sorted(range(40), key=lambda i: (round(far[i], 12), i))[:8]]

    def value(present: set[int]) -> float:
        rows = np.array([np.where(np.isin(segments, list(present)), x, r) for r in near])
        return float(curved.predict(rows).mean())

    phi = np.zeros(3)
    for order in permutations(range(3)):
        for k, j in enumerate(order):
            phi[j] += (value(set(order[: k + 1])) - value(set(order[:k]))) / 6
    a = explain(curved, x[None], "kernel_shap", Options(baseline="calendar", segments=segments))
    found = np.bincount(segments, a.values[0])
    assert found == pytest.approx(phi, abs=1e-9)
    assert a.info.game == "calendar" and a.info.samples == 8 and a.base_value == pytest.approx(value(set()))
    assert matched(curved, x) == pytest.approx(np.array(near))


def test_the_calendar_needs_a_clock_among_the_inputs():
    bare = replace(linear(), layout=replace(LAYOUT, words=("value", "a", "b", "c", "d")))
    assert usual_baseline(linear()) == "calendar" and usual_baseline(bare) is None
    with pytest.raises(
        CapabilityError, match="baseline 'calendar' needs background windows with the inputs minute_sin"
    ):
        explain(bare, windows(1), "integrated_gradients", Options(baseline="calendar"))
    with pytest.raises(InputError, match="no baseline 'grey' of a model of a series: use zero, mean, calendar"):
        explain(linear(), windows(1), "integrated_gradients", Options(baseline="grey"))


def test_every_method_that_makes_sense_lists_itself_and_answers():
    model = replace(linear(), attention=looking(1))
    assert set(available(model)) == {
        "kernel_shap", "permutation_shap", "lime", "occlusion", "integrated_gradients", "expected_gradients",
        "smooth_grad", "saliency", "input_x_gradient", "attention",
    }  # fmt: skip
    for method in available(model):
        a = explain(model, windows(2), method)
        assert isinstance(a, Attribution) and np.isfinite(a.values).all() and a.values.shape == (2, LAYOUT.n), method


def test_occlusion_hides_an_input_of_a_day():
    x = windows(1, 4)
    a = by_player(explain(linear(), x, "occlusion"))
    moved = (x[0] - BACKGROUND.mean(axis=0)) * WEIGHT
    assert a.values[0] == pytest.approx(np.bincount(owners(LAYOUT), moved))


def test_attention_to_parts_lies_evenly_on_their_columns():
    model, X = replace(linear(), attention=looking(2)), windows(3)
    held = model.attention
    assert held is not None
    found = over_steps(held, held.weights(X), LAYOUT, "days").reshape(3, CONTEXT, 5)
    by_hand = np.array([0.05 / 2] * 2 + [0.05 / 4] * 4 + [0.9 / 4] * 4)
    assert found == pytest.approx(np.broadcast_to(by_hand[None, :, None] / 5, found.shape))
    both = over_steps(held, held.weights(X), LAYOUT, "")
    assert both == pytest.approx((found.reshape(3, -1) + over_steps(held, held.weights(X), LAYOUT, "steps")) / 2)
    assert both.sum(axis=1) == pytest.approx(np.ones(3))
    told = matrices(model, X)
    assert told.rollout is None and told.names == ("old", "middle", "new") and told.parts["steps"].query == ("a", "b")
    with pytest.raises(NotFound, match="no layer"):
        explain(model, X, "attention", Options(layer="nights"))


def test_attention_that_misleads_is_told_so():
    """The forecast follows the middle day; attention looks at the newest one."""
    follows = np.where(np.repeat(days_of(LAYOUT), 5) == 2, 1.0, 0.01) * np.tile([1.0, 0, 0, 0, 0], CONTEXT)
    honest, misled = (
        replace(
            linear(), predict=lambda X: X @ follows, attention=looking(key, ("days",)),
            gradient=Gradient(lambda Z, X: (Z @ follows, np.tile(follows, (len(Z), 1)))),
        )
        for key in (1, 2)
    )  # fmt: skip
    X = windows(6, 11)
    for model, good in ((honest, True), (misled, False)):
        found = attention_check(model, X, options=Options(baseline="mean", budget=60))
        by = {h.method: h for h in found.held}
        assert list(by) == ["attention", "integrated_gradients", "kernel_shap", "random"]
        assert by["attention"].weight.sum(axis=1) == pytest.approx(np.ones(6))
        assert by["integrated_gradients"].same == (1.0 if good else 0.0)
        assert (by["attention"].first.mean > by["random"].first.mean) == good
        assert (by["integrated_gradients"].area.mean > by["attention"].area.mean + 0.1) != good
        whole = np.abs(X @ follows - BACKGROUND.mean(axis=0) @ follows).mean()
        assert all(h.removal[-1] == pytest.approx(whole) for h in found.held)
        told = found.to_json()
        assert told["days"] == ["3 days ago", "2 days ago", "1 day ago"] and told["methods"]["random"]["rank"] is None
        assert len(told["methods"]["attention"]["weight"]) == 3
        assert sum(told["methods"]["attention"]["weight"]) == pytest.approx(1)
    with pytest.raises(CapabilityError, match="shows no attention to the days of a window"):
        attention_check(linear(), X)


def test_what_of_a_forecast_can_be_named():
    y = np.random.default_rng(4).standard_normal((4, 3))
    assert of_steps(y) == pytest.approx(np.column_stack([y.mean(1), y.max(1), y.sum(1), y]))
    assert names(3) == ("mean", "peak", "total", "step 1", "step 2", "step 3")
    assert unit_of("total", "", 3) == "summed over 3 steps"
