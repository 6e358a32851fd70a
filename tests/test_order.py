"""The longest files come first, also where several processes share them; and what a run hands on to its commands."""

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from tests.conftest import pytest_configure
from tests.order import LONGEST, longest_first, place

HERE = Path(__file__).parent


@dataclass
class Item:
    path: Path
    name: str = ""


def test_the_list_names_files_that_are_there():
    assert [file for file in LONGEST if not (HERE / file).is_file()] == []


def test_longest_first_and_all_else_as_it_was():
    late = [Item(HERE / LONGEST[1], "b"), Item(HERE / LONGEST[1], "a"), Item(HERE / LONGEST[0])]
    other = [Item(HERE / "core" / "z.py"), Item(HERE / "core" / "a.py")]
    items = [other[0], *late, other[1]]
    longest_first(items, HERE.as_posix())
    assert items == [late[2], *late[:2], *other]


def test_this_run_is_in_that_order(request):
    """The processes share the files as collected, not by their number of tests."""
    assert request.config.option.loadscopereorder is False
    places = [place(item.path.relative_to(HERE).as_posix()) for item in request.session.items]
    assert places == sorted(places)


def test_commands_hear_ctrl_c_though_a_script_started_the_run_with_an_ampersand():
    """Such a run ignores it, and so would whatever it starts: a test of Ctrl-C would wait for ever."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        pytest_configure(SimpleNamespace(option=SimpleNamespace()))
        ask = "import signal; print(signal.getsignal(signal.SIGINT))"
        told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True).stdout
    finally:
        signal.signal(signal.SIGINT, before)
    assert "default_int_handler" in told
