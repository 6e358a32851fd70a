"""Blobs between the wings: whole, named by any text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ascribe.bundle.state import State
from ascribe.core.errors import NotFound, RegistryError


@pytest.fixture(scope="module")
def state(tmp_path_factory):
    return State(str(tmp_path_factory.mktemp("state") / "lake_state"))


@given(st.text(min_size=1, max_size=40))
def test_any_text_names_a_blob(state, name):
    state.put({"of": name}, "nodes", name)
    assert state.get("nodes", name) == {"of": name}
    assert name in state.names("nodes")


def test_a_blob_is_replaced_as_a_whole(state):
    state.put({"a": 1, "b": 2}, "runs", "one")
    state.put({"a": 3}, "runs", "one")
    assert state.get("runs", "one") == {"a": 3}


def test_what_is_not_there_is_said(state):
    with pytest.raises(NotFound):
        state.get("nodes", "never heard of")
    assert state.find("nodes", "never heard of") is None
    assert state.names("nothing", "below") == []


@pytest.mark.parametrize("name", ["a" * 250, "a" * 251, "a" * 400, "\u8282" * 90])
def test_a_name_longer_than_any_file_has_is_not_there(state, name):
    state.put({}, "nodes", "short")
    assert state.find("nodes", name) is None


@pytest.mark.parametrize("raw", [b"{", b'"\xff"'])
def test_a_blob_that_is_no_json_names_itself(tmp_path, raw):
    state = State(str(tmp_path))
    state.put([1], "runs", "x")
    next(tmp_path.rglob("x.json")).write_bytes(raw)
    with pytest.raises(RegistryError, match=r"runs/x of .* is no JSON"):
        state.get("runs", "x")
