"""A service that talks much is not held up by the demo, and one that does not end is ended."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from ascribe.demo import serving
from ascribe.demo.serving import service
from tests.waiting import until

READY = '{"event": "ready", "start_ms": 1, "http": "http", "grpc": "grpc"}'
LINES = 4000  # of 100 bytes: several times what a pipe holds


def played(place: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """In place of Python, whatever it is asked to run: a program that says that it is ready, and then `body`."""
    program = place / "program"
    program.write_text(f"#!{sys.executable}\nimport os, pathlib, signal, time\n{body}")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))


def test_a_service_whose_log_is_long_does_not_stand_still(tmp_path, monkeypatch):
    said = tmp_path / "said"
    body = f"print('{READY}', flush=True)\nfor _ in range({LINES}):\n    print('x' * 99, flush=True)\n"
    played(tmp_path, monkeypatch, f"{body}pathlib.Path({str(said)!r}).touch()\ntime.sleep(600)\n")
    with service("registry", "name", "lake") as addresses:
        assert addresses == ("http", "grpc")
        until(said.exists, "it stands still")


def test_a_service_that_does_not_end_is_killed(tmp_path, monkeypatch):
    number = tmp_path / "number"
    body = (
        f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\npathlib.Path({str(number)!r}).write_text(str(os.getpid()))\n"
    )
    played(tmp_path, monkeypatch, f"{body}print('{READY}', flush=True)\ntime.sleep(600)\n")
    monkeypatch.setattr(serving, "ENDING_S", 0.1)
    with service("registry", "name", "lake"):
        pass
    with pytest.raises(ProcessLookupError):
        os.kill(int(number.read_text()), 0)
