"""One browser for a file, since its driver keeps an event loop running in this thread; a tab for each test, which must
end without a fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from .browser import PATIENCE_MS, WIDE, Tab, browsing

expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def tab(browser: Browser) -> Iterator[Callable[..., Tab]]:
    """tab(address, size=WIDE, **context): new tabs, closed with the test."""
    opened: list[Tab] = []

    def opening(at: str, size: dict[str, int] = WIDE, **context: Any) -> Tab:
        opened.append(Tab(browser, at, size, **context))
        return opened[-1]

    yield opening
    for one in opened:
        one.close()
