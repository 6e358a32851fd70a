"""Vectors that may enter the lake, and the reasons of the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ascribe.core.errors import InputError
from ascribe.core.features import Feature
from ascribe.train.definitions import FeatureSet, read_definitions
from ascribe.train.ingest.recent import Recent
from ascribe.train.ingest.screen import screen
from ascribe.train.vectors import Places, Vectors

NOW = 1_790_000_000_000_000
KNOWN = FeatureSet((Feature("cpu", "percent", 0, 100), Feature("ipc", "ratio", 0, 10)))


def vectors(X: list[list[float]], names=("cpu", "ipc"), power=None, time=None) -> Vectors:
    count = len(X)
    times, watts = np.array(time or [NOW] * count), np.array(power or [90.0] * count)
    places = Places(("s",), np.zeros(count, int), np.arange(count))
    ids = [f"r{i}" for i in range(count)]
    return Vectors(ids, ["n"] * count, times, watts, names, np.array(X, float).reshape(count, len(names)), places)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ([50, 1.5], ""),
        ([0, 10], ""),
        ([101, 1.5], "impossible percentage in cpu (101 percent, possible 0..100)"),
        ([50, -1], "out of range in ipc (-1 ratio, possible 0..10)"),
        ([np.nan, 1], "missing value in cpu"),
        ([50, np.inf], "not a number in ipc (inf)"),
    ],
)
def test_a_row_and_its_reason(row, reason):
    good, reasons = screen(vectors([[50, 1], row]), KNOWN, NOW)
    assert reasons == ["", reason]
    assert good.tolist() == [True, not reason]


def test_a_defined_feature_must_be_there():
    good, reasons = screen(vectors([[1.0]], ("cpu",)), KNOWN, NOW)
    assert (good.tolist(), reasons) == ([False], ["missing value in ipc"])


def test_without_definitions_everything_finite_is_taken():
    good, reasons = screen(vectors([[-1e9, np.nan], [np.inf, 0]]), None, NOW)
    assert good.tolist() == [True, False]
    assert reasons[1] == "not a number in cpu (inf)"


def test_power_and_time_are_judged():
    v = vectors([[1, 1]] * 5, power=[np.nan, -1, np.inf, 1, 1], time=[NOW, NOW, NOW, 0, NOW + 10**12])
    good, reasons = screen(v, KNOWN, NOW)
    assert good.tolist() == [True, False, False, False, False]
    assert [reason.split(" ")[0] for reason in reasons[1:]] == ["out", "out", "timestamp", "timestamp"]


def test_a_row_without_id_or_node_is_refused():
    v = replace(vectors([[1, 1]] * 4), id=["a", "", "c", ""], node=["n", "n", "", ""])
    good, reasons = screen(v, KNOWN, NOW)
    assert good.tolist() == [True, False, False, False]
    assert reasons == ["", "id is empty", "node is empty", "id is empty"]


@pytest.mark.parametrize("name", ["n" * 241, "é" * 41, "a.b." * 30 + "a", "/" * 81])
def test_a_node_that_no_folder_can_be_called_by_is_refused(name):
    v = replace(vectors([[1, 1]] * 3), node=["n", name, name[:-1]])
    good, reasons = screen(v, KNOWN, NOW)
    assert good.tolist() == [True, False, True]
    assert reasons[1] == f"node has too long a name ({len(name)} letters): shorten it"


def test_definitions_have_a_version_of_their_content(tmp_path):
    (tmp_path / "f.toml").write_text('cpu = "percent"\nuw = { unit = "W", transform = "micro" }\nwatts = "W"\n')
    known = read_definitions(tmp_path / "f.toml", power="watts")
    assert known.names == ("cpu", "uw", "power_w")
    assert known.scale(["uw", "cpu", "other"]).tolist() == [1e-6, 1, 1]
    again = FeatureSet.from_json(known.to_json())
    assert again == known
    assert again.version == known.version
    assert FeatureSet(known.features).version != known.version


def test_an_unknown_transform_is_told(tmp_path):
    (tmp_path / "f.toml").write_text('uw = { unit = "W", transform = "tiny" }\n')
    with pytest.raises(InputError, match="transform 'tiny' of uw is unknown: use nano, micro"):
        read_definitions(tmp_path / "f.toml")


def test_ids_are_remembered_for_a_while():
    recent = Recent(size=10)
    assert recent.repeated(["a", "b"]) == []
    assert recent.repeated(["c", "a", "c"]) == [1, 2]
    for k in range(4):
        assert recent.repeated([f"{k}-{i}" for i in range(8)]) == []
    assert recent.repeated(["a"]) == []
    recent.learn(["elsewhere"])
    assert recent.repeated(["elsewhere"]) == [0]
