"""Parties have time here, whatever else the machine does: what is too long is said by the tests that ask for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

PATIENCE_S = {"CONNECT": 60, "SOURCE": 90, "TIMEOUT": 120}


@pytest.fixture(scope="module", autouse=True)
def patience() -> Iterator[None]:
    """What a `PartySettings` has where it says nothing else, in processes that are started, too."""
    with pytest.MonkeyPatch.context() as patched:
        for name, seconds in PATIENCE_S.items():
            patched.setenv(f"ASCRIBE_PARTY_{name}_S", str(seconds))
        yield
