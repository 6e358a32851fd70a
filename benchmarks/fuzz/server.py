"""The server under test: `ascribe serve` as a process of its own, with limits soon reached; its memory, its log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ascribe.bundle.archive import open_directory
from ascribe.bundle.registry import Registry
from ascribe.train.compile import Wanted, compile_bundle
from tests.bundle import made

__all__ = ["NAME", "Server", "served", "told_wrong"]

NAME, AT = "m", "2026-11-01T00:00:00Z"
# Small limits: each is met often, and what may be kept (jobs, later attributions) is full before memory is measured.
LIMITS = {
    "MAX_BODY_BYTES": 256 << 10, "MAX_ROWS": 64, "MAX_BUDGET": 256, "MAX_SAMPLES": 64, "MAX_JOB_ROWS": 256,
    "MAX_JOBS": 16, "JOBS_KEEP_S": 5, "MAX_LATER": 32, "LATER_KEEP_S": 5, "HEADER_S": 3, "BODY_S": 3, "LOG_SHARE": 0,
    "TIMEOUT_S": 5, "ADMIN_TOKEN": "fuzz", "DEBUG_PAGE": 1, "METRICS": 1,
}  # fmt: skip
WRONG = ("Traceback", "Exception", "exception", "Fatal", "Segmentation", "Assertion", "never retrieved")
FELL = ("_server_main_loop", "UnicodeDecodeError")  # grpcio's own words of that fall
STOPPED_S = 30.0


class Server:
    """A running one. `wrong`: lines of its log that tell of a fault of ours; `again`: times that its gRPC server fell,
    by a path that is no UTF-8, and stood up again (see `ascribe.serve.standing`).
    """

    def __init__(self, registry: str) -> None:
        command = [sys.executable, "-m", "ascribe", "serve", "--registry", registry, "--model", NAME]
        settings = {f"ASCRIBE_{name}": str(value) for name, value in LIMITS.items()} | {"OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [*command, "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **settings},
        )  # fmt: skip
        self.wrong: list[str] = []
        self.again = 0
        self.at = self._until_ready()
        threading.Thread(target=self._read, daemon=True).start()

    def alive(self) -> bool:
        return self.process.poll() is None

    def rss_bytes(self) -> int:
        """VmRSS of the process and of its children."""
        pids = [str(self.process.pid)]
        for task in Path(f"/proc/{self.process.pid}/task").iterdir():
            with suppress(FileNotFoundError):  # the thread has ended
                pids += (task / "children").read_text().split()
        return sum(_rss_bytes(pid) for pid in pids)

    def stop(self) -> int:
        """The exit status; raises subprocess.TimeoutExpired if it does not stop when asked."""
        self.process.terminate()
        return self.process.wait(STOPPED_S)

    def _until_ready(self) -> dict[str, str]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(b"{") and (said := json.loads(line))["event"] == "ready":
                return {"http": said["http"], "grpc": said["grpc"]}
        raise RuntimeError("the server ended before it was ready")

    def _read(self) -> None:
        assert self.process.stdout is not None
        for text in told_wrong(line.decode("utf-8", "replace").rstrip() for line in self.process.stdout):
            if all(word in text for word in FELL):
                continue
            if text.startswith("grpc_again"):
                self.again += 1
            else:
                self.wrong.append(text)


def told_wrong(lines: Iterator[str]) -> Iterator[str]:
    """What a log tells of faults: requests that ended as `internal`, tracebacks, whatever else says exception."""
    trace = ""
    for line in lines:
        if trace:
            trace += f" | {line.strip()}"
            if not line.startswith((" ", "future:", "Traceback")):
                yield trace
                trace = ""
        elif line.startswith("{"):
            said = json.loads(line)
            if said.get("code") == "internal" or "cause" in said:
                yield f"{said['event']} {said.get('verb', '')}: {said.get('cause', said)}"
        elif line.startswith(("Traceback", "Task exception")):
            trace = line
        elif any(word in line for word in WRONG):
            yield line
    if trace:  # the log ended in the middle of it, as that of a process that died
        yield trace


def _rss_bytes(pid: str) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) * 1024


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """A server of a linear model with an energy model, an amortised explainer and compiled tiers."""
    made.made(folder / "bundle", amortized=True)
    compile_bundle(folder / "bundle", [Wanted("fast"), Wanted("balanced")], lambda _: None)
    registry = Registry(str(folder / "registry"))
    registry.promote(NAME, registry.publish(NAME, open_directory(folder / "bundle")), AT)
    server = Server(registry.uri)
    try:
        yield server
    finally:
        if server.alive():
            server.stop()
