"""Tiers of latency: who is offered which, what a wish turns into, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ascribe.core import tiers
from ascribe.core.amortized import Amortized
from ascribe.core.compiled import Compiled
from ascribe.core.conditional import Gaussian
from ascribe.core.errors import BudgetError, CapabilityError, InputError
from ascribe.core.explainers import usual
from ascribe.core.features import Feature
from ascribe.core.latency import Measured
from ascribe.core.model import Model
from ascribe.core.options import Options
from ascribe.core.tiers import ACCURATE_BUDGET, ACCURATE_SAMPLES, TIERS, explain, named, offered, wished, within

CENTRE = 3.0


def predict(X: np.ndarray) -> np.ndarray:
    return CENTRE + X @ np.arange(1.0, X.shape[1] + 1) + X[:, 0] * X[:, -1]


def graph(error: float, calls: list[str] | None = None, name: str = "") -> Callable[[np.ndarray], dict]:
    def run(X: np.ndarray) -> dict[str, np.ndarray]:
        if calls is not None:
            calls.append(name)
        f = predict(X.astype(float)).astype(np.float32)
        phi = np.repeat((f - np.float32(CENTRE))[:, None] / X.shape[1], X.shape[1], axis=1)
        return {"prediction": f, "attribution": phi, "stderr": error + 0 * phi, "ess": 1 + 0 * f}

    return run


def compiled(**error: float) -> dict[str, Compiled]:
    return {name: Compiled(graph(e), CENTRE, "surrogate", "learnt", 66, 0, 0, {}) for name, e in error.items()}


def a_model(n: int = 4, **changes: object) -> Model:
    X = np.random.default_rng(0).standard_normal((60, n))
    features = tuple(Feature(f"x{j}") for j in range(n))
    held = Model(features, predict, X, Gaussian(np.zeros(n), np.eye(n), X), base_value=CENTRE)
    return replace(held, **changes)


def one_pass(n: int) -> Amortized:
    return Amortized(lambda X: np.zeros(X.shape, np.float32), CENTRE, np.full(n, 0.2), 0.5)


ROWS = np.random.default_rng(1).standard_normal((3, 4))


def test_the_tiers_by_name():
    assert TIERS == ("fast", "balanced", "accurate", "exact")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ("accurate", "exact")),
        ({"compiled": compiled(balanced=0.1)}, ("balanced", "accurate", "exact")),
        ({"compiled": compiled(fast=0.1)}, ("fast", "accurate", "exact")),
        ({"compiled": compiled(balanced=0.1, fast=0.2, accurate=0.05)}, TIERS),
        ({"amortized": one_pass(4)}, ("fast", "accurate", "exact")),
        ({"amortized": one_pass(4), "predict": None}, ()),
        ({"conditional": None}, ()),
        ({"conditional": None, "compiled": compiled(balanced=0.1)}, ("balanced",)),
        ({"n": 14}, ("accurate", "exact")),
        ({"n": 15}, ("accurate",)),
    ],
)
def test_a_model_offers_what_it_can_answer_fastest_first(changes, told):
    assert offered(a_model(**changes)) == told


def test_a_wish_becomes_a_method_and_options():
    model = a_model(compiled=compiled(fast=0.2, balanced=0.1))
    mine = Options("kernel", 40, 8, seed=6, target_stderr=0.4)
    assert wished(model, "fast", mine) == ("compiled_shap", replace(mine, tier="fast"))
    assert wished(model, "balanced", mine) == ("compiled_shap", replace(mine, tier="balanced"))
    method, options = wished(model, "accurate", mine)
    assert (method, options.budget, options.samples, options.seed) == ("conditional_shap", 40, ACCURATE_SAMPLES, 6)
    method, options = wished(model, "exact", mine)
    assert (method, options.estimator, options.budget, options.samples) == ("conditional_shap", "exact", None, 8)
    assert options.tier == "exact"
    assert wished(a_model(amortized=one_pass(4)), "fast", mine)[0] == "amortized_shap"


def test_accurate_spends_more_and_lets_an_error_decide_where_one_is_named():
    assert wished(a_model(), "accurate", Options(samples=4))[1].budget == ACCURATE_BUDGET
    assert wished(a_model(), "accurate", Options(samples=500))[1].samples == 500
    assert wished(a_model(64), "accurate", Options())[1].budget == 32 * 64
    assert wished(a_model(64), "accurate", Options(target_stderr=0.1))[1].budget is None
    assert wished(a_model(64), "accurate", Options(budget=200, target_stderr=0.1))[1].budget == 200


def test_an_answer_of_accurate_says_what_the_tier_promises():
    """1,024 coalitions of 32 completions: what callers keep beside their numbers, to ask for them again."""
    rows = np.random.default_rng(2).standard_normal((1, 11))
    told = explain(a_model(11), rows, "kernel_shap", Options(samples=8), tier="accurate").info
    assert (told.tier, told.budget, told.samples) == ("accurate", 1024, 32)


def test_an_unknown_tier_is_told_the_known_ones():
    for tier in ("quick", "Fast", " "):
        with pytest.raises(InputError, match=f"unknown tier '{tier}': use one of fast, balanced, accurate, exact"):
            explain(a_model(), ROWS, "conditional_shap", Options(), tier=tier)


def test_exact_beyond_fourteen_players_names_what_to_ask_instead():
    with pytest.raises(BudgetError, match=r"exact needs 2\^15 coalitions, the limit is 14 players") as caught:
        wished(a_model(15), "exact", Options())
    for word in ("accurate", "target_stderr", "groups"):
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("tier", "how"),
    [("fast", "train it with its one-pass explainer"), ("balanced", "run `ascribe compile` on the bundle")],
)
def test_a_tier_that_the_model_lacks_is_told_how_to_get_it(tier, how):
    with pytest.raises(CapabilityError, match=rf"no tier '{tier}' \(accurate, exact\): {how}"):
        wished(a_model(), tier, Options())
    with pytest.raises(CapabilityError, match=r"no tier 'accurate' \(none\): train it with `ascribe train`"):
        wished(a_model(conditional=None), "accurate", Options())


def test_groups_make_exact_possible_where_features_are_too_many():
    model = a_model(20)
    groups = {"most": tuple(f"x{j}" for j in range(18))}
    X = np.random.default_rng(2).standard_normal((2, 20))
    answer = explain(model, X, "conditional_shap", Options(samples=8, groups=groups), tier="exact")
    assert answer.features == ("most", "x18", "x19")
    assert (answer.info.tier, answer.info.estimator, answer.info.budget) == ("exact", "exact", 8)
    assert answer.values.sum(axis=1) == pytest.approx(predict(X) - CENTRE, abs=1e-9)
    answer = explain(model, X, "conditional_shap", Options(samples=8, groups=groups), tier="accurate")
    assert answer.features == ("most", "x18", "x19")


def test_few_groups_among_many_features_are_still_too_many_players():
    """A group of two leaves nineteen players of twenty features."""
    X, two = np.zeros((1, 20)), Options(groups={"two": ("x0", "x1")})
    with pytest.raises(BudgetError):
        explain(a_model(20), X, "conditional_shap", two, tier="exact")


def test_compiled_tiers_refuse_groups():
    model = a_model(compiled=compiled(balanced=0.1))
    with pytest.raises(InputError, match="groups"):
        explain(model, ROWS, "conditional_shap", Options(groups={"two": ("x0", "x1")}), tier="balanced")


@pytest.mark.parametrize("tier", TIERS)
def test_every_tier_answers_and_says_which_it_was(tier):
    model = a_model(compiled=compiled(fast=0.2, balanced=0.1))
    answer = explain(model, ROWS, "kernel_shap", Options(samples=8), tier=tier)  # the tier's method, not the caller's
    assert answer.info.tier == tier
    assert answer.info.method == ("compiled_shap" if tier in ("fast", "balanced") else "conditional_shap")
    assert answer.values.sum(axis=1) == pytest.approx(predict(ROWS) - CENTRE, abs=1e-5)
    assert answer.info.samples == {"fast": 0, "balanced": 0, "accurate": ACCURATE_SAMPLES, "exact": 8}[tier]


def test_without_a_wish_the_method_answers():
    model = a_model(compiled=compiled(balanced=0.1))
    answer = explain(model, ROWS, "kernel_shap", Options())
    assert answer.info.method == "kernel_shap"
    assert explain(model, ROWS, "conditional_shap", Options(samples=8)).info.tier == "accurate"


# by time


def timed(**latency: dict[int, float]) -> Model:
    measured = {tier: Measured(0.1, held) for tier, held in latency.items()}
    return a_model(compiled=compiled(fast=0.2, balanced=0.1), tiers=measured)


KNOWN = {"fast": {1: 0.1, 16: 0.4, 256: 2.0}, "balanced": {1: 2.0, 16: 20.0}, "accurate": {1: 50.0}}


def test_latency_between_measured_sizes_is_a_line_and_beyond_in_proportion():
    measured = Measured(latency_ms={16: 4.0, 1: 1.0, 256: 40.0})
    assert measured.ms(1) == 1.0
    assert measured.ms(16) == 4.0
    assert measured.ms(6) == pytest.approx(2.0)
    assert measured.ms(136) == pytest.approx(22.0)
    assert measured.ms(512) == 80.0
    assert Measured(latency_ms={16: 4.0}).ms(1) == 4.0  # nothing is known to be faster
    assert Measured(latency_ms={16: 4.0}).ms(8) == 4.0
    assert np.isnan(Measured().ms(3))
    rows = np.arange(1, 700)
    assert (np.diff([measured.ms(int(k)) for k in rows]) >= 0).all()


@pytest.mark.parametrize(
    ("rows", "limit", "tier"),
    [
        (1, 0.1, "fast"), (1, 1.9, "fast"), (1, 2.0, "balanced"), (1, 49.0, "balanced"), (1, 50.0, "accurate"),
        (1, 1e9, "accurate"), (16, 19.0, "fast"), (16, 20.0, "balanced"), (2, 50.0, "balanced"), (2, 100.0, "accurate"),
        (256, 2.0, "fast"), (256, 320.0, "balanced"),
    ],
)  # fmt: skip
def test_the_most_accurate_tier_that_is_fast_enough(rows, limit, tier):
    assert within(timed(**KNOWN), rows, limit) == tier


def test_nothing_is_fast_enough():
    with pytest.raises(InputError, match=r"no tier answers 3 rows in 0\.05 ms: the fastest, fast, takes 0\.14"):
        explain(timed(**KNOWN), ROWS, "conditional_shap", Options(), max_latency_ms=0.05)


@pytest.mark.parametrize("model", [a_model(), timed(), timed(fast={}, balanced={})])
def test_nothing_was_measured(model):
    with pytest.raises(InputError, match="no latency was measured for this bundle: run `ascribe bench DIR`"):
        explain(model, ROWS, "conditional_shap", Options(), max_latency_ms=5.0)


@pytest.mark.parametrize("limit", [0.0, -1.0, float("nan")])
def test_a_time_is_a_positive_number(limit):
    with pytest.raises(InputError, match="max_latency_ms is a positive number of milliseconds"):
        explain(timed(**KNOWN), ROWS, "conditional_shap", Options(), max_latency_ms=limit)


def test_a_tier_that_was_measured_but_is_not_offered_is_not_taken():
    model = replace(timed(**KNOWN), compiled=compiled(balanced=0.1))
    assert within(model, 1, 10.0) == "balanced"
    with pytest.raises(InputError, match="the fastest, balanced, takes 2"):
        within(model, 1, 1.0)


def test_a_time_is_answered_by_its_tier():
    answer = explain(timed(**KNOWN), ROWS, "conditional_shap", Options(), max_latency_ms=5.0)
    assert answer.info.tier == "balanced"
    assert explain(timed(**KNOWN), ROWS, "conditional_shap", Options(), max_latency_ms=1.0).info.tier == "fast"


def test_a_tier_beside_a_time_is_refused():
    with pytest.raises(InputError, match="name a tier or a max_latency_ms, not both"):
        explain(timed(**KNOWN), ROWS, "conditional_shap", Options(), tier="fast", max_latency_ms=5.0)


@pytest.mark.parametrize(("wish", "word"), [({"tier": "exact"}, "tier"), ({"max_latency_ms": 5.0}, "max_latency_ms")])
def test_a_method_beside_a_tier_or_a_time_is_refused_unless_it_is_theirs(wish, word):
    asked = {"tier": None, "max_latency_ms": None} | wish
    with pytest.raises(InputError, match=f"name a method or a {word}, not both: .* not of lime"):
        named(a_model(), "lime", **asked)
    for method in ("conditional_shap", "", None):
        assert named(a_model(conditional=None), method, **asked) == "conditional_shap"
    assert named(a_model(), "lime", None, None) == "lime"
    assert named(a_model(), None, None, None) == usual(a_model())


# by error


def by_error(target: float, calls: list[str], **options: object) -> str:
    """What answers, of a fast tier that errs 0.5 and a balanced one that errs 0.1."""
    held = {
        name: Compiled(graph(error, calls, name), CENTRE, "surrogate", "learnt", 66, 0, 0, {})
        for name, error in (("fast", 0.5), ("balanced", 0.1))
    }
    asked = Options(samples=8, target_stderr=target, **options)  # type: ignore[arg-type]
    answer = explain(a_model(compiled=held), ROWS, "conditional_shap", asked, most=64)
    return answer.info.tier if answer.info.method == "compiled_shap" else "adaptive"


def test_an_error_takes_the_cheapest_compiled_tier_that_meets_it_else_what_grows():
    for target, tier, asked in (
        (0.6, "fast", ["fast"]),
        (0.4, "balanced", ["fast", "balanced"]),
        (0.01, "adaptive", ["fast", "balanced"]),
    ):
        calls: list[str] = []
        assert by_error(target, calls) == tier
        assert calls == asked


@pytest.mark.parametrize("ess", [1.0, 0.1])
def test_a_row_with_another_remark_must_meet_the_error_too(ess):
    """Outside the training range, or its weights given up: its status says that, not that its error is too large."""
    features = tuple(Feature(f"x{j}", seen_low=-9.0, seen_high=9.0) for j in range(4))

    def run(X: np.ndarray) -> dict[str, np.ndarray]:
        far = np.abs(X[:, 0]) > 9
        held = graph(0.1)(X)
        error = np.where(far, 0.7, 0.1) if ess == 1 else np.full(len(X), 0.7)
        return held | {"stderr": np.repeat(error[:, None], 4, axis=1), "ess": np.full(len(X), ess)}

    model = a_model(features=features, compiled={"fast": Compiled(run, CENTRE, "surrogate", "learnt", 66, 1, 0, {})})
    far = ROWS.copy()
    far[0, 0] += 10
    asked = Options(samples=8, target_stderr=0.5)
    assert explain(model, far, "conditional_shap", asked).info.method == "conditional_shap"
    if ess == 1:
        assert explain(model, far[1:], "conditional_shap", asked).info.method == "compiled_shap"


def test_rows_that_cannot_be_answered_do_not_stand_in_the_way_of_an_error():
    X = ROWS.copy()
    X[1, 2] = np.nan
    model = a_model(compiled=compiled(fast=0.1))
    answer = explain(model, X, "conditional_shap", Options(target_stderr=0.5))
    assert answer.info.tier == "fast"
    assert answer.status.tolist() == ["ok", "invalid", "ok"]
    nothing = explain(model, X[1:2], "conditional_shap", Options(target_stderr=0.5))
    assert nothing.status.tolist() == ["invalid"]


@pytest.mark.parametrize(
    "options",
    [{"estimator": "kernel"}, {"value": "completions"}, {"budget": 32}, {"groups": {"two": ("x0", "x1")}}],
)
def test_whoever_chose_more_than_an_error_gets_what_was_chosen(options):
    calls: list[str] = []
    assert by_error(0.6, calls, **options) == "adaptive"
    assert calls == []


def test_the_budget_of_an_error_is_bounded_by_what_may_be_spent():
    model = a_model(11)
    X = np.random.default_rng(3).standard_normal((1, 11))
    asked = Options("kernel", samples=4, target_stderr=1e-9)
    answer = explain(model, X, "conditional_shap", asked, most=64)
    assert answer.info.budget <= 64
    assert answer.status.tolist() == ["above_target"]
    answer = explain(model, X, "conditional_shap", replace(asked, budget=40), most=64)
    assert answer.info.budget <= 40


def test_a_tier_keeps_within_what_may_be_spent_on_an_error():
    X = np.random.default_rng(3).standard_normal((1, 11))
    asked = Options("kernel", samples=4, target_stderr=1e-9)
    answer = explain(a_model(11), X, "conditional_shap", asked, tier="accurate", most=64)
    assert answer.info.budget <= 64


def test_features_outside_of_groups_are_players_too():
    """One group of two among forty features: 39 players."""
    asked = Options(groups={"two": ("x0", "x1")})
    assert wished(a_model(40), "accurate", asked)[1].budget == max(ACCURATE_BUDGET, 32 * 39)


def test_only_the_conditional_game_has_cheaper_tiers():
    calls: list[str] = []
    held = {"fast": Compiled(graph(0.1, calls, "fast"), CENTRE, "surrogate", "learnt", 66, 0, 0, {})}
    answer = explain(a_model(compiled=held), ROWS, "kernel_shap", Options(target_stderr=5.0))
    assert answer.info.method == "kernel_shap"
    assert calls == []


def test_progress_is_told_once_per_row_whatever_was_asked():
    model = timed(**KNOWN)
    for wish in ({"tier": "fast"}, {"tier": "accurate"}, {"max_latency_ms": 5.0}, {}):
        calls: list[int] = []
        explain(model, ROWS, "conditional_shap", Options(samples=8), step=lambda c=calls: c.append(1), **wish)
        assert len(calls) == len(ROWS)
    calls = []
    asked = Options(samples=8, target_stderr=0.5)
    tiers.explain(model, ROWS, "conditional_shap", asked, step=lambda: calls.append(1))
    assert len(calls) == len(ROWS)
