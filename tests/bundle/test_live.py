"""Samples of rows that servers answered: written beside one another, read as one."""

from __future__ import annotations

import msgspec
import pytest

from ascribe.bundle.live import Live, read_live, write_live
from ascribe.bundle.state import State
from ascribe.core.errors import NotFound, RegistryError

ONE = Live("v1", "2026-11-26T00:00:01Z", ["busy", "ghz"], [[0.5, 2.0]], [61.0], [[3.0, 4.0]], 40)
TWO = Live("v1", "2026-11-26T00:00:02Z", ["busy", "ghz"], [[0.1, 3.0], [0.2, 1.0]], [51.0, 52.0], [[1, 2], [3, 4]], 60)


@pytest.fixture
def state(tmp_path) -> State:
    return State(str(tmp_path / "state"))


def test_samples_of_several_servers_are_one(state):
    write_live(state, "power", "rack 1/a", ONE)
    write_live(state, "power", "b", TWO)
    found = read_live(state, "power", "v1")
    assert found.at == "2026-11-26T00:00:02Z"
    assert sorted(found.X) == [[0.1, 3.0], [0.2, 1.0], [0.5, 2.0]]
    assert dict(zip(map(tuple, found.X), found.predictions, strict=True))[0.5, 2.0] == 61.0
    assert len(found.attributions) == 3
    assert found.seen == 100


def test_a_server_replaces_its_own_sample(state):
    write_live(state, "power", "a", ONE)
    write_live(state, "power", "a", TWO)
    assert read_live(state, "power", "v1") == TWO


def test_attributions_are_kept_only_where_all_have_them(state):
    write_live(state, "power", "a", ONE)
    write_live(state, "power", "b", msgspec.structs.replace(TWO, attributions=[]))
    assert read_live(state, "power", "v1").attributions == []


def test_other_versions_and_empty_samples_do_not_count(state):
    write_live(state, "power", "a", msgspec.structs.replace(ONE, version="v0"))
    write_live(state, "power", "b", msgspec.structs.replace(ONE, X=[], predictions=[], attributions=[]))
    with pytest.raises(NotFound, match="no live rows of power v1"):
        read_live(state, "power", "v1")


@pytest.mark.parametrize(
    "changes", [{"X": [[1.0]]}, {"X": [[1.0, 2.0], [3.0]]}, {"predictions": []}, {"attributions": [[1.0]]}]
)
def test_rows_of_other_lengths_are_refused(state, changes):
    write_live(state, "power", "a", msgspec.structs.replace(ONE, **changes))
    with pytest.raises(RegistryError, match=r"live/power/a of .*: remove it"):
        read_live(state, "power", "v1")


def test_a_blob_that_is_no_sample_is_named(state):
    state.put({"rows": 3}, "live", "power", "a")
    with pytest.raises(RegistryError, match="is no sample"):
        read_live(state, "power", "v1")
    state.remove("live", "power", "a")
    state.remove("live", "power", "a")
    with pytest.raises(NotFound):
        read_live(state, "power", "v1")
