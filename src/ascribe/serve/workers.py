"""Several processes on one address: a parent that starts, watches and stops them; the system shares connections out.

The parent binds both addresses first (SO_REUSEPORT, without listening), so that they are surely ours and port 0 is one
port for all. A worker that dies is started again, at once the first time and then ever more slowly; one that cannot
even start stops all. What workers share lies in one folder, which they find by `ASCRIBE_SHARED`.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import FrameType

from ascribe.core.durations import doubled
from ascribe.serve.address import Address, parse, probe, reserve

__all__ = ["supervise"]

LOOK_S = 0.1
UNUSABLE = 2  # exit code of what cannot start
STEADY_S = 5.0  # a worker that lived so long had started
SLOWEST_S = 30.0
HARD_S = 60.0  # after which a worker that was asked to stop is killed


class _Worker:
    """One process, and how often it died in a row."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self._command, self._environment = command, environment
        self.deaths, self.at = 0, 0.0
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        self.process, self.at = subprocess.Popen(self._command, env=self._environment), time.monotonic()

    def watched(self) -> int | None:
        """Starts it again if it died; its exit code if it never got going."""
        if self.process is None:
            if time.monotonic() >= self.at:
                self.start()
            return None
        code = self.process.poll()
        if code is None:
            return None
        lived = time.monotonic() - self.at
        if code == UNUSABLE:  # a wrong option, no such model: the next one would end alike
            return code
        self.deaths = 0 if lived > STEADY_S else self.deaths + 1
        wait = doubled(0.5, self.deaths, SLOWEST_S) if self.deaths else 0
        self.process, self.at = None, time.monotonic() + wait
        return None

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def ended(self, until: float) -> int:
        """Exit code, waited for until a time on the clock."""
        if self.process is None:
            return 0
        try:
            return self.process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def supervise(
    count: int, http: str, grpc: str, options: Sequence[str], environment: dict[str, str],
    say: Callable[[str], object],
) -> int:  # fmt: skip
    """`count` processes of `ascribe serve` with these options until SIGTERM or SIGINT; returns an exit code, 0 where
    all drained and ended. Raises ServiceError for an address that cannot be had.
    """
    stopping: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        stopping.append(number)

    with ExitStack() as held:
        places = [_reserved(held, parse(text, flag), flag) for text, flag in ((http, "--http"), (grpc, "--grpc"))]
        shared = held.enter_context(tempfile.TemporaryDirectory(prefix="ascribe-"))
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        command = [
            sys.executable,
            "-m",
            "ascribe",
            "serve",
            *options,
            "--http",
            str(places[0]),
            "--grpc",
            str(places[1]),
        ]
        say(f"{count} workers at http://{places[0]} and {places[1]}")
        workers: list[_Worker] = []
        code: int | None = None
        try:
            for k in range(count):
                own = {"ASCRIBE_WORKERS": str(count), "ASCRIBE_WORKER": str(k), "ASCRIBE_SHARED": shared}
                workers.append(_Worker(command, environment | own))
            while not stopping and code is None:
                time.sleep(LOOK_S)
                code = next((c for worker in workers if (c := worker.watched()) is not None), None)
        finally:  # whatever goes wrong here, nobody serves on without a parent
            for worker in workers:
                worker.stop()
            until = time.monotonic() + HARD_S
            codes = [worker.ended(until) for worker in workers]
    return code or max(codes, key=abs)


def _reserved(held: ExitStack, address: Address, flag: str) -> Address:
    """The address with its real port, kept for as long as the parent lives."""
    probe(address, flag)  # or another server's workers would share the port with ours
    listener: socket.socket = held.enter_context(reserve(address, flag))
    return Address(address.host, listener.getsockname()[1])
