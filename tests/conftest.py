"""Property tests draw the same examples on every machine and every day; none is failed for being slow."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from httpx._config import DEFAULT_TIMEOUT_CONFIG
from hypothesis import settings

from tests.journey import MOBILENET, ROOT, ascribe, sampled, train
from tests.once import once
from tests.order import longest_first
from tests.stores import careless_s3, careless_s3_server, s3, s3_server

__all__ = ["careless_s3", "careless_s3_server", "demonstrated", "mobilenet", "s3", "s3_server", "trained"]

settings.register_profile("fixed", derandomize=True, deadline=None, database=None)
settings.load_profile("fixed")


def pytest_configure(config):
    for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):  # xdist's workers and every command inherit them
        os.environ.setdefault(threads, "1")  # threads that wait for one another take up to 100 times longer
    for wait in ("connect", "read", "write", "pool"):  # five seconds are few where four processes share two cores
        setattr(DEFAULT_TIMEOUT_CONFIG, wait, 120.0)
    config.option.loadscopereorder = False  # or files go to the workers by their number of tests
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # a script has started this run with `&`
        signal.signal(signal.SIGINT, signal.default_int_handler)  # or Ctrl-C would end no command of the tests


def pytest_collection_modifyitems(config, items):
    longest_first(items, Path(__file__).parent.as_posix())


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A bundle trained once a run by the command on a sixth of real telemetry: its folder, and what was said."""

    def make(place):
        done = train(sampled(place / "rows.parquet"), place / "good")
        assert done.returncode == 0, done.stderr
        (place / "said.json").write_text(json.dumps([done.args, done.returncode, done.stdout, done.stderr]))

    place = once(tmp_path_factory, "trained", make)
    return place, subprocess.CompletedProcess(*json.loads((place / "said.json").read_text()))


@pytest.fixture(scope="session")
def mobilenet(tmp_path_factory):
    """MobileNet imported once a run by the command, which traces it for half a minute: the bundle's folder."""

    def make(place):
        done = ascribe(*MOBILENET.split(), "--out", place / "bundle", cwd=ROOT)
        assert done.returncode == 0, done.stderr

    return once(tmp_path_factory, "mobilenet", make) / "bundle"


@pytest.fixture(scope="session")
def demonstrated(tmp_path_factory):
    """A folder in which `ascribe demo` has run, on a sixth of the rows, once a run; and what it said."""

    def make(place):
        command = [sys.executable, "-m", "ascribe", "demo", "--once", "--quick"]
        done = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=900)
        assert done.returncode == 0, done.stdout + done.stderr
        (place / "said.txt").write_text(done.stdout)

    place = once(tmp_path_factory, "demonstrated", make)
    return place, (place / "said.txt").read_text()
