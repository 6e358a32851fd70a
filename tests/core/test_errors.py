"""What is raised where a part is not installed."""

from __future__ import annotations

from importlib import import_module

import pytest

from ascribe.core.errors import MissingExtra, extra


def test_a_part_that_is_not_installed_is_named_with_its_cure():
    text = r"^this needs ghosts: pip install 'ascribe\[haunted\]' \(no_such_library is missing\)$"
    with pytest.raises(MissingExtra, match=text), extra("haunted", "ghosts"):
        import_module("no_such_library.part")


@pytest.mark.parametrize("name", ["ascribe.no_such_module", "ascribe.core.no_such_module"])
def test_a_module_of_our_own_that_is_not_there_is_no_extra(name):
    with pytest.raises(ModuleNotFoundError, match=name) as told, extra("haunted", "ghosts"):
        import_module(name)
    assert not isinstance(told.value, MissingExtra)
