"""A real PostgreSQL for tests: a folder of its own, a free port of 127.0.0.1, gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["postgres"]

PLACES = ("/usr/local/bin", *(str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)))


def _found(name: str) -> str:
    where = shutil.which(name) or shutil.which(name, path=os.pathsep.join(PLACES))
    if where is None:
        pytest.skip(f"no {name} here: install PostgreSQL to run this test")
    return where


def _as_nobody(folder: Path) -> list[str]:
    """How to run as somebody else: the server refuses to be root."""
    if os.geteuid() != 0:
        return []
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user 'nobody' here")
    for name in ("setpriv", "runuser"):
        if where := shutil.which(name):
            break
    else:
        pytest.skip("PostgreSQL does not run as root, and neither setpriv nor runuser is here")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    if name == "setpriv":
        return [where, f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups"]
    return [where, "-u", "nobody", "--"]


@contextmanager
def postgres() -> Iterator[str]:
    """Yields HOST:PORT; user and database are `postgres`, everybody is trusted."""
    initdb, server = _found("initdb"), _found("postgres")
    with tempfile.TemporaryDirectory(prefix="pg") as held:
        folder = Path(held)
        who = _as_nobody(folder)
        data = folder / "data"
        made = [initdb, "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run([*who, *made], check=True, capture_output=True, timeout=60, cwd=held)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        run = [server, "-D", str(data), "-p", str(port), "-h", "127.0.0.1", "-k", held, "-F"]
        with subprocess.Popen([*who, *run], stderr=subprocess.PIPE, text=True, cwd=held) as running:
            try:
                told = []
                for line in running.stderr:
                    told.append(line)
                    if "ready to accept connections" in line:
                        break
                else:
                    raise AssertionError("".join(told))
                yield f"127.0.0.1:{port}"
            finally:
                running.terminate()  # a smart end would wait for pooled connections
                try:
                    running.wait(5)
                except subprocess.TimeoutExpired:
                    running.kill()
