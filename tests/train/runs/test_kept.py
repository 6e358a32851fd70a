"""Parts of a training: made once, found again with the same bytes and numbers."""

from __future__ import annotations

import math

import pytest

from ascribe.train.parts import Part, once
from ascribe.train.runs.kept import kept_in

from ..notes import Notes

NUMBERS = {"family": "trees", "mse": 0.1 + 0.2, "share": [1e-300, math.pi], "nothing": None}


def test_a_part_is_made_once_and_found_as_it_was(tmp_path):
    made, notes = [], Notes()

    def make() -> Part:
        made.append(1)
        return Part({"predict.onnx": b"\0graph", "scores.npz": b"table"}, NUMBERS)

    found = [kept_in(tmp_path, "code", notes)("power", make) for _ in range(2)]
    assert len(made) == 1
    assert found[0] == found[1] == make()
    assert notes.lines == ["train: power was done before, 0.0 s"]


def test_other_code_makes_it_again_and_a_failure_is_not_kept(tmp_path):
    made = []

    def make() -> Part:
        made.append(1)
        if len(made) == 1:
            raise RuntimeError("half way")
        return Part({}, {"count": len(made)})

    keep = kept_in(tmp_path, "code", Notes())
    with pytest.raises(RuntimeError):
        keep("power", make)
    assert keep("power", make).facts == keep("power", make).facts == {"count": 2}
    assert kept_in(tmp_path, "other code", Notes())("power", make).facts == {"count": 3}


def test_without_a_place_nothing_is_kept():
    parts = iter([Part({}, {"count": 1}), Part({}, {"count": 2})])
    assert [once("power", lambda: next(parts)).facts["count"] for _ in range(2)] == [1, 2]
