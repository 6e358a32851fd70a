"""Training, validation and held-out parts: in time order, apart from one another."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascribe.core.errors import InputError
from ascribe.core.features import Feature
from ascribe.train.dataset import Dataset, Part, split
from ascribe.train.pipeline import _with_range

NAMES = ["a", "b"]


def table(rows: int, groups: int = 1, seed: int = 0) -> pl.DataFrame:
    """Groups interleaved and rows out of time order; `a` is the time, so a part's X shows what it holds."""
    rng = np.random.default_rng(seed)
    t = rng.permutation(rows)
    columns = {"row": np.arange(rows), "a": t.astype(float), "b": rng.random(rows), "y": 2.0 * t, "t": t}
    return pl.DataFrame(columns | {"g": rng.integers(groups, size=rows)})


def parts(data: Dataset) -> tuple[Part, Part, Part]:
    return data.fit, data.validation, data.holdout


@given(st.integers(120, 300), st.integers(1, 4), st.floats(0.15, 0.5), st.floats(0.15, 0.5), st.integers(0, 9))
def test_each_group_is_cut_in_time_and_every_row_is_in_one_part(rows, groups, holdout, validation, seed):
    frame = table(rows, groups, seed)
    data = split(frame, NAMES, "y", "t", ("g",), holdout, validation)
    ids = np.concatenate([p.row for p in parts(data)])
    assert sorted(ids) == list(range(rows))  # none twice, none lost
    g = frame["g"].to_numpy()
    for k in np.unique(g):
        fit, between, held = (p.X[g[p.row] == k, 0] for p in parts(data))
        whole = np.concatenate([fit, between, held])
        assert (np.diff(whole) > 0).all()  # fit, then validation, then held out; each in order
        assert len(held) == len(whole) - round(len(whole) * (1 - holdout))


def test_rows_keep_their_values_and_their_numbers():
    frame = table(100)
    data = split(frame, NAMES, "y", "t")
    for part in parts(data):
        assert part.X.tolist() == frame[part.row.tolist()].select(NAMES).to_numpy().tolist()
        assert part.y.tolist() == frame["y"][part.row.tolist()].to_list()
        assert (part.X.dtype, part.y.dtype, part.row.dtype) == (np.float64, np.float64, np.int64)
    assert [len(p) for p in parts(data)] == [49, 21, 30]
    assert data.training.row.tolist() == [*data.fit.row, *data.validation.row]
    assert data.training.X[:, 0].tolist() == list(range(70))
    assert data.holdout.X[:, 0].tolist() == list(range(70, 100))


def test_no_row_hash_is_in_two_parts():
    data = split(table(200), NAMES, "y", "t")
    hashes = [{row.tobytes() for row in np.column_stack([p.X, p.y])} for p in parts(data)]
    assert sum(map(len, hashes)) == len(set.union(*hashes)) == 200


def test_the_seen_range_is_that_of_the_training_part():
    frame = table(100)
    data = split(frame, NAMES, "y", "t")
    a, b = _with_range([Feature("a", "W"), Feature("b")], data.training.X)
    assert (a.seen_low, a.seen_high) == (0.0, 69.0)  # not 99: the end of the table is held out
    assert (b.seen_low, b.seen_high) == (data.training.X[:, 1].min(), data.training.X[:, 1].max())
    assert (a.unit, a.low, a.high) == ("W", -np.inf, np.inf)


def test_without_a_time_the_order_is_the_seeds():
    one, two, other = (split(table(100), NAMES, "y", seed=k) for k in (0, 0, 1))
    assert all(p.row.tolist() == q.row.tolist() for p, q in zip(parts(one), parts(two), strict=True))
    assert one.holdout.row.tolist() != other.holdout.row.tolist()
    assert one.holdout.row.tolist() != list(range(70, 100))
    assert sorted(np.concatenate([p.row for p in parts(one)])) == list(range(100))


def test_without_a_time_every_group_is_in_every_part():
    frame = table(200, groups=3)
    data = split(frame, NAMES, "y", group=("g",))
    for part in parts(data):
        assert set(frame["g"].to_numpy()[part.row]) == {0, 1, 2}


@pytest.mark.parametrize(("holdout", "validation"), [(0, 0.3), (1, 0.3), (0.3, 0), (0.3, 1.5), (-0.1, 0.3)])
def test_shares_lie_between_nothing_and_all(holdout, validation):
    with pytest.raises(InputError, match=r"shares must lie between 0 and 1: holdout .*, validation"):
        split(table(100), NAMES, "y", holdout=holdout, validation=validation)


@pytest.mark.parametrize(("rows", "part"), [(40, "validation"), (25, "validation"), (14, "fit"), (1, "fit")])
def test_a_part_that_is_too_small_is_named(rows, part):
    with pytest.raises(InputError, match=rf"the {part} part has \d+ rows?, 10 are the least"):
        split(table(rows), NAMES, "y", "t")
