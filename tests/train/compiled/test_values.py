"""Compiled explanations against the plain ones, part by part: same plan, same noise, same answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest

from ascribe.bundle.sessions import session
from ascribe.core.adjusted.learnt import Reading
from ascribe.core.control import Control
from ascribe.core.features import players_of
from ascribe.core.games import FALLBACK
from ascribe.core.scaling import Scores
from ascribe.core.shapley import plan_of
from ascribe.train.compiled import values
from ascribe.train.compiled.additive import cut
from ascribe.train.compiled.check import parity
from ascribe.train.compiled.control import above_mean, spread_of
from ascribe.train.compiled.program import OUTPUTS, one_pass, written

from ..programs import BASE, Made, a_control, a_mixture, made
from ..small_graphs import as_a_column, as_input_too, evaluated, graph, predict_graph, surrogate_graph

CLOSE = 2e-5  # of a row's largest value, on completions that are the same but for single precision


def worst(one: Made) -> float:
    """Largest difference to the plain computation, over a row's largest value: attributions and errors."""
    found, told = one.asked(), one.plain()
    size = np.abs(told.values).max(axis=1, keepdims=True)
    gap = np.abs(found["attribution"] - told.values) / size
    apart = np.abs(found["stderr"] - told.stderr)
    assert np.array_equal(np.isnan(found["stderr"]), np.isnan(told.stderr))
    assert (apart <= 1e-3 * told.stderr.max(axis=1, keepdims=True) + 3e-6 * size)[np.isfinite(apart)].all()
    assert found["prediction"] == pytest.approx(told.prediction, rel=1e-6)
    assert found["base_value"].tolist() == [BASE] * len(found["base_value"])
    assert found["ess"] == pytest.approx(told.ess, rel=1e-4)
    return float(gap.max())


# the polynomial that is taken out


@pytest.mark.parametrize("cubic", [False, True])
@pytest.mark.parametrize(("c", "rank"), [(1, 1), (3, 2)])
def test_the_polynomial_and_its_mean_are_those_of_the_control(cubic, c, rank):
    n, m, s = 4, 6, 9
    rng = np.random.default_rng(0)
    control, mixture = a_control(n, cubic), a_mixture(n, c, rank)
    S = rng.random((m, n)) < 0.5
    x = rng.standard_normal(n)
    known = np.where(S, x, 0)
    q = mixture(known, S)
    z = np.where(S[:, None], known[:, None], rng.standard_normal((m, s, n)))
    wanted = control.at(z) - control.mean(q, known, S)[:, None]
    hidden = ~S[:, None, :]
    F = np.where(hidden[..., None], q.factor, 0.0).astype(float)
    spread, bend = spread_of(control, F, np.where(hidden, q.diag, 0.0).astype(float))
    assert (bend is not None) == cubic
    mean = np.where(hidden, q.mean, known[:, None])

    def build(sheet, z, m, *rest):
        pi = sheet.const(q.weights) if c > 1 else None
        return above_mean(sheet, control, z, pi, m, sheet.const(spread), sheet.const(bend) if cubic else None)

    found = evaluated(build, z.astype(np.float32), mean.astype(np.float32))
    assert found == pytest.approx(wanted, abs=2e-5 * np.abs(control.at(z)).max())


def test_a_function_that_the_polynomial_follows_is_answered_without_noise():
    """f = h, but for the rare draw beyond the table's end: nothing else is left to chance."""
    line = Control(np.array([2.0, -1.0, 0.5, 3.0]), np.zeros((4, 4)), None, 0.0)
    f = graph("predict (float[rows,4] x) => (float[rows] prediction) { prediction = MatMul(x, w) }", w=line.b / 3)
    wide = Scores((3 * np.ones((4, 1)) * np.linspace(-4, 4, 129)).astype(np.float32))  # natural units: 3 scores
    one = made(n=4, predict=f, scores=wide, estimator="exact", budget=None)
    rough = one.asked()["stderr"]
    drawn = replace(one.program.drawn, control=line)
    smooth = replace(one, program=replace(one.program, drawn=drawn)).asked()["stderr"]
    assert rough.min() > 1e-2
    assert np.median(smooth) < 1e-6
    assert smooth.max() < 0.05 * rough.min()


# completions


@pytest.mark.parametrize("law", ["mixture", "proposal"])
@pytest.mark.parametrize(("c", "rank"), [(1, 1), (1, 2), (3, 2), (10, 1)])
@pytest.mark.parametrize("control", ["none", "quadratic", "cubic"])
def test_completions(law, c, rank, control):
    assert worst(made(law=law, c=c, rank=rank, control=control)) < CLOSE


@pytest.mark.parametrize("law", ["mixture", "proposal"])
@pytest.mark.parametrize("control", ["none", "cubic"])
@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_completions_weighted_by_an_energy(law, control, strength):
    one = made(law=law, control=control, energy=strength)
    assert worst(one) < CLOSE
    assert (one.asked()["ess"] < 12).all()
    assert np.abs(one.asked()["attribution"] - made(law=law, control=control).asked()["attribution"]).max() > 0.1


@pytest.mark.parametrize("law", ["mixture", "proposal"])
def test_rows_whose_weights_are_too_uneven_count_alike_and_only_they(law):
    """A strong tilt leaves some rows few completions effective: the plain answer falls back there, and so does this."""
    one = made(law=law, energy=6.0, rows=24)
    told = one.plain()
    low = told.status == "low_ess"
    assert 0 < low.sum() < 24 or low.all()
    assert worst(one) < CLOSE
    assert np.array_equal(one.asked()["ess"] < FALLBACK * 12, low)
    alike = made(law=law, rows=24).asked()["attribution"]
    assert one.asked()["attribution"][low] == pytest.approx(alike[low], abs=1e-5 * float(np.abs(alike).max()))


def test_the_completions_inside_are_those_of_the_law():
    for law in ("mixture", "proposal"):
        one = made(law=law)
        found = one.asked(inside=True)
        S = one.program.plan.S[1:-1]
        noise = one.model.conditional.noise(12, 3)
        for i, x in enumerate(one.X):
            drawn = one.model.conditional.latent(x, S, noise)
            assert found["scores"][i] == pytest.approx(drawn.z, abs=1e-4)
            seen = np.broadcast_to(S[:, None], drawn.Z.shape)
            assert np.array_equal(found["completions"][i][seen], drawn.Z.astype(np.float32)[seen])
            assert found["completions"][i] == pytest.approx(drawn.Z, abs=1e-3)


def test_another_seed_is_another_noise_and_the_same_game():
    one = made(samples=64)
    other = replace(one.options, seed=8)
    noise = one.model.conditional.noise(64, 8)
    how = replace(one.program.drawn, law=type(one.program.drawn.law)(a_mixture(5, 3, 2), noise))
    two = Made(one.model, other, replace(one.program, drawn=how), one.X)
    a, b = one.asked(), two.asked()
    assert not np.array_equal(a["attribution"], b["attribution"])
    assert (np.abs(a["attribution"] - b["attribution"]) < 6 * (a["stderr"] + b["stderr"])).all()


# the surrogate, and both


@pytest.mark.parametrize("n", [3, 5])
@pytest.mark.parametrize("additive", [True, False])
@pytest.mark.parametrize("opset", [20, 17])
def test_surrogate(n, additive, opset):
    raw = surrogate_graph(n, additive, opset)
    assert worst(made("surrogate", n=n, graph=raw, budget=None if n == 3 else 24)) < CLOSE


@pytest.mark.parametrize("law", ["mixture", "proposal"])
@pytest.mark.parametrize("energy", [None, 0.6])
def test_stacked(law, energy):
    one = made("stacked", law=law, energy=energy, control="quadratic")
    assert worst(one) < CLOSE
    parts = [made(v, law=law, energy=energy, control="quadratic").asked() for v in ("completions", "surrogate")]
    assert all(np.abs(one.asked()["attribution"] - p["attribution"]).max() > 1e-2 for p in parts)


def test_an_answer_without_chance_has_the_error_zero_not_minus_zero():
    found = made("surrogate", n=4, estimator="exact", budget=None).asked()
    assert (found["attribution"] < 0).any()
    assert not found["stderr"].any() and not np.signbit(found["stderr"]).any()


def test_the_first_layer_is_shared_only_where_it_is_a_sum_over_features():
    n = 5
    parts = cut(surrogate_graph(n), n)
    assert parts is not None
    assert len(onnx.load_from_string(parts.tail).graph.input) == 1
    assert cut(surrogate_graph(n, additive=False), n) is None


def test_a_surrogate_whose_rest_still_looks_at_the_row_is_not_cut():
    raw = graph(
        """surrogate (float[rows,4] score, bool[rows,4] observed) => (float[rows] value) {
            h = MatMul(score, W)
            bent = Tanh(h)
            column = MatMul(bent, out)
            seen = Cast<to = 1>(observed)
            count = MatMul(seen, ones)
            value = Add(column, count)
        }""",
        W=np.random.default_rng(0).standard_normal((4, 6)), out=np.ones(6), ones=np.ones(4),
    )  # fmt: skip
    assert cut(raw, 4) is None
    assert worst(made("surrogate", n=4, graph=raw, budget=14)) < CLOSE


def test_a_surrogate_without_any_product_is_not_cut():
    raw = graph(
        """surrogate (float[rows,4] score, bool[rows,4] observed) => (float[rows] value) {
            known = Where(observed, score, zero)
            bent = Tanh(known)
            value = ReduceSum<keepdims = 0>(bent, axis)
        }""",
        zero=np.array(0.0), axis=np.array([1]),
    )  # fmt: skip
    assert cut(raw, 4) is None
    assert worst(made("surrogate", n=4, graph=raw, budget=14)) < CLOSE


# plans


@pytest.mark.parametrize(
    ("estimator", "budget"), [("exact", None), ("permutation", 21), ("leverage", 24), ("kernel", 12), ("kernel", 32)]
)
@pytest.mark.parametrize("value", ["completions", "surrogate"])
def test_any_plan(estimator, budget, value):
    assert worst(made(value, estimator=estimator, budget=budget)) < CLOSE


@pytest.mark.parametrize("value", ["completions", "surrogate"])
def test_too_few_coalitions_to_tell_their_error_is_said_not_hidden(value):
    """A standard error of 0 would be a lie: NaN, as the plain computation says."""
    one = made(value, estimator="kernel", budget=12)
    assert len(one.program.plan.jackknife) < 2
    assert np.isnan(one.asked()["stderr"]).all()
    assert np.isfinite(one.asked()["attribution"]).all()


def test_the_part_of_the_error_that_no_row_tells_is_in_the_graph():
    """`floor` of a learnt reading, at twice the coalitions that it was judged by: over the root of two."""
    one = made("surrogate", n=6, budget=40)
    floor = tuple(np.linspace(0.5, 1, 6).tolist())
    for told in ((), floor):
        reading = Reading("odd", (0.3,) * 6, 0.05, 1.0, told, 20)
        model, options = replace(one.model, reading=reading), replace(one.options, estimator="learnt")
        plan = plan_of(model, players_of(model.names), options, 40)
        two = Made(model, options, replace(one.program, plan=plan), one.X)
        assert worst(two) < CLOSE
        least = two.asked()["stderr"].min(axis=0)
        assert (least >= np.array(told or [0.0]) / np.sqrt(2) - 1e-6).all()


@pytest.mark.parametrize("value", ["completions", "surrogate", "stacked"])
def test_many_chunks_say_what_one_says(value, monkeypatch):
    """A chunk holds so many completions; the last is filled up with coalitions that are dropped again."""
    law = "proposal" if value == "stacked" else "mixture"
    make = lambda: made(value, law=law, control="cubic", energy=0.5)  # noqa: E731
    whole = make().asked()
    m = len(make().program.plan.S) - 2
    for at_once in (12 * 5, 12 * 7, 4 * 12):
        monkeypatch.setattr(values, "AT_ONCE", at_once)
        assert m % (at_once // 12)
        chunked = make()
        found = chunked.asked()
        for name in OUTPUTS:
            assert found[name] == pytest.approx(whole[name], rel=1e-5, abs=1e-5), name
        assert worst(chunked) < CLOSE


# rows


@pytest.mark.parametrize("value", ["completions", "surrogate", "stacked"])
def test_a_row_alone_is_the_row_in_a_batch(value):
    one = made(value, energy=0.5, control="quadratic")
    whole = one.asked()
    for i in range(7):
        alone = one.asked(one.X[i : i + 1])
        size = float(np.abs(whole["attribution"][i]).max())
        for name in OUTPUTS:
            assert alone[name][0] == pytest.approx(whole[name][i], abs=1e-6 * size, rel=1e-6)


@pytest.mark.parametrize("law", ["mixture", "proposal"])
@pytest.mark.parametrize("value", ["completions", "surrogate", "stacked"])
def test_a_cell_that_is_not_a_number_leaves_the_other_rows_alone(value, law):
    one = made(value, law=law, energy=0.5)
    clean, X = one.asked(), one.X.copy()
    X[2, 1] = X[5, 0] = np.nan
    found = one.asked(X)
    rest = np.array([0, 1, 3, 4, 6])
    for name in OUTPUTS:
        assert found[name][rest] == pytest.approx(clean[name][rest], rel=1e-6, abs=1e-6), name
    assert np.isnan(found["attribution"][[2, 5]]).any(axis=1).all()


@pytest.mark.parametrize("value", ["completions", "surrogate", "stacked"])
@pytest.mark.parametrize("estimator", ["kernel", "exact"])
def test_efficiency_as_far_as_single_precision_goes(value, estimator):
    found = made(value, estimator=estimator, budget=None if estimator == "exact" else 24, rows=30).asked()
    gap = np.abs(found["attribution"].sum(axis=1) - (found["prediction"] - found["base_value"]))
    assert gap.max() <= 2e-6 * np.abs(found["prediction"]).max()


# what stands inside


@pytest.mark.parametrize("value", ["completions", "surrogate"])
def test_predict_graphs_as_others_write_them(value):
    """Other names, a column, constants among the inputs, older operators: the same answer."""
    wanted = made(value).asked()
    for raw in (as_a_column(predict_graph(5)), as_input_too(predict_graph(5)), predict_graph(5, opset=17),
                as_a_column(as_input_too(predict_graph(5, opset=17)))):  # fmt: skip
        one = made(value)
        drawn = one.program.drawn and replace(one.program.drawn, predict=raw)
        found = replace(one, program=replace(one.program, predict=raw, drawn=drawn)).asked()
        assert found["prediction"].shape == (7,)
        for name in OUTPUTS:
            assert found[name] == pytest.approx(wanted[name], rel=1e-6, abs=1e-6)


def test_the_graph_names_what_goes_in_and_out_and_keeps_constants_once():
    one = made("stacked", control="cubic", energy=0.5)
    proto = written(one.program, {"unit": "W"})
    onnx.checker.check_model(proto)
    assert [i.name for i in proto.graph.input] == ["x"]
    assert tuple(o.name for o in proto.graph.output) == OUTPUTS
    assert {p.key: p.value for p in proto.metadata_props} == {"unit": "W"}
    held = [(tuple(i.dims), i.data_type, i.raw_data) for i in proto.graph.initializer]
    assert len(held) == len(set(held))
    assert one.graph() == made("stacked", control="cubic", energy=0.5).graph()
    assert tuple(o.name for o in written(one.program, {}, inside=True).graph.output) == (
        *OUTPUTS, "completions", "scores",
    )  # fmt: skip


def test_one_pass_is_the_network_and_its_correction():
    n, rmse = 5, np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    raw = graph(
        "amortized (float[rows,5] x) => (float[rows,5] attribution) { attribution = Mul(x, w) }", w=np.arange(1.0, 6)
    )
    X = np.random.default_rng(0).standard_normal((7, n)).astype(np.float32)
    for predict in (predict_graph(n), as_a_column(predict_graph(n))):
        proto = one_pass(predict, raw, BASE, rmse, {})
        assert tuple(o.name for o in proto.graph.output) == OUTPUTS
        found = dict(zip(OUTPUTS, session(proto.SerializeToString(), "fast").run(list(OUTPUTS), {"x": X}), strict=True))
        f = session(predict_graph(n), "predict").run(None, {"x": X})[0]
        e = X * np.arange(1, 6)
        wanted = e + ((f - BASE) - e.sum(axis=1))[:, None] / n
        assert found["attribution"] == pytest.approx(wanted, abs=2e-5)
        assert found["prediction"].tolist() == f.tolist()
        assert found["stderr"] == pytest.approx(np.tile(rmse, (7, 1)))
        assert np.isinf(found["ess"]).all()
        assert found["base_value"].tolist() == [BASE] * 7


# the check


@pytest.mark.parametrize("law", ["mixture", "proposal"])
@pytest.mark.parametrize("value", ["completions", "surrogate", "stacked"])
def test_parity_says_how_close_it_is(value, law):
    one = made(value, law=law, control="cubic", energy=0.5)
    found = parity(one.graph(inside=True), one.model, one.X, one.options)
    assert found.worst < 1e-5
    m, s = len(one.program.plan.S) - 2, 12
    assert found.completions == (0 if value == "surrogate" else 7 * m * s)
    assert found.moved <= 0.01 * found.completions


@pytest.mark.parametrize("energy", [None, 0.6])
def test_parity_is_told_of_rows_that_are_alike(energy):
    one = made("completions", energy=energy)
    told = parity(one.graph(inside=True), one.model, one.X[[0, 1, 0, 0]], one.options)
    assert told.worst < 1e-5
    assert told.completions == 4 * 12 * (len(one.program.plan.S) - 2)


def test_parity_sees_a_graph_of_another_model():
    """Another base value, another polynomial, another surrogate: each is seen."""
    one = made("stacked", control="cubic")
    program = one.program
    for other in (
        replace(program, base_value=BASE + 0.1),
        replace(program, share=program.share * 0.98),
        replace(program, surrogate=surrogate_graph(5, additive=False)),
        replace(program, drawn=replace(program.drawn, control=a_control(5, cubic=False))),
        replace(program, drawn=replace(program.drawn, control=None)),
    ):
        graph_of = written(other, {}, inside=True).SerializeToString()
        assert parity(graph_of, one.model, one.X, one.options).worst > 1e-4
