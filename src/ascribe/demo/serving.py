"""The processes that the demo starts as a user would: the service, and telemetry that moves."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO
from urllib.parse import quote

import polars as pl
import pyarrow.feather

from ascribe import api
from ascribe.core.errors import ServiceError
from ascribe.demo.told import say

__all__ = ["PLAYED", "moving", "replayed", "service"]

PLAYED, BEHIND_S, MOVED_S = 4, 900, 60.0  # nodes that are played, seconds of them before now; until they move
ENDING_S = 30.0  # that a process may take to end, before it is killed


@contextmanager
def service(registry: str, name: str, lake: str) -> Iterator[tuple[str, str]]:
    """`ascribe serve` as a process of its own on free ports; yields both addresses."""
    command = [sys.executable, "-m", "ascribe", "serve", "--registry", registry, "--model", name, "--lake", lake]
    command += ["--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event.get("event") == "ready":
                say.print(f"service ready in {event['start_ms']} ms")
                threading.Thread(target=_drained, args=(process.stdout,), daemon=True).start()
                yield event["http"], event["grpc"]
                return
        raise ServiceError("the service ended before it was ready: its log is above")
    finally:
        _ended(process)


@contextmanager
def replayed(data: Path, bundle: Path, folder: Path, lake: str) -> Iterator[None]:
    """As `ascribe ingest --source replay:FILE` does it, in a process of its own: the rows that no model was trained on,
    as several nodes, over and over. They go into a lake of their own, so that nothing is ever trained on them, and what
    the service looks at is left where it looks.
    """
    held = pyarrow.feather.read_table(io.BytesIO(api.open(bundle).bundle.read("holdout")))["row"].to_numpy()
    rows = folder / "replay.parquet"
    pl.read_parquet(data)[held].drop("id").write_parquet(rows)
    source = f"replay:{quote(str(rows))}?nodes={PLAYED}&behind_s={BEHIND_S}&again=1"
    command = [sys.executable, "-m", "ascribe", "ingest", "--source", source, "--lake", str(folder / "replayed")]
    command += ["--state", lake, "--group", "replay"]
    with (folder / "replay.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            yield
        finally:
            _ended(process)


def moving(http: str) -> None:
    """Two different moments of one node, both of now. Raises ServiceError where none comes."""
    seen: dict[str, int] = {}
    began_us = time.time_ns() // 1000
    until = time.monotonic() + MOVED_S
    while time.monotonic() < until:
        with urllib.request.urlopen(f"{http}/v1/now", timeout=10) as answer:
            for node in json.load(answer)["nodes"]:
                t_us = node["timestamp_us"]
                if t_us >= began_us and seen.setdefault(node["node"], t_us) != t_us:
                    return
        time.sleep(0.2)
    raise ServiceError(f"no node's moments move within {MOVED_S:.0f} s: replay.log in the demo's folder may say why")


def _drained(lines: TextIO) -> None:
    """Read to the end and forgotten: a server whose log nobody takes stands still once the pipe is full."""
    with lines:
        for _ in lines:
            pass


def _ended(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> None:
    """Asked to end, and killed where it does not."""
    process.terminate()
    try:
        process.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
