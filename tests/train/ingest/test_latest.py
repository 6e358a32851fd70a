"""The latest vector of a node in the state, whoever writes it and in whatever order rows come."""

from __future__ import annotations

import numpy as np
import pytest

from ascribe.bundle.state import State
from ascribe.train.ingest.ingested import Ingested
from ascribe.train.ingest.latest import Latest
from ascribe.train.vectors import Places, Vectors

OLD, NEW = 1_770_000_000_000_000, 1_780_000_000_000_000


def told(state: State, *times: int, node: str = "n") -> None:
    """A process that sees rows of these times, one after another, and ends."""
    latest = Latest(state, "g")
    for when in times:
        places = Places(("s",), np.zeros(1, int), np.zeros(1, np.int64))
        v = Vectors([f"r{when}"], [node], np.array([when]), np.ones(1), ("cpu",), np.ones((1, 1)), places)
        latest.see(v, np.ones(1, bool))
        latest.write(Ingested())


def test_old_rows_that_come_later_move_no_node_back(tmp_path):
    state = State(str(tmp_path / "state"))
    told(state, NEW)
    told(state, OLD, OLD + 1)
    assert state.get("nodes", "n")["timestamp_us"] == NEW
    told(state, OLD, NEW + 1, OLD + 1)
    assert state.get("nodes", "n")["id"] == f"r{NEW + 1}"


@pytest.mark.parametrize("broken", ["no vector", [1], {"timestamp_us": "then"}, {"node": "n"}, None])
def test_a_blob_that_is_no_vector_is_written_over(tmp_path, broken):
    state = State(str(tmp_path / "state"))
    state.put(broken, "nodes", "n")
    told(state, OLD)
    assert state.get("nodes", "n")["timestamp_us"] == OLD


def test_a_node_is_looked_up_once(tmp_path, monkeypatch):
    state, asked = State(str(tmp_path / "state")), []
    monkeypatch.setattr(state, "find", lambda *name: asked.append(name))
    told(state, OLD, OLD + 1, OLD + 2)
    assert asked == [("nodes", "n")]
