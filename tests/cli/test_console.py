"""Progress on an error stream that is a file."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from ascribe import console


@pytest.fixture
def said(monkeypatch):
    held = io.StringIO()
    monkeypatch.setattr(console, "err", Console(file=held, soft_wrap=True))
    return held


def test_what_failed_leaves_no_bar_and_no_empty_line(said):
    def failing() -> None:
        with console.bars() as shown:
            shown.add_task("reading", total=1.0)
            raise KeyError

    with pytest.raises(KeyError):
        failing()
    assert said.getvalue() == ""


@pytest.mark.parametrize("keep", [True, False], ids=["kept", "gone"])
def test_what_succeeded_leaves_its_bar_where_it_is_kept(said, keep):
    with console.bars(keep) as shown:
        shown.advance(shown.add_task("reading", total=1.0))
    assert ("reading" in said.getvalue()) == keep and (said.getvalue() == "") == (not keep)
