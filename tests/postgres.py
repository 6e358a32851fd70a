"""A PostgreSQL of its own for a run of the tests: made with initdb, on loopback, gone afterwards. Fixture: `postgres`.

The server refuses to run as root; there it runs as nobody.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.ports import held_port

__all__ = ["postgres", "running"]

NOBODY = "65534"
PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/bin", "/opt/homebrew/bin", "/usr/pgsql-*/bin")
UP_S = 180


def found(name: str) -> str | None:
    """The newest binary of that name."""
    held = [str(path) for place in PLACES for path in sorted(Path("/").glob(f"{place[1:]}/{name}"))]
    return held[-1] if held else shutil.which(name)


@contextmanager
def running() -> Iterator[str]:
    """The URL of an empty database of the user `reader`, whose password is in it."""
    initdb, pg_ctl = found("initdb"), found("pg_ctl")
    if initdb is None or pg_ctl is None:
        pytest.skip("no PostgreSQL here: initdb and pg_ctl are not installed")
    as_root = os.geteuid() == 0
    if as_root and shutil.which("setpriv") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no setpriv to run it as nobody")
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"] if as_root else []
    place = Path(tempfile.mkdtemp(prefix="ascribe-postgres-"))  # of pytest's own folders others may not be read
    data, password = place / "data", secrets.token_urlsafe(12)
    (place / "password").write_text(password)
    if as_root:
        for path in (place, place / "password"):
            os.chown(path, int(NOBODY), int(NOBODY))
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": str(place), "TZ": "UTC"}

    def call(*words: str) -> None:
        done = subprocess.run(
            [*become, *words], env=environment, cwd=place, capture_output=True, text=True, timeout=UP_S
        )
        assert done.returncode == 0, done.stderr + done.stdout

    try:
        secret = ["--pwfile", str(place / "password"), "--auth", "scram-sha-256"]
        call(initdb, "-D", str(data), "-U", "reader", "-E", "UTF8", "--no-sync", *secret)
        with held_port() as port:
            options = f"-p {port} -k '' -c listen_addresses=127.0.0.1 -c fsync=off"  # a socket's path would be too long
            call(pg_ctl, "-D", str(data), "-l", str(place / "log"), "-o", options, "-w", "-t", str(UP_S), "start")
            try:
                yield f"postgresql://reader:{password}@127.0.0.1:{port}/postgres"
            finally:
                call(pg_ctl, "-D", str(data), "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    with running() as url:
        yield url
