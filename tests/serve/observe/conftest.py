"""A server whose counts, log and debug page are looked at."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ..conftest import Served, open_server


@pytest.fixture(scope="session")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from open_server(tmp_path_factory.mktemp("watched"), max_rows=8, debug_page=True, log_share=0.0)
