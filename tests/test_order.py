"""The longest files come first, also where several processes share them."""

from dataclasses import dataclass
from pathlib import Path

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
