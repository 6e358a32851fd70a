"""One Prometheus server over an hour of machines that never were."""

import pytest

from tests.prometheus_server import backfilled, serving
from tests.train.sources.fleet import database


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory):
    place = tmp_path_factory.mktemp("prometheus")
    with serving(place, backfilled(place, database())) as base:
        yield base
