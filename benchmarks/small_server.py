"""`ascribe serve` as a process of its own, with a model of 3 features: it is the service that is measured."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ascribe.bundle.archive import open_directory
from ascribe.bundle.registry import Registry
from ascribe.train.compile import Wanted, compile_bundle
from tests.bundle import made

__all__ = ["served"]

NAME, AT = "m", "2026-11-01T00:00:00Z"


@contextmanager
def served(folder: Path) -> Iterator[dict[str, str]]:
    """A server with tiers fast and balanced; its addresses."""
    made.made(folder / "bundle", amortized=True)
    compile_bundle(folder / "bundle", [Wanted("balanced"), Wanted("fast")], lambda _: None)
    registry = Registry(str(folder / "registry"))
    registry.promote(NAME, registry.publish(NAME, open_directory(folder / "bundle")), AT)
    command = [sys.executable, "-m", "ascribe", "serve", "--registry", registry.uri, "--model", NAME, "--http",
               "127.0.0.1:0", "--grpc", "127.0.0.1:0"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = next(event for event in map(json.loads, process.stdout) if event["event"] == "ready")
        threading.Thread(target=process.stdout.read, daemon=True).start()  # or the pipe fills
        try:
            yield {"http": ready["http"], "grpc": ready["grpc"]}
        finally:
            process.terminate()
