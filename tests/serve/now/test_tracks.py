"""Rings, means of minutes and energy, against loops over all moments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascribe.serve.now import past
from ascribe.serve.now.energy import energy_of
from ascribe.serve.now.rings import Ring
from ascribe.serve.now.track import GAP_US, MINUTE_US, Track, shares_of

N, G = 3, 2
MEMBER = np.array([[1.0, 0], [1, 0], [0, 1]])
START = 1_790_000_000_000_000 // MINUTE_US * MINUTE_US
FIRST = START + 1_234_567


def moments(t_us: np.ndarray, seed: int = 0, unmeasured: float = 0.0, unanswered: float = 0.0) -> dict[str, np.ndarray]:
    """Random rows whose shares fail to sum by what single precision loses."""
    rng = np.random.default_rng(seed)
    k = len(t_us)
    values, base = rng.normal(0, 20, (k, N)).astype(np.float32), np.full(k, 87.123456789)
    prediction = base + values.astype(float).sum(axis=1) + rng.normal(0, 1e-6, k)
    prediction[rng.random(k) < unanswered] = np.nan
    values[~np.isfinite(prediction)] = np.nan
    measured = np.where(rng.random(k) < unmeasured, np.nan, rng.uniform(60, 140, k))
    return {
        "t_us": t_us.astype(np.int64), "measured": measured, "prediction": prediction, "base": base,
        "version": np.zeros(k, np.int32), "status": np.where(np.isfinite(prediction), 0, 4).astype(np.int8),
        "values": values, "stderr": np.abs(values) / 10, "group_stderr": np.abs(rng.normal(0, 1, (k, G))),
        "X": rng.uniform(0, 10, (k, N)),
    }  # fmt: skip


def filled(rows: dict[str, np.ndarray], moments_kept: int, minutes_kept: int, sizes: list[int]) -> Track:
    track, at = Track(N, G, moments_kept, minutes_kept), 0
    while at < len(rows["t_us"]):
        size = sizes[at % len(sizes)]
        track.push({name: column[at : at + size] for name, column in rows.items()})
        at += size
    return track


def by_hand(rows: dict[str, np.ndarray], from_us: int, to_us: int) -> dict[str, object]:
    """Joules, interval by interval."""
    total = {"prediction": 0.0, "base": 0.0, "shares": np.zeros(N), "measured": 0.0, "s": 0.0, "read_s": 0.0, "fm": 0.0}
    shares = shares_of(rows)
    for i in range(1, len(rows["t_us"])):
        t0, t1 = int(rows["t_us"][i - 1]), int(rows["t_us"][i])
        f0, f1 = rows["prediction"][i - 1], rows["prediction"][i]
        if t0 < from_us or t1 > to_us or t1 - t0 > GAP_US or np.isnan(f0 + f1):
            continue
        dt = (t1 - t0) / 1e6
        total["prediction"] += dt * (f0 + f1) / 2
        total["base"] += dt * (rows["base"][i - 1] + rows["base"][i]) / 2
        total["shares"] = total["shares"] + dt * (shares[i - 1] + shares[i]) / 2
        total["s"] += dt
        m0, m1 = rows["measured"][i - 1], rows["measured"][i]
        if not np.isnan(m0 + m1):
            total["measured"] += dt * (m0 + m1) / 2
            total["fm"] += dt * (f0 + f1) / 2
            total["read_s"] += dt
    return total


@given(st.integers(1, 7), st.lists(st.integers(1, 9), min_size=1, max_size=12))
def test_a_ring_is_the_end_of_all_that_was_put_into_it(size, sizes):
    ring, everything = Ring(size, {"t_us": ((), np.int64), "v": ((2,), np.float32)}), np.zeros(0, np.int64)
    held = ring.bytes
    for count in sizes:
        fresh = np.arange(len(everything), len(everything) + count)
        everything = np.concatenate([everything, fresh])
        ring.push({"t_us": fresh, "v": np.stack([fresh, -fresh], axis=1)})
        kept = everything[-size:]
        found = ring.window(0, 1 << 60)
        assert found["t_us"].tolist() == kept.tolist()
        assert found["v"][:, 1].tolist() == (-kept).tolist()
        assert ring.ends() == (kept[0], kept[-1])
        assert ring.nearest(int(kept[-1]) + 5)["t_us"].tolist() == [kept[-1]]
        assert ring.last(3, "t_us").tolist() == kept[-3:].tolist()
        assert ring.full == (len(everything) >= size)
    assert ring.bytes == held


@pytest.mark.parametrize("seed", range(4))
def test_shares_sum_to_the_prediction_in_double_precision(seed):
    rows = moments(FIRST + np.arange(50) * 2_000_000, seed)
    shares = shares_of(rows)
    assert np.abs(rows["base"] + shares.sum(axis=1) - rows["prediction"]).max() < 1e-12
    assert np.abs(rows["base"] + (shares @ MEMBER).sum(axis=1) - rows["prediction"]).max() < 1e-12
    assert np.abs(shares - rows["values"]).max() < 1e-4
    nothing = {**rows, "values": np.zeros((50, N), np.float32)}
    assert np.abs(nothing["base"] + shares_of(nothing).sum(axis=1) - rows["prediction"]).max() < 1e-12


@pytest.mark.parametrize("kept", [40, 100, 2000])
@pytest.mark.parametrize("seed", range(3))
def test_energy_over_the_whole_past_is_that_of_all_trapezoids(seed, kept):
    """Whatever part of the moments has gone: the minutes hold their energy."""
    rng = np.random.default_rng(seed)
    steps = rng.choice([1_000_000, 2_000_000, 2_000_000, 3_000_000, 29_000_000, 31_000_000, 200_000_000], 600,
                       p=[0.2, 0.3, 0.3, 0.17, 0.01, 0.01, 0.01])  # fmt: skip
    rows = moments(FIRST + np.cumsum(steps), seed, unmeasured=0.05, unanswered=0.03)
    track = filled(rows, kept, 1000, [1, 1, 3, 7])
    want, got = by_hand(rows, 0, 1 << 60), energy_of(track, 0, 1 << 60)
    assert got.covered_s == pytest.approx(want["s"], rel=1e-12)
    assert got.measured_s == pytest.approx(want["read_s"], rel=1e-12)
    for name, found in (("prediction", got.prediction), ("base", got.base), ("measured", got.measured),
                        ("fm", got.measured_prediction)):  # fmt: skip
        assert found * 3.6e6 == pytest.approx(want[name], rel=1e-9), name
    assert got.shares * 3.6e6 == pytest.approx(want["shares"], rel=1e-4, abs=1e-2)
    assert got.base + got.shares.sum() == pytest.approx(got.prediction, rel=1e-13)


def test_energy_of_a_window_counts_what_lies_in_it():
    rows = moments(FIRST + np.arange(300) * 2_000_000, 5)
    track = filled(rows, 1000, 10, [1])
    for a, b in ((0, 299), (10, 20), (7, 8), (5, 5)):
        window = int(rows["t_us"][a]), int(rows["t_us"][b])
        want, got = by_hand(rows, *window), energy_of(track, *window)
        assert got.covered_s == pytest.approx(want["s"])
        assert got.prediction * 3.6e6 == pytest.approx(want["prediction"])
        assert got.shares * 3.6e6 == pytest.approx(want["shares"], rel=1e-5, abs=1e-3)


def test_a_gap_is_not_bridged():
    rows = moments(FIRST + np.array([0, 2, 4, 4 + 31, 4 + 33]) * 1_000_000)
    track = filled(rows, 100, 10, [5])
    assert energy_of(track, 0, 1 << 60).covered_s == 6.0


def test_the_means_of_minutes():
    rows = moments(FIRST + np.arange(400) * 2_000_000, 2)
    track = filled(rows, 60, 1000, [1])
    old = track.minutes(0, 1 << 60)
    assert len(old["t_us"]) >= 9
    minute = rows["t_us"][1:] // MINUTE_US
    for k, t in enumerate(old["t_us"].tolist()):
        at = np.flatnonzero(minute == t // MINUTE_US)
        f = rows["prediction"]
        assert old["prediction"][k] == pytest.approx((0.5 * (f[at] + f[at + 1])).mean(), rel=1e-12)
        assert old["covered_s"][k] == 2.0 * len(at)
        assert t % MINUTE_US == MINUTE_US // 2
    assert old["t_us"][-1] < track.split_us() <= track.fine.ends()[0] + MINUTE_US


@pytest.mark.parametrize("points", [1, 7, 100, 1000])
def test_a_past_in_fewer_points_adds_up_as_well(points):
    rows = moments(FIRST + np.arange(500) * 2_000_000, 3, unmeasured=0.1, unanswered=0.05)
    track = filled(rows, 200, 1000, [1])
    found = past.window(track, 0, 1 << 60, points)
    k = len(found["t_us"])
    assert 0 < k <= points
    assert (np.diff(found["t_us"]) > 0).all()
    good = np.isfinite(found["prediction"])
    assert good.sum() > 0.9 * k
    total = found["base"] + (shares_of(found) @ MEMBER).sum(axis=1)
    assert np.abs(total - found["prediction"])[good].max() < 1e-11
    if points == 1000:
        fine = found["mean_s"] == 0
        at = np.searchsorted(rows["t_us"], found["t_us"][fine])
        assert np.array_equal(found["prediction"][fine], rows["prediction"][at], equal_nan=True)
        assert np.array_equal(found["X"][fine], rows["X"][at].astype(np.float32))
    else:
        assert set(found["status"].tolist()) <= {0, 4}


def test_putting_together_keeps_means_and_the_gravest_status():
    rows = moments(FIRST + np.arange(12) * 2_000_000, 3)
    rows["status"][[4, 7]] = [1, 2]  # out_of_domain, low_ess
    track = filled(rows, 100, 10, [12])
    found = past.window(track, 0, 1 << 60, 3)
    f = rows["prediction"].reshape(3, 4)
    assert found["prediction"] == pytest.approx(f.mean(axis=1), rel=1e-14)
    assert found["status"].tolist() == [0, 1, 0]
    assert found["mean_s"].tolist() == [6.0, 6.0, 6.0]


def test_the_moment_nearest_to_a_time_or_its_minute():
    rows = moments(FIRST + np.arange(400) * 2_000_000, 2)
    track = filled(rows, 60, 1000, [1])
    newest = int(rows["t_us"][-1])
    assert past.at(track, newest - 2_900_000)["t_us"].tolist() == [newest - 2_000_000]
    early = past.at(track, FIRST + 300_000_000)
    assert early["mean_s"].tolist() == [60.0]
    assert abs(int(early["t_us"][0]) - (FIRST + 300_000_000)) <= MINUTE_US // 2


def test_memory_does_not_grow_once_all_is_full():
    rows = moments(START + np.arange(2000) * 2_000_000)
    track = filled(rows, 50, 5, [1])
    before = track.fine.bytes + track.coarse.bytes
    more = moments(START + np.arange(2000, 4000) * 2_000_000)
    track.push(more)
    assert track.fine.bytes + track.coarse.bytes == before
    assert (len(track.fine), len(track.coarse)) == (50, 5)
