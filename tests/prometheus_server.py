"""A real Prometheus server for tests: found on PATH, else unpacked from the system's package into `.cache/`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from filelock import FileLock

from tests.ports import held_port

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "prometheus"
READY_S = 180.0


def programs() -> tuple[str, str]:
    """The paths of prometheus and promtool; skips the test where they cannot be had."""
    on_path = shutil.which("prometheus"), shutil.which("promtool")
    if on_path[0] and on_path[1]:
        return on_path[0], on_path[1]
    unpacked = CACHE / "usr" / "bin"
    if not (unpacked / "promtool").exists():
        problem = unpack()
        if problem:
            pytest.skip(f"no Prometheus server: not on PATH, and its package cannot be had ({problem})")
    return str(unpacked / "prometheus"), str(unpacked / "promtool")


def unpack() -> str:
    """Downloads the package and unpacks it, installing nothing; why it failed, or nothing."""
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return "this system has no apt-get and dpkg"
    CACHE.parent.mkdir(exist_ok=True)
    with FileLock(CACHE.parent / "prometheus.lock"):
        if (CACHE / "usr" / "bin" / "promtool").exists():
            return ""
        fresh = CACHE.with_name(f"prometheus.{os.getpid()}")
        fresh.mkdir()
        try:
            said = ""
            for update in (False, True):
                if update and subprocess.run(["apt-get", "update", "-qq"], capture_output=True, timeout=120).returncode:
                    break
                got = subprocess.run(
                    ["apt-get", "download", "-qq", "prometheus"],
                    cwd=fresh, capture_output=True, text=True, timeout=120,
                )  # fmt: skip
                said = got.stderr.strip().splitlines()[-1] if got.stderr.strip() else ""
                for package in fresh.glob("*.deb"):
                    subprocess.run(["dpkg", "-x", package.name, "."], cwd=fresh, check=True, capture_output=True)
                    package.unlink()
                    fresh.rename(CACHE)
                    return ""
            return said or "apt-get download gave nothing"
        except (OSError, subprocess.SubprocessError) as exc:
            return str(exc)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)


def backfilled(place: Path, exposition: str) -> Path:
    """A database made of OpenMetrics text with times."""
    text, database = place / "samples.txt", place / "tsdb"
    text.write_text(exposition)
    command = [programs()[1], "tsdb", "create-blocks-from", "openmetrics", str(text), str(database)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return database


@contextmanager
def serving(place: Path, database: Path, scrape: str = "") -> Iterator[str]:
    """A server on loopback over a database; `scrape` is the YAML of what it scrapes. Gives its address."""
    config = place / "prometheus.yml"
    config.write_text(scrape or "global: {scrape_interval: 15s}\n")
    with held_port() as port, (place / "prometheus.log").open("w") as log:
        address = f"127.0.0.1:{port}"
        command = [
            programs()[0], f"--config.file={config}", f"--storage.tsdb.path={database}",
            f"--web.listen-address={address}", "--storage.tsdb.retention.time=100y",
        ]  # fmt: skip
        server = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            until = time.monotonic() + READY_S
            while time.monotonic() < until and server.poll() is None:
                with suppress(OSError, urllib.error.URLError):
                    urllib.request.urlopen(f"http://{address}/-/ready", timeout=5).close()
                    break
                time.sleep(0.05)
            else:
                pytest.fail("the Prometheus server did not start: " + (place / "prometheus.log").read_text()[-2000:])
            yield f"http://{address}"
        finally:
            server.terminate()
            server.wait(30)


def asked(base: str, query: str, at_s: float) -> list[tuple[dict[str, str], float]]:
    """An instant query, asked without our client."""
    form = urllib.parse.urlencode({"query": query, "time": f"{at_s:.3f}"})
    with urllib.request.urlopen(f"{base}/api/v1/query?{form}", timeout=30) as reply:
        found = json.loads(reply.read())["data"]["result"]
    return [(series["metric"], float(series["value"][1])) for series in found]


if __name__ == "__main__":
    problem = "" if shutil.which("prometheus") and shutil.which("promtool") else unpack()
    print(f"no Prometheus server, its tests will be skipped: {problem}" if problem else "a Prometheus server is there")
