"""Property tests draw the same examples on every machine and every day; none is failed for being slow."""

import pytest
from hypothesis import settings

from tests.journey import sampled, train
from tests.stores import careless_s3, careless_s3_server, s3, s3_server

__all__ = ["careless_s3", "careless_s3_server", "s3", "s3_server", "trained"]

settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.load_profile("fixed")


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A bundle trained once by the command on every sixth row of real telemetry: its folder, and what was said."""
    place = tmp_path_factory.mktemp("trained")
    done = train(sampled(place / "rows.parquet"), place / "good")
    assert done.returncode == 0, done.stderr
    return place, done
