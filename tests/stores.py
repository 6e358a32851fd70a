"""S3-compatible stores as processes on loopback, one of each for a run of the tests: moto keeps conditional writes,
rclone ignores them. Fixtures: `s3` and `careless_s3`, each with the environment that a client reads.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import held_port

BIN = Path(sys.executable).parent
UP_S = 120.0
BUCKET = "models"


@dataclass(frozen=True)
class Place:
    """`uri`: a prefix of the bucket that nobody else uses. `environment`: how obstore (and deltalake) find it."""

    uri: str
    environment: Mapping[str, str]

    @property
    def endpoint(self) -> str:
        return self.environment["AWS_ENDPOINT_URL"]


@contextmanager
def in_environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Variables for this process and those it starts, put back afterwards."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        yield


def settings_of(port: int, key: str = "key", secret: str = "secret") -> dict[str, str]:
    endpoint = f"http://127.0.0.1:{port}"
    return {
        "AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT": endpoint, "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": secret, "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ALLOW_HTTP": "true",
    }  # fmt: skip


@contextmanager
def started(command: list[str], up: Callable[[], None]) -> Iterator[None]:
    """A server process, from the first time `up` does not raise OSError; killed at the end."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=dict(os.environ))
    try:
        until = time.monotonic() + UP_S
        while True:
            try:
                up()
                break
            except OSError:
                assert process.poll() is None, f"{command[0]} ended at once"
                assert time.monotonic() < until, f"{command[0]} is not up after {UP_S} s"
                time.sleep(0.05)
        yield
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[dict[str, str]]:
    """moto with one bucket; yields the settings of its clients. It keeps objects in memory and checks no signature."""
    boto3 = pytest.importorskip("boto3")
    command = BIN / "moto_server"
    if not command.exists():
        pytest.skip("moto is not installed")
    with held_port() as port:
        settings = settings_of(port)

        def up() -> None:
            urllib.request.urlopen(f"{settings['AWS_ENDPOINT_URL']}/moto-api/", timeout=5).close()

        with started([str(command), "-H", "127.0.0.1", "-p", str(port)], up):
            client = boto3.client(
                "s3", endpoint_url=settings["AWS_ENDPOINT_URL"], region_name="us-east-1",
                aws_access_key_id=settings["AWS_ACCESS_KEY_ID"],
                aws_secret_access_key=settings["AWS_SECRET_ACCESS_KEY"],
            )  # fmt: skip
            client.create_bucket(Bucket=BUCKET)
            yield settings


@pytest.fixture(scope="session")
def careless_s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """rclone over a directory: it checks signatures and ignores `If-Match` and `If-None-Match`."""
    command = BIN / "rclone"
    if not command.exists():
        pytest.skip("rclone is not installed")
    directory = tmp_path_factory.mktemp("rclone")
    (directory / BUCKET).mkdir()
    with held_port() as port:
        settings = settings_of(port, "a-key-of-20-letters-", "secret")
        keys = f"{settings['AWS_ACCESS_KEY_ID']},{settings['AWS_SECRET_ACCESS_KEY']}"
        words = ["serve", "s3", "--addr", f"127.0.0.1:{port}", "--auth-key", keys, str(directory)]

        def up() -> None:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()

        with started([str(command), *words], up):
            yield settings


@pytest.fixture
def s3(s3_server: dict[str, str], tmp_path: Path) -> Iterator[Place]:
    """A place on a store with conditional writes, and the environment to use it."""
    with in_environment(s3_server):
        yield Place(f"s3://{BUCKET}/{tmp_path.parent.name}/{tmp_path.name}", s3_server)


@pytest.fixture
def careless_s3(careless_s3_server: dict[str, str], tmp_path: Path) -> Iterator[Place]:
    """A place on a store that ignores conditions, and the environment to use it."""
    with in_environment(careless_s3_server):
        yield Place(f"s3://{BUCKET}/{tmp_path.parent.name}/{tmp_path.name}", careless_s3_server)
