"""The network against what it says of itself, and a stopped run against one that went on."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ascribe.core.errors import InputError
from ascribe.core.forecast import Series, Window, calendar, origins, rows, targets, window_of
from ascribe.core.forecast.measures import coverage, mae
from ascribe.train.families.traffic_seq2seq import fit_traffic_seq2seq
from ascribe.train.forecasting.attending import Attending
from ascribe.train.forecasting.conformal import moved
from ascribe.train.forecasting.families import FORECAST_FAMILIES
from ascribe.train.forecasting.fitting import pinball
from ascribe.train.forecasting.front import Front
from ascribe.train.forecasting.network import Forecaster, Scores, Seq2Seq
from ascribe.train.forecasting.options import ATTENTIONS, DECODINGS, PRESETS, NetworkOptions, changed, preset
from ascribe.train.forecasting.past import KINDS, Past
from ascribe.train.forecasting.samples import split
from ascribe.train.forecasting.seasonal import Seasonal, middle
from tests.train.forecasting.series import DAY, weekly

SMALL = NetworkOptions(patch=3, hidden=16, dense=16, heads=2, every=5, epochs=3, batch=32)
UNTIL = 42 * DAY


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def made(window, options, seed=0):
    torch.manual_seed(seed)
    front = Front(window, 1e-3)
    seasonal = Seasonal(front)
    seasonal = Seasonal(front, np.random.default_rng(0).normal(0, 0.1, _columns(seasonal, window)))
    return Forecaster(seasonal, [Seq2Seq(front, options)], torch.zeros(window.horizon, len(options.levels))).eval()


def _columns(seasonal, window):
    x = torch.ones(1, window.n)
    return seasonal.columns(seasonal.front(x)).shape[-1]


@pytest.fixture(scope="module")
def told():
    series = weekly()
    window = window_of(series, 7 * DAY, DAY)
    at = origins(series, window, UNTIL, series.steps, 5)
    return series, window, at, fit_traffic_seq2seq(series, window, UNTIL, options=replace(SMALL, epochs=5))


def test_the_table_has_it():
    assert FORECAST_FAMILIES["traffic_seq2seq"] is fit_traffic_seq2seq


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("decoding", DECODINGS)
@pytest.mark.parametrize(
    ("context", "horizon", "patch"), [(84, 12, 3), (50, 31, 3), (24, 5, 0), (7, 4, 2), (5, 4, 0)], ids=str
)
def test_shapes_order_and_batches(attention, decoding, context, horizon, patch):
    series = weekly(days=30)
    window = window_of(series, context, horizon)
    options = replace(SMALL, attention=attention, decoding=decoding, patch=patch)
    model = made(window, options)
    at = origins(series, window, 0, series.steps, 29)[:9]
    x = torch.as_tensor(rows(series, window, at), dtype=torch.float32)
    with torch.no_grad():
        y, q, weights = model.attended(x)
        assert y.shape == (9, horizon) and q.shape == (9, horizon, 3)
        assert torch.equal(q[..., 1], y)
        assert (q.diff(dim=-1) >= 0).all()
        network = model.networks[0]
        heads = 2 if attention == "multi-head" else 1
        assert weights.shape == (9, heads, -(-horizon // network.patch), -(-context // network.patch))
        assert torch.allclose(weights.sum(dim=-1), torch.ones(()), atol=1e-5)
        order = torch.randperm(9, generator=torch.Generator().manual_seed(1))
        assert torch.allclose(model(x[order])[0], y[order], rtol=1e-4, atol=1e-4)
        for k in range(3):
            assert torch.allclose(model(x[k : k + 1])[1], q[k : k + 1], rtol=1e-4, atol=1e-4)


def test_a_window_is_its_own_measure():
    series = weekly(days=30, names=("one",), gaps=0)
    window = window_of(series, 84, 12)
    model = made(window, SMALL)
    model.front.floor.zero_()
    x = torch.as_tensor(rows(series, window, origins(series, window, 0, 300, 31)), dtype=torch.float32)
    larger = x.reshape(len(x), 84, -1).clone()
    larger[..., 0] = 1000 * larger[..., 0] + 77
    with torch.no_grad():
        assert torch.allclose(model(larger.flatten(1))[0], 1000 * model(x)[0] + 77, rtol=1e-3)


@pytest.mark.parametrize("step_s", [7200, 3600, 300])
def test_the_calendar_of_what_comes_is_that_of_the_clock(step_s):
    day = 86400 // step_s
    window = Window(2 * day, day + 3, step_s)
    front = Front(window, 1.0)
    for start in (0, 86400 * 5 + 3 * step_s, 86400 * 2 - step_s):
        local = start + step_s * np.arange(window.context + window.horizon)
        z = np.zeros((window.context, len(window.inputs)), np.float32)
        z[:, 2:] = calendar(local)[: window.context]
        seen = front(torch.as_tensor(z.reshape(1, -1)))
        wanted = calendar(local)[window.context :]
        assert np.allclose(seen.moment[0, :, :2].numpy(), wanted[:, :2], atol=1e-5)
        assert (seen.weekday[0].argmax(dim=1).numpy() == (local[window.context :] // 86400 + 3) % 7).all()


@pytest.mark.parametrize(("step_s", "late_s"), [(3600, 1800), (3600, 2700), (300, 150), (900, 899), (86400, 64800)])
def test_steps_between_the_slots_of_a_day_keep_their_day(step_s, late_s):
    """Hourly steps of India lie at half past: the last of a day is no midnight of the same day."""
    day = 86400 // step_s
    window = Window(2 * day, day, step_s)
    front, past = Front(window, 1.0), Past(window)
    slots = {}
    for start in range(0, 2 * day, max(1, day // 12)):
        local = late_s + step_s * (start + np.arange(window.context + window.horizon))
        z = np.zeros((window.context, len(window.inputs)), np.float32)
        z[:, 2:] = calendar(local)[: window.context]
        x, ahead = torch.as_tensor(z.reshape(1, -1)), local[window.context :]
        weekday = (ahead // 86400 + 3) % 7
        assert (front(x).weekday[0].argmax(dim=1).numpy() == weekday).all()
        assert (past.kinds(x)[0].argmax(dim=1).numpy() == np.array(KINDS)[weekday]).all()
        for at, moment, clock in zip(ahead % 86400, front(x).moment[0], past.clock(x)[0], strict=True):
            assert torch.equal(slots.setdefault(at, torch.cat([moment, clock])), torch.cat([moment, clock]))


def test_lags_are_the_same_time_of_earlier_days():
    window = Window(36, 20, 7200)
    z = np.zeros((36, len(window.inputs)), np.float32)
    z[:, 0], z[:, 1] = np.arange(36), 1
    seen = Front(window, 1e-9)(torch.as_tensor(z.reshape(1, -1)))
    value = seen.lags * seen.scale + seen.level
    wanted = [[36 + k % 12 - 12 * j for j in (1, 2, 3)] for k in range(20)]
    assert np.allclose(value[0].numpy(), wanted, atol=1e-3)


@pytest.mark.parametrize("count", [1, 2, 6, 7])
def test_the_middle_is_the_median(count):
    x = torch.randn(50, count, generator=torch.Generator().manual_seed(count))
    assert np.allclose(middle(x).numpy(), np.median(x.numpy(), axis=1), atol=1e-6)


def test_attention_is_torchs_own():
    torch.manual_seed(0)
    mine, peer = Attending(8, 2, 0.0), torch.nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        for name, part in zip(("query", "key", "value"), peer.in_proj_weight.chunk(3), strict=True):
            getattr(mine, name).weight.copy_(part)
            getattr(mine, name).bias.copy_(torch.randn(8))
        peer.in_proj_bias.copy_(torch.cat([mine.query.bias, mine.key.bias, mine.value.bias]))
        mine.out.load_state_dict(peer.out_proj.state_dict())
    state, states = torch.randn(3, 8), torch.randn(3, 5, 8)
    context, weights = mine(state, mine.keys(states))
    wanted, looked = peer(state.unsqueeze(1), states, states, average_attn_weights=False)
    assert torch.allclose(context, wanted[:, 0], atol=1e-5) and torch.allclose(weights, looked, atol=1e-5)
    plain = Attending(8, 0, 0.0)
    context, _ = plain(state, plain.keys(states))
    wanted = torch.nn.functional.scaled_dot_product_attention(state.unsqueeze(1), states, states)[:, 0]
    assert torch.allclose(context, wanted, atol=1e-5)


def test_pinball_is_that_of_the_definition():
    y = torch.tensor([[1.0, float("nan"), 4.0]])
    told = Scores(torch.full((1, 3), 2.0), torch.tensor([[[1.5, 2.0, 3.0]] * 3]), torch.zeros(0))
    wanted = ((1 + 2 * 0.95 * 0.5 + 2 * 0.05 * 2) + (2 + 2 * 0.05 * 2.5 + 2 * 0.95 * 1)) / 2
    assert float(pinball(told, y, torch.ones(1, 1), (0.05, 0.5, 0.95))) == pytest.approx(wanted)


def test_it_learns_and_its_interval_covers(told):
    series, window, at, model = told
    X, y = rows(series, window, at), targets(series, window, at)
    f, q = model.ask(X)
    size = np.where(at[:, 1:] == 1, 100.0, 1.0)
    yesterday, _ = FORECAST_FAMILIES["yesterday"](series, window, UNTIL, seed=0).ask(X)
    assert mae(y / size, f / size) < 0.8 * mae(y / size, yesterday / size)
    assert 0.84 < coverage(y, q[:, :, 0], q[:, :, -1]) < 0.97
    assert (np.diff(q, axis=2) >= 0).all()


@pytest.mark.parametrize("decoding", DECODINGS)
def test_nothing_after_the_end_of_training_changes_a_fit(decoding):
    series = weekly(days=35)
    window = window_of(series, 4 * DAY, DAY)
    until, options = 28 * DAY, replace(SMALL, decoding=decoding, epochs=2)
    X = rows(series, window, origins(series, window, until, series.steps, 9))
    first = fit_traffic_seq2seq(series, window, until, seed=3, options=options).ask(X)
    for start in (until, until - DAY):
        values, observed = series.values.copy(), series.observed.copy()
        values[start:] = 1e6
        poisoned = Series(
            series.names, series.start_s, series.step_s, values, observed, series.local_s, series.exogenous
        )
        again = fit_traffic_seq2seq(poisoned, window, until, seed=3, options=options).ask(X)
        same = all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
        assert same == (start == until)


class Stopped(Exception):
    pass


def test_a_run_that_stopped_goes_on_as_if_it_had_not(tmp_path):
    series = weekly(days=35)
    window = window_of(series, 4 * DAY, DAY)
    options = replace(SMALL, decoding="stepwise", dropout=0.3, epochs=4)
    X = rows(series, window, origins(series, window, 0, series.steps, 90))
    whole = fit_traffic_seq2seq(series, window, 28 * DAY, seed=1, options=options).ask(X)

    def stop(after):
        def progress(done, text):
            nonlocal after
            after -= 1
            if not after:
                raise Stopped

        return progress

    file = tmp_path / "run"
    for after in (2, 4):  # in the first fit, and in the second
        with pytest.raises(Stopped):
            fit_traffic_seq2seq(
                series, window, 28 * DAY, seed=1, options=options, checkpoint=file, progress=stop(after)
            )
        torch.rand(7)
    resumed = fit_traffic_seq2seq(series, window, 28 * DAY, seed=1, options=options, checkpoint=file).ask(X)
    assert all(np.array_equal(a, b) for a, b in zip(whole, resumed, strict=True))
    for raw in (b"", b"PK\x03\x04 and no more", b"weights"):
        (tmp_path / "none.0.0").write_bytes(raw)
        with pytest.raises(InputError, match="is no checkpoint"):
            fit_traffic_seq2seq(series, window, 28 * DAY, options=options, checkpoint=tmp_path / "none")
    other = fit_traffic_seq2seq(series, window, 28 * DAY, seed=2, options=options).ask(X)
    assert not np.array_equal(whole[0], other[0])
    with pytest.raises(InputError, match="other options or data"):
        fit_traffic_seq2seq(series, window, 28 * DAY, seed=2, options=options, checkpoint=file)
    next(tmp_path.glob("run*")).write_bytes(b"nothing")
    with pytest.raises(InputError, match="no checkpoint"):
        fit_traffic_seq2seq(series, window, 28 * DAY, seed=1, options=options, checkpoint=file)


def test_a_fit_that_ended_by_time_is_ended_when_it_is_asked_for_again(tmp_path):
    series = weekly(days=35)
    window = window_of(series, 4 * DAY, DAY)
    options = replace(SMALL, epochs=8, max_seconds=1e-4)
    X = rows(series, window, origins(series, window, 0, series.steps, 90))
    first, *others = [
        fit_traffic_seq2seq(series, window, 28 * DAY, options=options, checkpoint=tmp_path / "run") for _ in range(3)
    ]
    for other in others:
        assert other.told == first.told
        assert all(np.array_equal(a, b) for a, b in zip(other.ask(X), first.ask(X), strict=True))


def test_blocks_that_judge_share_no_target_with_what_is_learnt():
    series = weekly()
    window = window_of(series, 4 * DAY, DAY)
    parts = split(series, window, UNTIL, 3)
    learnt = {(i + k, j) for i, j in parts.learn.tolist() for k in range(window.horizon)}
    judged = {(i + k, j) for i, j in parts.judge.tolist() for k in range(window.horizon)}
    assert not learnt & judged and max(i for i, _ in learnt | judged) < UNTIL
    with pytest.raises(InputError, match="need"):
        split(series, window, 5 * DAY, 3)


def test_moved_quantiles_hold_what_they_say():
    rng = np.random.default_rng(0)
    levels = (0.05, 0.5, 0.95)
    scale = np.exp(rng.normal(size=24))  # of each step of the horizon
    q = np.array([-0.3, 0.0, 0.2])  # far too narrow
    y = scale[None, :] * rng.standard_t(4, (4000, 24))
    block = np.arange(2000) % 5
    y[:2000][block == 3] *= 50  # a holiday does not set the width of every other day
    offsets = moved(y[:2000, :, None] - q, levels, block, groups=24)
    low, high = (q + offsets)[:, 0], (q + offsets)[:, 2]
    assert (offsets[:, 1] == 0).all()
    inside = ((y[2000:] >= low) & (y[2000:] <= high)).mean(axis=0)
    assert (np.abs(inside - 0.9) < 0.03).all()


def test_a_dead_series_and_a_constant_one_are_forecast_as_they_are(told):
    series, window, at, model = told
    flat = rows(series, window, at[:4]).reshape(4, *window.shape)
    flat[:, :, 0] = np.array([0.0, 0.0, 5.0, 5.0])[:, None]
    f, q = model.ask(flat.reshape(4, -1))
    assert np.isfinite(f).all() and np.isfinite(q).all()
    assert f == pytest.approx(np.broadcast_to(flat[:, :1, 0], f.shape), abs=0.3)


def test_the_documents_sizes_run():
    series = weekly(days=16, names=("one",))
    window = window_of(series, 7 * DAY, 2)
    options = preset("document")
    assert (options.hidden, options.layers, options.batch, options.lr, options.dropout) == (2048, 3, 16, 1e-3, 0.1)
    small = replace(options, hidden=32, dense=32, epochs=1, every=20, refit=False)
    f, _ = fit_traffic_seq2seq(series, window, series.steps, options=small).ask(np.ones((2, window.n)))
    assert f.shape == (2, 2)
    network = made(window, options).networks[0]
    assert network.encoder.hidden_size == 2048 and network.encoder.input_size == DAY * len(window.inputs)
    x = torch.as_tensor(rows(series, window, origins(series, window, 0, 110, 9)[:2]), dtype=torch.float32)
    seen = network_front = Front(window, 1.0)(x)
    network.train()
    network(seen, torch.zeros(2, 2), torch.full((2, 2), torch.nan)).median.abs().sum().backward()
    assert network_front is seen and network.encoder.weight_ih_l0.grad.abs().sum() > 0


def test_options_that_exclude_one_another():
    with pytest.raises(InputError, match="do not divide"):
        replace(SMALL, attention="multi-head", heads=5)
    with pytest.raises(InputError, match="attention is one of"):
        replace(SMALL, attention="much")
    with pytest.raises(InputError, match="levels"):
        replace(SMALL, levels=(0.9, 0.1))
    for more in ({"heads": 0, "attention": "multi-head"}, {"patch": -1}, {"patience": 0}):
        with pytest.raises(InputError, match="at least 1"):
            replace(SMALL, **more)
    for name, value in (("dropout", 2.0), ("average", 1.0), ("dropout", np.nan)):
        with pytest.raises(InputError, match="from 0 to below 1"):
            replace(SMALL, **{name: value})
    for name, value in (("lr", -1.0), ("clip", 0.0), ("jitter", np.nan), ("weight_decay", -1.0)):
        with pytest.raises(InputError, match="lr and clip"):
            replace(SMALL, **{name: value})
    with pytest.raises(InputError, match="no preset"):
        preset("tiny")
    assert set(PRESETS) == {"default", "document"}


def test_an_input_beside_the_value_has_no_unit():
    load = np.random.default_rng(0).uniform(1, 2, (*weekly().values.shape, 1))
    found = []
    for held in (load, 1e3 * load + 5e3):
        series = replace(weekly(), exogenous=held, exogenous_names=("load",))
        window = window_of(series, 7 * DAY, DAY, ("load",))
        assert "load" in window.inputs
        at = origins(series, window, UNTIL, series.steps, 50)
        fitted = fit_traffic_seq2seq(series, window, UNTIL, options=replace(SMALL, epochs=1))
        found.append(fitted.ask(rows(series, window, at))[0])
    assert np.allclose(*found, rtol=1e-2)


def test_values_may_be_scaled_by_the_training_part():
    series = weekly()
    window = window_of(series, 7 * DAY, DAY)
    fitted = fit_traffic_seq2seq(series, window, UNTIL, options=replace(SMALL, epochs=1, scaling="min-max"))
    seen = fitted.module.front(
        torch.as_tensor(rows(series, window, origins(series, window, UNTIL, series.steps, 50))).float()
    )
    values = series.values[:UNTIL][series.observed[:UNTIL]]
    assert np.allclose(seen.level, values.min(), rtol=1e-5)
    assert np.allclose(seen.scale, np.ptp(values), rtol=1e-5)
    with pytest.raises(InputError, match="scaling is one of"):
        NetworkOptions(scaling="robust")


def test_options_are_named_one_by_one():
    held = changed(preset("document"), ["attention=dot", "hidden=32", "rest=yes", "lr=0.01"])
    assert (held.attention, held.hidden, held.rest, held.lr, held.layers) == ("dot", 32, True, 0.01, 3)
    wrong = {
        "hiden=3": "no option", "hidden=3.5": "whole number", "rest=maybe": "true or false", "levels=3": "no option",
        "attention=all": "attention is one of", "hidden": "whole",
    }  # fmt: skip
    for told, why in wrong.items():
        with pytest.raises(InputError, match=why):
            changed(preset("default"), [told])
